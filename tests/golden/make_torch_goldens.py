"""Writes small files of torch.save, right and wrong, into torch/.

Needs: pip install torch numpy. Run from anywhere; writes beside itself.
"""
import argparse
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy
import torch

folder = Path(__file__).parent / "torch"
folder.mkdir(exist_ok=True)

base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state = OrderedDict(
    {
        "features.weight": torch.nn.Parameter(base.clone()),
        "features.transposed": base.t(),  # strides (1,4)
        "features.column": base[:, 2],  # the same storage, offset 2, stride 4
        "features.row": base[1],  # contiguous, offset 4
        "channels_last": torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last),
        "f64": torch.tensor([0.1], dtype=torch.float64),
        "f16": torch.tensor([1, -0.5], dtype=torch.float16),
        "bf16": torch.tensor([1.5, -2], dtype=torch.bfloat16),
        "i32": torch.tensor([7], dtype=torch.int32),
        "i16": torch.tensor([-7], dtype=torch.int16),
        "i8": torch.tensor([-8], dtype=torch.int8),
        "u8": torch.tensor([255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "num_batches_tracked": torch.tensor(2048),
    }
)
state._metadata = OrderedDict({"": {"version": 1}})
checkpoint = {
    "epoch": 3,
    "lr": 0.5,
    "name": "net",
    "big": 2**40,
    "none": None,
    "flags": (True, False, -1, 300, 70000),
    "model": {"weight": torch.tensor([1.0, 2.0]), 7: torch.tensor([3.0])},
    "list": [torch.tensor([4.0]), {"deep": torch.tensor([5.0])}],
}


def store(path, entries, zip64=False, compression=zipfile.ZIP_STORED):
    """A zip archive written by hand, so that the fields of zip64 can be used where they are not needed."""
    if compression != zipfile.ZIP_STORED:
        with zipfile.ZipFile(path, "w", compression) as out:
            for name, data in entries:
                out.writestr(name, data)
        return
    body, directory = b"", b""
    for name, data in entries:
        name = name.encode()
        at = len(body)
        body += struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, len(data), len(data), len(name), 0) + name + data
        size = 0xFFFFFFFF if zip64 else len(data)
        place = 0xFFFFFFFF if zip64 else at
        extra = struct.pack("<HH3Q", 1, 24, len(data), len(data), at) if zip64 else b""
        # A field of another kind before the one of zip64.
        extra = struct.pack("<HH2s", 0x5050, 2, b"xx") + extra
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 0, 0, 0, 0, size, size, len(name), len(extra), 0, 0, 0, 0, place
        )
        directory += name + extra
    end = b""
    count, place = len(entries), len(body)
    if zip64:
        end += struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), place)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
        count, place = 0xFFFF, 0xFFFFFFFF
    end += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory) & 0xFFFFFFFF, place, 7) + b"comment"
    path.write_bytes(body + directory + end)


torch.save(state, folder / "state.pth")
torch.save(state, folder / "state_old.pth", _use_new_zipfile_serialization=False)
torch.save(checkpoint, folder / "checkpoint.pth")
torch.save(checkpoint, folder / "checkpoint_protocol4.pth", pickle_protocol=4)

with zipfile.ZipFile(folder / "checkpoint.pth") as source:
    entries = [(name, source.read(name)) for name in source.namelist()]
store(folder / "zip64.pth", entries, zip64=True)
store(folder / "compressed.pth", entries, compression=zipfile.ZIP_DEFLATED)
big_endian = [(name, b"big" if name.endswith("byteorder") else data) for name, data in entries]
store(folder / "big_endian.pth", big_endian)
store(folder / "other.zip", [("readme.txt", b"hello")])

torch.save({"c": torch.zeros(1, dtype=torch.complex64)}, folder / "complex.pth")
torch.save({"model": torch.nn.Identity()}, folder / "module.pth")
torch.save({"x": torch.zeros(1).expand(1000)}, folder / "repeated.pth")
torch.save({"x": torch.tensor([2**40])}, folder / "large_integer.pth")

# What training loops save: the weights of a wrapped network, and much beside them that is no tensor.
net = torch.nn.Linear(2, 1)
with torch.no_grad():
    net.weight.copy_(torch.tensor([[1.0, 2.0]]))
    net.bias.copy_(torch.tensor([3.0]))
optimizer = torch.optim.Adam(net.parameters())
net(torch.ones(1, 2)).sum().backward()
optimizer.step()
training = {
    "args": argparse.Namespace(lr=0.1, path=Path("runs")),
    "epoch": numpy.int64(3),
    "best": numpy.float64(0.5),
    "state_dict": {"module." + name: tensor for name, tensor in net.state_dict().items()},
    "optimizer": optimizer.state_dict(),
    "losses": [1.0] * 50,
    "seen": {1, 2},
    "device": torch.device("cpu"),
    "array": numpy.arange(3.0),
}
torch.save(training, folder / "training.pth")
torch.save(training, folder / "training_old.pth", _use_new_zipfile_serialization=False, pickle_protocol=5)
torch.save(torch.nn.Sequential(net), folder / "whole_module.pth")
