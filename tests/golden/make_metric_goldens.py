#!/usr/bin/env python3
"""Writes metrics.json: made-up captions and references with the scores that coco-caption's Python code gives them.

Needs numpy and pycocoevalcap (pip install numpy pycocoevalcap; no Java: only Bleu, Rouge and Cider are used).
Format: a list of corpora {"images": [[hypothesis, [reference, ...]], ...], "corpus": S, "each": [S, ...]}; captions are
words joined by one space, and S is [BLEU-1, BLEU-2, BLEU-3, BLEU-4, ROUGE-L, CIDEr-D] to 13 significant digits.
"""

import json
import os
import random

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

WORDS = ["a", "the", "dog", "man", "in", "on", "red", "two", "runs", "<unk>", "é", "x1"] + [
    chr(c) for c in range(ord("b"), ord("z") + 1)]

EDGE_CASES = [
    # hypothesis, references
    [("a b c d", ["a b c d"]), ("b c d e", ["e d c b"])],                      # equal to the reference; no order kept
    [("a b c d e", ["a b c d e", "x"]), ("x", ["a b c d e", "x"])],            # equal to one of two
    [("", ["a b c"]), ("a b c", ["a b c"])],                                   # empty caption
    [("", [""]), ("a b", ["a b", ""])],                                        # empty caption and empty reference
    [("a", [""]), ("", ["", "a a a"])],
    [("a", ["a"]), ("b", ["b"])],                                              # one word, right
    [("a", ["b"]), ("b", ["a"])],                                              # one word, wrong
    [("a b", ["a b"]), ("c d", ["c d"]), ("e f", ["f e"])],                    # no trigram anywhere
    [("a b c", ["a b", "a b c d"]), ("x y", ["x", "x y z"])],                  # length tie 2 | 4 and 1 | 3
    [("a b c", ["a b c d", "a b"]), ("x y", ["x y z", "x"])],                  # the same, longer one first
    [("a b c d e", ["a b c", "d e f g h i j"]), ("q", ["q"])],                 # tie at distance 2
    [("a a a a a", ["a a", "a b a b a"]), ("b", ["c"])],                       # repeated word, clipped
    [("a b a b a b", ["a b a b", "b a b a b a b"]), ("c d", ["c c d d"])],     # repeated bigram
    [("the the the the the the the", ["the dog runs on the red", "the man in the red"])],  # Papineni's example
    [("a b c d", ["a b c d"])],                                                # one image: every idf is 0
    [("a b c d", ["a b c d"]), ("a b c d", ["a b c d"])],                      # every n-gram in every image
    [("a b c d e f g h i j k l m n o p q r s t u v w x y z" * 3, ["a b"]), ("a", ["a b c"])],
    [("a", ["a b c d e f g h i j k l m n o p q r s t u v w x y z"]), ("b c", ["b c"])],
]


def sentence(rng, words, length):
    return [rng.choice(words) for _ in range(length)]


def edited(rng, words, reference):
    result = list(reference)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(result))
        action = rng.random()
        if action < 0.4 or at == len(result):
            result.insert(at, rng.choice(words))
        elif action < 0.7:
            del result[at]
        else:
            result[at] = rng.choice(words)
    return result


def image(rng, words, longest):
    references = [sentence(rng, words, rng.randint(1, longest)) for _ in range(rng.choice([1, 1, 2, 3, 5, 5, 7]))]
    for other in references[1:]:
        if rng.random() < 0.3:  # references of one image resemble each other
            other[:] = edited(rng, words, references[0])
    kind = rng.random()
    if kind < 0.15:
        hypothesis = list(rng.choice(references))
    elif kind < 0.55:
        hypothesis = edited(rng, words, rng.choice(references))
    elif kind < 0.60:
        hypothesis = []
    elif kind < 0.67:
        hypothesis = sentence(rng, words, 1)
    elif kind < 0.74:
        hypothesis = sentence(rng, words, 1) * rng.randint(2, 8)
    else:
        hypothesis = sentence(rng, words, rng.randint(1, longest + 3))
    if rng.random() < 0.25 and hypothesis:  # two references equally far away in length
        step = rng.randint(1, max(1, len(hypothesis) - 1))
        references += [sentence(rng, words, len(hypothesis) + step), sentence(rng, words, len(hypothesis) - step)]
    if rng.random() < 0.04:
        references.append([])
    rng.shuffle(references)
    return " ".join(hypothesis), [" ".join(reference) for reference in references]


def corpora(rng):
    yield from EDGE_CASES
    for count, sizes, vocabulary, longest in [
            (120, (1, 1), 12, 8), (300, (2, 5), 10, 7), (40, (6, 20), 25, 9), (1, (120, 120), 37, 12)]:
        for _ in range(count):
            images = []
            while not any(reference for _, references in images for reference in references):  # Cider needs a word
                images = [image(rng, WORDS[:vocabulary], longest) for _ in range(rng.randint(*sizes))]
            yield images


def score(images):
    references = {i: references for i, (_, references) in enumerate(images)}
    hypotheses = {i: [hypothesis] for i, (hypothesis, _) in enumerate(images)}
    bleu, bleus = Bleu(4).compute_score(references, hypotheses, verbose=0)
    rouge, rouges = Rouge().compute_score(references, hypotheses)
    cider, ciders = Cider().compute_score(references, hypotheses)
    short = lambda values: [float(f"{float(value):.13g}") for value in values]
    return short([*bleu, rouge, cider]), [short(row) for row in zip(*bleus, rouges, ciders)]


def main():
    rng = random.Random(20150210)
    lines = []
    total = 0
    for images in corpora(rng):
        corpus, each = score(images)
        entry = {"images": images, "corpus": corpus, "each": each}
        lines.append(json.dumps(entry, separators=(",", ":"), ensure_ascii=False))
        total += len(images)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{path}: {len(lines)} corpora, {total} images, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
