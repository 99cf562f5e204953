#!/usr/bin/env python3
"""Whether two training runs follow the same loss curve: compares the first steps of two log.jsonl.

  python bench/compare_curves.py RUN_A/log.jsonl RUN_B/log.jsonl [--steps 50] [--tolerance 1e-3]

Prints one line; the exit code is 1 where the curves differ by more than the tolerance, relative to the first run's loss.
The runs need training.log_every=1. Needs nothing but Python.
"""
import argparse
import json
import sys


def losses(path, steps):
    """Loss by step, of the first steps."""
    result = {}
    try:
        with open(path) as lines:
            for line in lines:
                entry = json.loads(line)
                if "step" in entry and "loss" in entry and entry["step"] <= steps:
                    result.setdefault(entry["step"], entry["loss"])
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: {error}")
    missing = [step for step in range(1, steps + 1) if step not in result]
    if missing:
        sys.exit(f"{path}: no loss of step {missing[0]}; {steps} steps are compared, logged with training.log_every=1")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    options = parser.parse_args()
    first, second = losses(options.first, options.steps), losses(options.second, options.steps)
    # Written so that a NaN counts as a difference.
    difference = {step: abs(first[step] - second[step]) / abs(first[step]) for step in first}
    worst = max(difference, key=lambda step: float("inf") if difference[step] != difference[step] else difference[step])
    good = difference[worst] <= options.tolerance
    print(f"{options.steps} steps: losses {first[1]:.4f} .. {first[options.steps]:.4f} and {second[1]:.4f} .. "
          f"{second[options.steps]:.4f}; largest relative difference {difference[worst]:.2e} at step {worst}, "
          f"{'within' if good else 'MORE THAN'} {options.tolerance:g}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
