#!/usr/bin/env python3
"""Whether a model says the same on every processor: captions by vectors of 512, 256 and 128 bits, compared.

  python bench/agreement.py --caption build/release/bin/caption --model RUN/best.safetensors [--images 1000] FOLDER

The program runs once for each width that this processor has, limited by GLIMPSE_VECTOR_BITS, and oneDNN likewise by
ONEDNN_MAX_CPU_ISA, on the first photographs of a folder. Words must be equal, but for ties: two captions of one image
whose scores differ by less than 1e-4. Scores of equal captions must agree within 1e-4. Exit code 1 if not.
"""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

WIDTHS = {512: "AVX512_CORE_BF16", 256: "AVX2", 128: "SSE41"}
TOLERANCE = 1e-4


def captions(options, photographs, bits):
    """Caption and score of each photograph, and how fast."""
    environment = {**os.environ, "GLIMPSE_VECTOR_BITS": str(bits), "ONEDNN_MAX_CPU_ISA": WIDTHS[bits]}
    done = subprocess.run([options.caption, "--model", options.model, "--beam", str(options.beam), "--json", "-"],
                          input="\n".join(map(str, photographs)), env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{options.caption} failed:\n{done.stderr[-2000:]}")
    return [(entry["caption"], entry["score"]) for entry in json.loads(done.stdout)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--caption", type=Path, required=True, help="the program")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1000, help="photographs of the folder, in order of their names")
    parser.add_argument("--beam", type=int, default=3)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()

    photographs = sorted(options.folder.glob("*.jpg"))[:options.images]
    has_512 = "avx512f" in Path("/proc/cpuinfo").read_text()
    results = {bits: captions(options, photographs, bits) for bits in WIDTHS if bits < 512 or has_512}
    widest = max(results)
    wrong = False
    print("| vectors | photographs | other words, a tie | other words | largest difference of scores |\n"
          "|---|---:|---:|---:|---:|")
    for bits, said in results.items():
        ties = others = 0
        difference = 0.0
        for path, (words, score), (expected_words, expected) in zip(photographs, said, results[widest]):
            if words == expected_words:
                difference = max(difference, abs(score - expected))
            elif abs(score - expected) < TOLERANCE:
                ties += 1
                print(f"tie: {path.name}: {words!r} {score:.6f}, {expected_words!r} {expected:.6f}", file=sys.stderr)
            else:
                others += 1
                print(f"other words: {path.name}: {words!r} {score:.6f}, {expected_words!r} {expected:.6f}",
                      file=sys.stderr)
        wrong |= others > 0 or difference > TOLERANCE
        print(f"| {bits} bits | {len(said)} | {ties} | {others} | {difference:.1e} |")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
