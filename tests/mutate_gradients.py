#!/usr/bin/env python3
"""Proves that the tests notice a wrong sign in any backward pass.

Each term of each expression in the backward code (ops, kernels, functors, the decoder's sequence op), and each tensor
that it hands to a kernel, is a mutant: the tests run with its sign flipped, and must fail. mutation.py has the
machinery; needs Python and what the build needs. Exit code 1 when a mutant survives.

    tests/mutate_gradients.py                    # all of them
    tests/mutate_gradients.py --only softmax     # those in files whose path matches a regular expression
    tests/mutate_gradients.py --list             # show them, run nothing
"""
import re
import sys

from mutation import BASE, ROOT, Mutant, closing, line_of, marked, on_one_line, parse, prove, without_comments

SOURCES = ["engine/ops/*.cpp", "engine/tensor.cpp", "kernels/*.cpp", "kernels/attention/*.cpp",
           "kernels/attention/internal/*.h", "kernels/functors.h", "models/decoder/**/*.cpp"]
# Functions that are backward code; outside kernels/ also all that differentiable() and its helpers are given.
FUNCTION = re.compile(r"[A-Za-z_]*(?:backward|_back|gradient|slope|sum_to|broadcast_to|sum_rows_by_index|patches_to_image)\w*")
NOT_OURS = re.compile(r"gradient_sums|gradcheck|requires_gradient|need_gradient")
GIVEN_TO = re.compile(r"\b(?:differentiable|binary)\s*\(|\bbackward\s*=\s*\[")
PROGRAMS = ["test_gradients", "test_ops", "test_tensor", "test_decoder"]

# Mutants that change no result beyond rounding, and why.
EQUIVALENT = {
    ("kernels/cross_entropy.cpp", "static_cast<double>(high)"): "only the rounding of log_sum_exp",
    ("engine/ops/attention.cpp", "partial of a kernel"): "workspace, which the kernel writes before it reads",
    ("engine/tensor.cpp", "dy.to(source)"): "needs two devices: tests/cuda/ops.cpp holds it",
}

HEADER = BASE + r"""
#include <vector>
namespace glimpse_mutant {
template <class X>
X flip(int id, X x) {
  if constexpr (std::is_floating_point_v<X>) {
    return on(id) ? -x : x;
  } else if constexpr (requires { x.defined(); x.requires_grad(); -x; }) {
    if (!x.defined() || !on(id)) return x;
    static std::vector<X> kept;  // pointers into it outlive the expression
    return kept.emplace_back(-x);
  } else {
    none(id);  // an index or the like
    return x;
  }
}
}  // namespace glimpse_mutant
"""


def regions(path, text):
    """Ranges of backward code."""
    found = []
    for m in FUNCTION.finditer(text):
        if NOT_OURS.search(m.group(0)):
            continue
        after = m.end()
        if text[after:after + 1] == "<":
            continue
        if text[after:after + 1] != "(":
            continue
        body = re.compile(r"\s*(?:const\s*)?\{").match(text, closing(text, after) + 1)
        if body:
            found.append((body.end() - 1, closing(text, body.end() - 1)))
    if not path.startswith("kernels/"):
        for m in GIVEN_TO.finditer(text):
            if m.group(0).endswith("["):
                body = text.index("{", closing(text, m.end() - 1))
                found.append((body, closing(text, body)))
            else:
                end = closing(text, m.end() - 1)
                if not text[end + 1:].lstrip().startswith("{"):  # a call, not a definition
                    found.append((m.end() - 1, end))
    found.sort()
    merged = []
    for begin, end in found:
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def split(text, begin, end, at):
    """Cuts [begin, end) where at(i) says so, outside brackets; the cut characters are left out."""
    parts, depth, start, i = [], 0, begin, begin
    while i < end:
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
        elif depth == 0 and at(i):
            parts.append((start, i))
            start = i + 1
        i += 1
    parts.append((start, end))
    return parts


def stripped(text, begin, end):
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    return begin, end


# Nothing to flip: zeros, memory that is written later, names of functions.
NO_TERM = re.compile(r"(?:empty_like|zeros|zeros_like|decltype|Tensor)\s*[({]|(?:T\(0\)|nullptr|0|true|false|[\w:]+<T>)$")


def terms(text, begin, end):
    """Ranges of the additive terms of an expression and of the groups inside them."""
    begin, end = stripped(text, begin, end)
    whole = text[begin:end]
    if not whole or whole[0] == "[" or NO_TERM.match(whole):
        return
    if whole[0] == "{":
        for part in split(text, begin + 1, end - 1, lambda i: text[i] == ","):
            yield from terms(text, *part)
        return
    question = split(text, begin, end, lambda i: text[i] == "?")
    if len(question) > 1:
        rest = (question[1][0], end)
        colons = split(text, *rest, lambda i: text[i] == ":" and text[i - 1] != ":" and text[i + 1] != ":")
        yield from terms(text, *colons[0])
        yield from terms(text, colons[0][1] + 1, end)
        return
    outside = "".join(text[i] if inside == 0 else " " for i, inside in depths(text, begin, end))
    if re.search(r"&&|\|\||==|!=|<=|>=|(?<![\w:])\s<\s|\s>\s", outside):
        return

    def operator(i):
        if text[i] not in "+-" or text[i:i + 2] in ("->", "++", "--") or text[i - 1:i + 1] in ("++", "--"):
            return False
        before = text[begin:i].rstrip()
        return bool(before) and (before[-1].isalnum() or before[-1] in "_)]") and not re.search(r"\d[eE]$", before)

    for part in split(text, begin, end, operator):
        part = stripped(text, *part)
        if part[0] == part[1]:
            continue
        yield part
        i = part[0]
        while i < part[1]:
            if text[i] == "(":
                close = closing(text, i)
                name = re.search(r"([\w:]+|static_cast<\w+>)\s*$", text[part[0]:i])
                if not name or name.group(1).startswith("static_cast"):
                    inner = list(terms(text, i + 1, close))
                    if len(inner) > 1:
                        yield from inner
                i = close
            elif text[i] == "[":
                i = closing(text, i)
            i += 1


def depths(text, begin, end):
    depth = 0
    for i in range(begin, end):
        if text[i] in ")]}":
            depth -= 1
        yield i, depth
        if text[i] in "([{":
            depth += 1


STATEMENT = re.compile(
    r"\s*(?:(?:if|for|while)\s*\([^;{}]*?\)\s*(?=return\b|[A-Za-z_*]))?"
    r"(?:(?P<ret>return)\b|(?P<type>(?:const\s+|static\s+)*[A-Za-z_][\w:]*(?:<[\w:, ]+>)?\s+(?:[&*]\s*)?)?"
    r"(?P<lhs>\*?[A-Za-z_][\w.]*(?:(?:->|\.)\w+|\[[^;=]*?\])*)\s*(?P<op>[+\-*/]?=)(?!=))")
HANDED_OVER = re.compile(r"(?<![\w.\]])([A-Za-z_]\w*(?:\.\w+|\[\d+\])*)\.data<T>\(\)")
GEMM_FACTOR = re.compile(r"\bgemm\b[^;]*?(T\(1\)),")
NO_NUMBER = re.compile(r"\*|\b(?:int|bool|auto\s*&|size_t|u?int\d+_t|Shape|Split|string)\b")


def mutants_of(path):
    original = (ROOT / path).read_text()
    text = without_comments(original)
    seen = set()
    for begin, end in regions(path, text):
        for m in GEMM_FACTOR.finditer(text, begin, end):
            yield Mutant(path, line_of(original, m.start(1)), "gemm by T(1)", "sign", site=m.span(1))
        for m in HANDED_OVER.finditer(text, begin, end) if not path.startswith("kernels/") else ():
            yield Mutant(path, line_of(original, m.start()), f"{m.group(1)} of a kernel", "sign", site=m.span(1))
        i = begin
        while i < end:
            if text[i] not in ";{})":
                i += 1
                continue
            i += 1
            m = STATEMENT.match(text, i, end)
            if not m:
                continue
            stop = next((k for k, d in depths(text, m.end(), end) if d < 0 or (d == 0 and text[k] == ";")), end)
            if text[stop:stop + 1] == ")" or text[m.end():stop].lstrip().startswith("["):  # a for loop's step, a lambda
                continue
            if m.group("type") and NO_NUMBER.search(m.group("type")):
                continue
            for piece in split(text, m.end(), stop, lambda k: text[k] == ","):
                first = piece[0]
                if piece[0] != m.end():  # a further declarator, NAME = EXPRESSION
                    declarator = re.compile(r"\s*\w+\s*=(?!=)").match(text, *piece)
                    if not declarator:
                        continue
                    first = declarator.end()
                for a, b in terms(text, first, piece[1]):
                    if (a, b) not in seen:
                        seen.add((a, b))
                        yield Mutant(path, line_of(original, a), on_one_line(original[a:b]), "sign", site=(a, b))


def rewritten(path, numbers, mutants):
    """The file's text with the mutants of these numbers in it."""
    marks = [(*mutants[n].site, f"::glimpse_mutant::flip({n}, ", ")") for n in numbers]
    return marked((ROOT / path).read_text(), marks)


def main():
    arguments = parse(__doc__)
    paths = sorted({str(p.relative_to(ROOT)) for pattern in SOURCES for p in ROOT.glob(pattern)})
    mutants = [m for path in paths if re.search(arguments.only, path) for m in mutants_of(path)]
    return prove(arguments, mutants, ["sign"], rewritten, HEADER, PROGRAMS, EQUIVALENT)


if __name__ == "__main__":
    sys.exit(main())
