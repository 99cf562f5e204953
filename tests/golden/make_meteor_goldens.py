#!/usr/bin/env python3
"""Writes meteor.json: what nltk makes of words and captions, for the stemmer and for METEOR.

Needs nltk (pip install nltk), and for one part WordNet 3.0's files in /usr/share/wordnet (Debian: wordnet-base).
wordnet/ is a dictionary of a few made-up synsets in WordNet's format, which this script writes too, so that the tests
need no other. Format: {"stems": {word: stem}, "small": C, "wordnet": C}, C being [[hypothesis, [reference, ...], score],
...] with the words of captions joined by one space and scores to 13 significant digits; "small" is scored with
wordnet/, "wordnet" with WordNet 3.0.
"""

import json
import os
import random
import shutil
import tempfile
import warnings

import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import meteor_score

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}

# Synsets as their words, irregular forms with what they are forms of.
SYNSETS = {
    "noun": [["dog", "hound", "domestic_dog"], ["man", "adult_male", "Adam"], ["child", "kid", "youngster"],
             ["kid", "goat"], ["couch", "sofa"], ["bus", "coach"], ["wolf"], ["picture", "photo", "imag"],
             ["box", "case"], ["run", "track"], ["wolv", "pack"]],
    "verb": [["run", "race", "rac"], ["race", "hurry"], ["jump", "leap", "spring"], ["carry", "bear", "hold"],
             ["smile", "grin"], ["see", "watch", "view"]],
    "adj": [["big(a)", "large", "great(p)"], ["red", "scarlet"], ["happy", "glad", "happi"]],
    "adv": [["fast", "quickly", "quickli"], ["well", "good"]],
}
EXCEPTIONS = {
    "noun": [("children", ["child"]), ("dices", ["dice"]), ("men", ["man"]), ("mice", ["mouse"]),
             ("wolves", ["wolf", "wolv"])],
    "verb": [("bore", ["bear"]), ("ran", ["run"]), ("saw", ["see"]), ("seen", ["see"])],
    "adj": [("bigger", ["big"]), ("biggest", ["big"])],
    "adv": [("best", ["well"]), ("better", ["well"])],
}

WORDS = """a the A dog dogs hound Hounds man men adam child children kid kids youngster goat couch sofa couches bus buses
coach wolf wolves picture pictures photo image boxes case run runs running ran race races racing hurry jump jumps jumping
leaps spring carries carrying bears bore holds smiling grins saw seen watches viewing big bigger biggest large great red
scarlet happy happily glad fast quickly well good best on in two über cafés domestic_dog lying lies sky skies""".split()

REAL_WORDS = """a man woman boy girl child children kid kids dog dogs puppy hound person people someone in the on of with and is
are standing stands sitting sits seated running runs jogging jumping leaps leaping jump walking strolls playing plays
ball soccer football snow grass lawn field beach sand shore water ocean sea lake pool street road sidewalk car automobile
bike bicycle bicyclist cyclist motorcycle motorbike picture photo photograph camera red blue black white big large small
little young old happy smiling smile grinning laughing holding carrying holds bears watches looking gazes climbing climbs
rock cliff mountain hill tree trees forest woods jacket coat shirt hat cap sunglasses couch sofa lying lies dying ran saw
seen wolves men women mice feet teeth better best fastest higher quickly fast air mid several multiple many""".split()

STEM_WORDS = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping
tanned falling hissing fizzed failing filing happy sky relational conditional rational valency hesitancy digitizer
conformably radically differently vilely analogously vietnamization predication operator feudalism decisiveness hopefulness
callousness formality sensitivity sensibility triplicate formative formalize electricity electrical hopeful goodness revival
allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologou
communism activate angularity homologous effective bowdlerize probate rate cease controll roll enjoy enjoyment spy flies
dies died tied cried spied dying lying tying skies news innings outing cannings howe proceed exceed succeed geology
archaeology theological as is us by be a yyyyy y sayyy youthfully painfully hopefully usefulli alli medicalli equalli
generalli nationally ally logically eed deed seed agreed freed ing ring bring string sling king ed bed red shed sped oed
ion lion nation motion session onion criterion rebellion ss sss s es ies dies pies lies bbb add adding added egg egging
fill filling hisses buzzing buzzed tree trees treed toe toes toeing seeing being doing dyed eyeing axes vexed boxes boxing
player playing played plays happily happier happiest running runner runs ran mountainous climbing climber climbed
cyclists bicyclists skateboarding snowboarder wakeboarding surfboards trampolines sunglasses children children's
photographer photographers performing performance musicians restaurants grassy snowy rocky muddy sandy shallow hollow
über cafés naïve señor 12s 4x4 mp3s t-shirts""".split()


def write_dictionary(folder):
    """In WordNet's format: offsets are positions in bytes, lines of the index and of the exceptions are sorted."""
    os.makedirs(folder, exist_ok=True)
    for part, letter in PARTS.items():
        data = "  1 A few synsets for tests, in the format of WordNet's database.  \n"
        places = {}
        for number, words in enumerate(SYNSETS[part]):
            offset = len(data)
            fields = " ".join(f"{word} {k:x}" for k, word in enumerate(words))
            frames = " 01 + 02 00" if part == "verb" else ""
            data += f"{offset:08d} 00 {letter} {len(words):02x} {fields} 000{frames} | gloss {number}  \n"
            for word in words:
                places.setdefault(word.split("(")[0].lower(), []).append(offset)
        index = "  1 A few words for tests.  \n"
        for word in sorted(places):
            offsets = " ".join(f"{offset:08d}" for offset in places[word])
            index += f"{word} {letter} {len(places[word])} 1 @ {len(places[word])} 0 {offsets}  \n"
        for name, text in ((f"data.{part}", data), (f"index.{part}", index),
                           (f"{part}.exc", "".join(" ".join([form, *bases]) + "\n" for form, bases in EXCEPTIONS[part]))):
            with open(os.path.join(folder, name), "w", encoding="ascii", newline="\n") as file:
                file.write(text)


class Reader(WordNetCorpusReader):
    """Of English alone: without the tables that lead from there to other languages."""

    def map_wn(self, version="wordnet"):
        return None


def reader(folder):
    """nltk's reader also wants the names of the lexicographers' files."""
    with tempfile.TemporaryDirectory() as copy:
        for part in PARTS:
            for name in (f"index.{part}", f"data.{part}", f"{part}.exc"):
                shutil.copy(os.path.join(folder, name), copy)
        with open(os.path.join(copy, "lexnames"), "w", encoding="ascii") as file:
            file.write("".join(f"{i:02d}\tname{i}\t1\n" for i in range(45)))
        nltk.data.path.append(copy)  # nltk reads nothing elsewhere
        found = Reader(copy, None)
        for part in PARTS:
            found._data_file(PARTS[part]).read(1)  # opened while the folder is there
        return found


def caption(rng, words):
    return [rng.choice(words) for _ in range(rng.choice([0, 1, 2, 3, 5, 8, 12]))]


def near(rng, words, other):
    result = list(other)
    for _ in range(rng.randint(0, 4)):
        at = rng.randint(0, len(result))
        if at < len(result) and rng.random() < 0.7:
            result[at] = rng.choice(words)
        else:
            result.insert(at, rng.choice(words))
    return result


def captions(rng, words, count, wordnet):
    rows = []
    for _ in range(count):
        references = [caption(rng, words) for _ in range(rng.randint(1, 5))]
        hypothesis = near(rng, words, rng.choice(references)) if rng.random() < 0.7 else caption(rng, words)
        score = float(f"{meteor_score(references, hypothesis, wordnet=wordnet):.13g}")
        rows.append([" ".join(hypothesis), [" ".join(reference) for reference in references], score])
    return rows


def main():
    warnings.simplefilter("ignore")  # there is but one language
    small = os.path.join(HERE, "wordnet")
    write_dictionary(small)
    rng = random.Random(20050629)
    stem = PorterStemmer().stem
    result = {"stems": {word: stem(word) for word in sorted(set(STEM_WORDS + WORDS + REAL_WORDS)) if word == word.lower()},
              "small": captions(rng, WORDS, 400, reader(small)),
              "wordnet": captions(rng, REAL_WORDS, 300, reader("/usr/share/wordnet"))}
    path = os.path.join(HERE, "meteor.json")
    lines = []
    for key, value in result.items():
        rows = value if isinstance(value, list) else [value]
        text = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
        lines.append(json.dumps(key) + ": " + ("[\n" + text + "\n]" if isinstance(value, list) else text))
    with open(path, "w", encoding="utf-8") as file:
        file.write("{" + ",\n".join(lines) + "}\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
