#!/usr/bin/env python3
"""Proves that the tests notice a slip in the decoder, the beam search and the encoders: in models/ each bound of an
index is shifted by one, each accumulation is left out and each condition turned round, one at a time, and the tests
must fail. mutation.py has the machinery; needs Python and what the build needs.

    tests/mutate_models.py                    # all of them
    tests/mutate_models.py --only beam        # those in files whose path matches a regular expression
    tests/mutate_models.py --list             # show them, run nothing
"""
import re
import sys

from mutation import ROOT, parse, prove
from mutation_sites import HEADER, accumulations, bounds, code_of, conditions, rewritten

SOURCES = ["encoder/**/*.cpp", "decoder/**/*.cpp", "search/**/*.cpp", "captioner/captioner.cpp"]
PROGRAMS = ["test_decoder", "test_decoder_inputs", "test_decoder_kernels", "test_hard_attention", "test_scheduled_sampling",
            "test_beam", "test_search", "test_sample", "test_captioner", "test_encoder", "test_encoder_weights",
            "test_encoder_golden"]

# Mutants that no test catches, and why: (file, code, change) or (file, code) for all changes.
EXPLAINED = {}


def mutants_of(path):
    text, code = code_of(path)
    return [*bounds(path, text, code), *accumulations(path, text, code), *conditions(path, text, code)]


def main():
    arguments = parse(__doc__)
    paths = sorted({str(p.relative_to(ROOT)) for pattern in SOURCES for p in ROOT.glob(f"models/{pattern}")})
    mutants = [m for path in paths if re.search(arguments.only, path) for m in mutants_of(path)]
    return prove(arguments, mutants, ["bound", "accumulation", "condition"], rewritten, HEADER, PROGRAMS, EXPLAINED)


if __name__ == "__main__":
    sys.exit(main())
