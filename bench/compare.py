#!/usr/bin/env python3
"""Joins the results of bench_kernels and torch_kernels.py into one Markdown table.

  python bench/compare.py glimpse.json torch.json [--out TABLE.md]

Of each row the best time of either side counts, whichever way it was reached; the table names PyTorch's way. Rows that
PyTorch has no time for stay in the table. Needs nothing but Python.
"""
import argparse
import json
import sys
from pathlib import Path


def key(row):
    return row["kernel"], tuple(sorted(row["sizes"].items())), row["dtype"]


def load(path):
    try:
        result = json.loads(Path(path).read_text())
        if result["what"] != "kernels":
            raise KeyError("what")
        return result, {key(row): row for row in result["rows"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{path}: not a result of bench_kernels or torch_kernels.py ({error})")


def best(row):
    """(microseconds, way) of the quickest way; nothing where none worked."""
    if not row or not row["us"]:
        return None
    way = min(row["us"], key=row["us"].get)
    return row["us"][way], way


def line(row, other):
    ours, theirs = best(row), best(other)
    sizes = " ".join(f"{name}={value}" for name, value in row["sizes"].items())
    cells = [row["kernel"], sizes, row["dtype"], f"{ours[0]:.2f}", f"{row['gb_per_s']:.0f}",
             f"{row['tflop_per_s']:.3g}", f"{100 * row['share_of_roofline']:.0f} %"]
    cells += [f"{theirs[0]:.2f} ({theirs[1]})", f"{theirs[0] / ours[0]:.2f}"] if theirs else ["", ""]
    return "| " + " | ".join(cells) + " |"


def table(glimpse, torch, torch_rows):
    launch = f"; a launch {glimpse['launch_us']:.2f} us"
    if glimpse["launch_us_in_graph"]:
        launch += f", in a graph {glimpse['launch_us_in_graph']:.2f} us"
    lines = [f"{glimpse['device']}: copy {glimpse['copy_gb_per_s']:.0f} GB/s, f32 products "
             f"{glimpse['f32_tflop_per_s']:.3g} TFLOP/s{launch}. {torch['source']}. Buffers of "
             f"{glimpse['rotated_mb']:.0f} MB in turn.", "",
             "| kernel | sizes | type | Glimpse us | GB/s | TFLOP/s | of roofline | PyTorch us (its best way) | ratio |",
             "|---|---|---|---:|---:|---:|---:|---:|---:|"]
    lines += [line(row, torch_rows.get(key(row))) for row in glimpse["rows"]]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("glimpse", help="JSON file of bench_kernels")
    parser.add_argument("torch", help="JSON file of torch_kernels.py")
    parser.add_argument("--out", help="file for the table; it is printed otherwise")
    options = parser.parse_args()
    glimpse, _ = load(options.glimpse)
    torch, torch_rows = load(options.torch)
    if glimpse["device"] != torch["device"]:
        sys.exit(f"{options.glimpse} was measured on {glimpse['device']}, {options.torch} on {torch['device']}: "
                 "times of different devices are not compared")
    text = table(glimpse, torch, torch_rows)
    if options.out:
        Path(options.out).write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
