#!/usr/bin/env python3
"""Proves that the emulated tests notice a CUDA kernel that lacks a barrier, reads or writes one element too few or too
many, or forgets a part of a sum.

In every kernels/*.cu and kernels/*.cuh, one at a time:
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

# Mutants that no test catches, and why: (file, code, change) or (file, code) for both changes of a bound.
EXPLAINED = {}

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
    paths = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("kernels/*.cu*") if DEVICE.search(p.read_text()))
    mutants = [m for path in paths if re.search(arguments.only, path) for m in mutants_of(path)]
    return prove(arguments, mutants, ["barrier", "bound", "accumulation"], rewritten, HEADER, PROGRAMS, EXPLAINED, WANTED,
                 FLAGS, ["-DGLIMPSE_ONEDNN=OFF"])


if __name__ == "__main__":
    sys.exit(main())
