#!/usr/bin/env python3
"""Writes jpeg.safetensors: small JPEG files and the pixels that libjpeg makes of them, which are those that PyTorch users
train on. Needs pillow, numpy, safetensors, and jpegtran (apt install libjpeg-turbo-progs).

  python3 make_jpeg_goldens.py
"""
import io
import os
import subprocess

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

WIDTH, HEIGHT = 37, 29  # no multiples of 8 or 16


def picture():
    """Smooth colours, a hard edge and some noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    noise = np.random.default_rng(1).normal(0, 12, (HEIGHT, WIDTH, 3))
    rgb = np.stack([128 + 120 * np.sin(x / 5), 128 + 120 * np.cos(y / 4), 255 * (x > y)], axis=2)
    return Image.fromarray(np.clip(rgb + noise, 0, 255).astype(np.uint8))


def main():
    variants = {
        'subsampled': dict(quality=90, subsampling='4:2:0'),
        'coarse': dict(quality=20, subsampling='4:2:0'),
        'full': dict(quality=75, subsampling='4:4:4'),
        'progressive': dict(quality=85, subsampling='4:2:0', progressive=True),
        'grey': dict(quality=85),
        'columns': dict(quality=85, subsampling='4:2:2'),
    }
    tensors = {}
    for name, options in variants.items():
        file = io.BytesIO()
        image = picture().convert('L') if name == 'grey' else picture()
        image.save(file, 'JPEG', **options)
        tensors[name + '.file'] = np.frombuffer(file.getvalue(), np.uint8)
        tensors[name + '.pixels'] = np.asarray(Image.open(file).convert('RGB'))
    # 4:4:0, with half the rows of chroma: a camera's 4:2:2 turned without loss.
    turned = subprocess.run(['jpegtran', '-transpose'], input=tensors['columns.file'].tobytes(), stdout=subprocess.PIPE,
                            check=True).stdout
    tensors['rows.file'] = np.frombuffer(turned, np.uint8)
    tensors['rows.pixels'] = np.asarray(Image.open(io.BytesIO(turned)).convert('RGB'))
    save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'jpeg.safetensors'))


if __name__ == '__main__':
    main()
