#!/usr/bin/env python3
"""Proves that the emulated tests notice a CUDA kernel that lacks a barrier, reads or writes one element too few or too
many, or forgets a part of a sum.

In every .cu and .cuh file of kernels/, one at a time:
  barrier       each __syncthreads and __syncwarp is left out;
  bound         each bound of an index, in loops (grid strides too) and guards, is one more and one less;
  accumulation  each accumulation is left out, and where it is a sum, forgets what was there.
The tests run in the emulator, built with AddressSanitizer and checks of array bounds, as in the preset debug-asan: an
index past an end often changes no result. First each test case says which mutants it reaches; then each mutant meets
those test cases, quickest first, until one fails, ends in an error, or hangs. Needs Python and what the build needs.

    tests/mutate_kernels.sh                    # all of them
    tests/mutate_kernels.sh --only softmax     # those in files whose path matches a regular expression
    tests/mutate_kernels.sh --list             # show them, run nothing

Prints every mutant and the test case that caught it, and a table. Exit code 1 when a mutant survives without being
explained below, or fewer than 95 % are caught.
"""
import re
import sys

from mutation import ROOT, closing, parse, prove
from mutation_sites import HEADER, accumulations, bounds, code_of, mutants_at, rewritten

PROGRAMS = ["test_emulated", "test_emulator"]
WANTED = 95  # per cent
FLAGS = "-O1 -fsanitize=address,bounds -fno-sanitize-recover=all -fno-aggressive-loop-optimizations"

# Mutants that no test catches, and why: each computes the same.
WORDS = "the sizes compared are multiples of four bytes"
EXPLAINED = {
    ("kernels/attention/forward.cu", "j < Queries", "+ 1"): "count is at most Queries, and the condition inside knows it",
    ("kernels/attention/forward.cu", "j < count", "+ 1"):
        "one query more is computed, from and into places that no query has, while there are such",
    ("kernels/attention/forward.cu", "first < group.count", "+ 1"): "one more round, of no query",
    ("kernels/attention/forward.cu", "tile < end", "+ 1"): "one more tile, of no location",
    ("kernels/attention/forward.cu", "static_cast<std::size_t>(several.total) * sizeof(Accumulator<T>) <= shared_limit", "+ 1"):
        WORDS,
    ("kernels/attention/backward.cu", "tile < end", "+ 1"): "one more tile, of no location",
    ("kernels/attention/gradients.cu", "first < group.count", "+ 1"): ("one more round, of no query",) * 2,
    ("kernels/attention/gradients.cu", "l < rows_of_tile", "+ 1"):
        "where results are stored: locations are at most rows_of_tile, and the condition inside knows it",
    ("kernels/dropout.cu", "ceil_div(n, of_block)", "+ 1"): "one more block of numbers, of no element",
    ("kernels/dropout.cu", "at + of_block <= n", "- 1"): "the last whole block goes element by element",
    ("kernels/elementwise.cu", "d < most_dimensions", "+ 1"): "the loop ends at the rank, which is at most that",
    ("kernels/embedding.cu", "begin < n", "+ 1"):
        ("one more round, of no position", "one more round, of no position"),
    ("kernels/embedding.cu", "k < 4", "+ 1"): "positions are looked at that the next round looks at too",
    ("kernels/layout.cu", "d < most_dimensions", "+ 1"): "the loop ends at the rank, which is at most that",
    ("kernels/layout.cu", "d < most_dimensions - 2", "+ 1"): "the loop ends at the rank, which is at most that",
    ("kernels/internal/planes.cuh", "i <= 0xffffffff", "+ 1"): "the same result in 32 and in 64 bits",
    ("kernels/internal/planes.cuh", "i <= 0xffffffff", "- 1"): "the same result in 32 and in 64 bits",
    ("kernels/softmax.cu", "p < packs_of_lane", "+ 1"):
        "where a row is stored: it is no longer, and the condition inside knows it",
    ("kernels/softmax.cu", "bytes <= longest_staged", "+ 1"): WORDS,
    ("kernels/topk.cu", "other_index < index", "+ 1"): "a candidate takes the place of itself",
    ("kernels/topk.cu", "v > INT_MAX - 4096", "- 1"): "one word fewer of 2^31 is refused, which no memory has room for",
    ("kernels/topk.cu", "bytes <= most_shared_unasked", "+ 1"): WORDS,
}

DEVICE = re.compile(r"__(?:global|device)__")
BARRIER = re.compile(r"\b__sync(?:threads|warp)(_or|_and)?\s*\(")
ATOMIC = re.compile(r"(?<=[;{})\n])\s*(atomic\w+)\(")


def barrier_sites(code):
    for m in BARRIER.finditer(code):
        end = closing(code, m.end() - 1)
        yield m.start(), end + 1, "left out", (m.end(), end) if m.group(1) else None  # a vote of the thread alone remains


def atomic_sites(code):
    for m in ATOMIC.finditer(code):
        yield m.start(1), closing(code, m.end() - 1) + 1, "left out", None


def mutants_of(path):
    text, code = code_of(path)
    return [*mutants_at(path, text, barrier_sites(code), "barrier", ["left out"]), *bounds(path, text, code),
            *accumulations(path, text, code), *mutants_at(path, text, atomic_sites(code), "accumulation", ["left out"])]


def main():
    arguments = parse(__doc__)
    paths = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("kernels/**/*.cu*") if DEVICE.search(p.read_text()))
    mutants = [m for path in paths if re.search(arguments.only, path) for m in mutants_of(path)]
    return prove(arguments, mutants, ["barrier", "bound", "accumulation"], rewritten, HEADER, PROGRAMS, EXPLAINED, WANTED,
                 FLAGS, ["-DGLIMPSE_ONEDNN=OFF"])


if __name__ == "__main__":
    sys.exit(main())
