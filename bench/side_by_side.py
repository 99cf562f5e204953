#!/usr/bin/env python3
"""Glimpse and PyTorch side by side: training, beam search, encoders; writes one Markdown table.

  python bench/side_by_side.py --bin build/release/bin --out bench/results/NAME.md

Each round runs Glimpse's program and bench/torch_captioner.py one after the other, with the same flags, in processes of
their own, and the next round the other way round, so that a machine that grows slower or faster meets both. The table
shows medians over the rounds, their ratio, the lowest and highest ratio of any one round, and on the CPU what share of
Glimpse's time its products take when each runs alone, with the bytes of the rest at the speed of a copy. Where PyTorch
has several forms (encoders) or ways (beam search), its best one counts.

Needs torch and torchvision in the Python that runs it, or in --python. A full run takes some minutes on two cores; let
nothing else run beside it.
"""
import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
GRIDS = ((196, 512), (49, 1664))
NETWORKS = ("densenet169", "resnet50", "mobilenet_v2")
SHOWN_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")


@dataclass
class Case:
    part: str  # also the subcommand of torch_captioner.py; the program is bench_<part>
    sizes: str
    flags: list
    unit: str
    floor: bool = True  # whether Glimpse's program can tell the least time


def cases(part, small):
    """The rows of one part; `small` shrinks them to a trial of the script itself."""
    batch, images, dim, vocab = (4, 2, 32, 97) if small else (64, 32, 512, 2541)
    common = ["--vocab", vocab, "--dim", dim]
    if part == "train":
        for locations, channels in GRIDS:
            for each, grouping in ((1, ""), (5, ", 5 captions an image")):
                yield Case(part, f"decoder, batch {batch}{grouping}, grid {locations}x{channels}, vocabulary {vocab}",
                           ["--style", "hoisted", "--batch", batch, *(["--captions-per-image", each] if each > 1 else []),
                            "--locations", locations, "--channels", channels, *common], "captions/s")
    elif part == "beam":
        for locations, channels in GRIDS:
            for bias, ending in ((3, "captions end early"), (-100, "all 20 steps")):
                yield Case(part, f"beam 5, {images} images, grid {locations}x{channels}, vocabulary {vocab}, {ending}",
                           ["--beam", 5, "--images", images, "--end-bias", bias, "--locations", locations, "--channels",
                            channels, *common], "images/s", floor=bias <= -100)
    else:
        for network in ("squeezenet1_1",) if small else NETWORKS:
            size = 64 if small else 224
            yield Case(part, f"{network}, batch {images}, {size}x{size} pixels",
                       ["--encoder", network, "--batch", images, "--size", size], "images/s")


def rate(result):
    """(items per second, by which way), the best way that the result knows of."""
    ways = {"train": lambda: {"": result["captions_per_s"]},
            "beam": lambda: {"batched": result["batched_images_per_s"],
                             "one by one": result["one_by_one_images_per_s"]},
            "encoder": lambda: result["by_format"]}[result["what"]]()
    way = max(ways, key=ways.get)
    return ways[way], way


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(case, options):
    """Results of all rounds: (Glimpse's, PyTorch's)."""
    flags = [*case.flags, "--rounds", options.inner_rounds, "--device", options.device, "--dtype", options.dtype,
             "--threads", options.threads]
    ours = [Path(options.bin) / f"bench_{case.part}", *flags]
    if options.device == "cpu" and case.floor:
        ours.append("--floor")
    theirs = [options.python, HERE / "torch_captioner.py", case.part, *flags]
    results = ([], [])
    for number in range(options.rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            results[side].append(run((ours, theirs)[side]))
        print(f"{case.part}: {case.sizes}: round {number + 1}: Glimpse {rate(results[0][-1])[0]:.1f}, "
              f"PyTorch {rate(results[1][-1])[0]:.1f} {case.unit}", file=sys.stderr, flush=True)
    return results


def row(case, results):
    ours, theirs = ([rate(result) for result in side] for side in results)
    if case.part == "beam":  # Glimpse is held to what is claimed for it, the batched search
        ours = [(result["batched_images_per_s"], "batched") for result in results[0]]
    middle = [statistics.median(speed for speed, _ in side) for side in (ours, theirs)]
    ratios = [a / b for (a, _), (b, _) in zip(ours, theirs)]
    way = statistics.mode(way for _, way in theirs)
    theirs_text = f"{middle[1]:.1f}" + (f" ({way.replace('_', ' ')})" if way else "")
    return (f"| {case.part} | {case.sizes} | {case.unit} | {theirs_text} | {middle[0]:.1f} | "
            f"**{middle[0] / middle[1]:.2f}** | {min(ratios):.2f} to {max(ratios):.2f} | {share_of_floor(results[0])} |")


def share_of_floor(results):
    """How near Glimpse comes to the least time that its products (alone) and the bytes of the rest take here."""
    shares = [result["share_of_floor"] for result in results if "share_of_floor" in result]
    return f"{100 * statistics.median(shares):.0f} %" if shares else ""


def processor():
    """Name, cores that this process may use, and those instruction sets that matter here."""
    name, known = platform.processor() or platform.machine(), set()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                known = set(value.split())
                break
    except OSError:
        pass
    shown = [flag for flag in SHOWN_INSTRUCTIONS if flag in known]
    return f"{name}, {len(os.sched_getaffinity(0))} cores" + (f" ({', '.join(shown)})" if shown else "")


def commit():
    git = ["git", "-C", str(HERE)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changes = subprocess.run([*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True)
    if head.returncode != 0:
        return "unknown"
    return head.stdout.strip() + (" with changes" if changes.stdout.strip() else "")


def heading(options, torch_results):
    versions = {key: result[key] for result in torch_results for key in ("torch", "torchvision") if key in result}
    where = torch_results[0]["device"]
    lines = ["# Glimpse and PyTorch side by side", "",
             f"- Machine: {processor()}" + (f"; GPU: {where}" if options.device == "cuda" else f"; PyTorch ran on {where}"),
             f"- Versions: Glimpse {commit()}, " + ", ".join(f"{k} {v}" for k, v in versions.items())
             + f", Python {platform.python_version()}, {platform.system()} {platform.release()}",
             f"- Date: {datetime.date.today().isoformat()}",
             f"- Command: `{shlex.join(['python', *sys.argv])}`",
             f"- Element type {options.dtype}; medians over {options.rounds} alternating rounds, each the median of "
             f"{options.inner_rounds} timed runs after warm-up. Ratio: Glimpse over PyTorch, above 1 is faster.", ""]
    return lines + ["| part | what | unit | PyTorch (its best way) | Glimpse | ratio | single rounds | share of the floor |",
                    "|---|---|---|---:|---:|---:|---:|---:|"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of Glimpse's programs")
    parser.add_argument("--out", help="file to write the table to; it is printed as well")
    parser.add_argument("--parts", nargs="+", choices=["train", "beam", "encoder"], default=["train", "beam", "encoder"])
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds (default 5)")
    parser.add_argument("--inner-rounds", type=int, default=3, help="timed runs in each process (default 3)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=0, help="threads of either; 0: each takes what it takes")
    parser.add_argument("--python", default=sys.executable, help="the Python that has torch")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try this script; the figures mean nothing")
    options = parser.parse_args()
    for part in options.parts:
        if not (Path(options.bin) / f"bench_{part}").is_file():
            parser.error(f"{options.bin}/bench_{part} does not exist: build it first, or name another --bin")
    if options.rounds < 1 or options.inner_rounds < 1:
        parser.error("--rounds and --inner-rounds must be at least 1")
    return options


def write(target, text):
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".part")
    temporary.write_text(text)
    temporary.replace(target)


def main():
    options = parse()
    rows, torch_results = [], []
    for part in options.parts:
        for case in cases(part, options.small):
            results = measure(case, options)
            rows.append(row(case, results))
            torch_results += results[1]
            text = "\n".join(heading(options, torch_results) + rows) + "\n"
            if options.out:  # after each row: what is there when somebody stops it counts
                write(Path(options.out), text)
    print(text, end="")


if __name__ == "__main__":
    main()
