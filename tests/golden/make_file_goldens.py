"""Writes the small files that other programs make and Glimpse must read.

Needs: pip install numpy torch safetensors. Run from anywhere; writes beside itself.
"""
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

here = Path(__file__).parent


def reference_safetensors():
    save_file(
        {
            "f32": torch.tensor([[0.5, -1, 2], [3, 4, 1e30]]),
            "f64": torch.tensor([0.1], dtype=torch.float64),
            "f16": torch.tensor([1, -0.5, 65504], dtype=torch.float16),
            "bf16": torch.tensor([1, 0.0078125], dtype=torch.bfloat16),
            "i32": torch.tensor([-7, 2147483647], dtype=torch.int32),
            "i64": torch.tensor([-2147483648, 5]),
            "u8": torch.tensor([0, 255], dtype=torch.uint8),
            "i8": torch.tensor([-128, 127], dtype=torch.int8),
            "bool": torch.tensor([True, False, True]),
            "num_batches_tracked": torch.tensor(1000),
        },
        here / "reference.safetensors",
        metadata={"format": "pt"},
    )


def numpy_files():
    np.save(here / "f4.npy", np.array([[0.5, -1, 2], [3, 4, 1e30]], dtype="<f4"))
    np.save(here / "i8.npy", np.array([-(2**31), 2**31 - 1]))
    np.save(here / "fortran.npy", np.asfortranarray(np.ones((2, 3), dtype="<f4")))
    with open(here / "version2.npy", "wb") as file:
        np.lib.format.write_array(file, np.array([1.5], dtype="<f2"), version=(2, 0))


reference_safetensors()
(here / "reference.safetensors").chmod(0o644)
numpy_files()
