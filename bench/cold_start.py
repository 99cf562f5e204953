#!/usr/bin/env python3
"""One photograph in a process of its own: Glimpse's `caption` beside a Python process that only encodes it.

  python bench/cold_start.py --bin build/release/bin --model runs/flickr8k/best.safetensors --image photo.jpg

The PyTorch process imports torch and torchvision, builds the model's encoder, loads its weights from the same file and
runs it on the photograph once; it neither loads a decoder nor searches for words, so its time is a lower bound of what a
captioner in PyTorch takes. Both run alternately, after one run of each that is not counted; medians are told.

Needs torch, torchvision, safetensors and Pillow in the Python that runs it, or in --python.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from side_by_side import processor

ENCODE = """
import json, sys
import numpy, torch, torchvision
from PIL import Image
from safetensors import safe_open
path, photograph = sys.argv[1:]
with safe_open(path, "pt") as file:
    config = json.loads(file.metadata()["config"])["encoder"]
    weights = {k[8:]: file.get_tensor(k) for k in file.keys() if k.startswith("encoder.")}
network = getattr(torchvision.models, config["name"])(weights=None).eval()
network.load_state_dict(weights, strict=False)
trunk = getattr(network, "features", network)
size = config["image_size"]
pixels = numpy.array(Image.open(photograph).convert("RGB").resize((size, size)))
with torch.inference_mode():
    trunk(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
"""


def seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, required=True, help="folder of Glimpse's programs")
    parser.add_argument("--model", required=True, help="a model of train_flickr, with one of torchvision's encoders")
    parser.add_argument("--image", required=True)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each that count (default 5)")
    parser.add_argument("--python", default=sys.executable, help="the Python that has torch")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    ours = [options.bin / "caption", "--model", options.model, options.image]
    theirs = [options.python, "-c", ENCODE, options.model, options.image]
    times = [(seconds(ours), seconds(theirs)) for _ in range(options.rounds + 1)][1:]
    glimpse, torch = (statistics.median(side) for side in zip(*times))
    print(json.dumps({"what": "cold start, one photograph", "machine": processor(),
                      "glimpse_caption_s": round(glimpse, 3),
                      "torch_encoding_alone_s": round(torch, 3), "ratio": round(torch / glimpse, 1)}))


if __name__ == "__main__":
    main()
