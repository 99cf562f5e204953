#!/usr/bin/env python3
"""Two builds of Glimpse side by side: training, beam search, encoders and kernels; one Markdown table on stdout.

  python bench/before_after.py --before OTHER/build/release/bin --after build/release/bin [--parts train kernels]

Rounds alternate as in side_by_side.py. The table shows medians over the rounds and after / before as a speed: above 1 the
second build is the quicker one, with the lowest and highest ratio of any one round. Rows are those that both builds have.
Let nothing else run beside it.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import cases, rate, run

PARTS = ("train", "beam", "encoder", "kernels")


def kernel_speeds(folder, only):
    """Calls per second of each row of bench_kernels."""
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "kernels.json"
        done = subprocess.run([folder / "bench_kernels", "--device", "cpu", "--only", only, "--json", path],
                              capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{folder}/bench_kernels failed:\n{done.stdout[-2000:]}")
        rows = json.loads(path.read_text())["rows"]
    return {f"{row['kernel']} {' '.join(f'{k}={v}' for k, v in row['sizes'].items())}": 1e6 / row["us"]["calls"]
            for row in rows}


def speeds(part, folder, options):
    """Speed of each row of a part, by its name."""
    if part == "kernels":
        return kernel_speeds(folder, options.only)
    program = folder / f"bench_{part}"
    known = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
    return {case.sizes: rate(run([program, *case.flags, "--threads", options.threads]))[0]
            for case in cases(part, options.small)
            if all(flag in known for flag in case.flags if str(flag).startswith("--"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="folder of the programs of one build")
    parser.add_argument("--after", type=Path, required=True, help="and of the other")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--only", default="^(?!op/)", help="rows of bench_kernels: a regular expression")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try the script")
    options = parser.parse_args()

    print("| what | before | after | ratio | lowest to highest |\n|---|---:|---:|---:|---|")
    for part in options.parts:
        rounds = []
        for number in range(options.rounds):
            order = (options.before, options.after) if number % 2 == 0 else (options.after, options.before)
            measured = {folder: speeds(part, folder, options) for folder in order}
            rounds.append((measured[options.before], measured[options.after]))
        for name in rounds[0][0]:
            if name not in rounds[0][1]:
                continue
            before, after = [r[0][name] for r in rounds], [r[1][name] for r in rounds]
            ratios = [b / a for a, b in zip(before, after)]
            print(f"| {name} | {statistics.median(before):.1f} | {statistics.median(after):.1f} | "
                  f"{statistics.median(ratios):.3f} | {min(ratios):.3f} to {max(ratios):.3f} |", flush=True)


if __name__ == "__main__":
    main()
