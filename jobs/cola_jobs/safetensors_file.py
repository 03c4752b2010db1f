"""Writes and checks a safetensors file of bf16 tensors.

The format: a uint64 with the header's length, a JSON header with dtype, shape and byte range of every tensor,
then the bytes. NumPy has no bf16, so tensors travel as uint16 bit patterns. Tensors are written one by one:
the whole model is never in memory twice.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cola_jobs.progress import JobError

Bits = NDArray[np.uint16]


def round_to_bf16(values: NDArray[np.float32], name: str) -> Bits:
    """float32 to the nearest bf16, ties to even, as bit patterns. Refuses values that are not finite."""
    if not np.isfinite(values).all():
        raise JobError(f"tensor {name}: holds a value that is not finite")
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write(path: Path, shapes: Mapping[str, list[int]], load: Callable[[str], Bits]) -> None:
    """Writes the tensors named by shapes, in that order; load(name) gives each one's bits."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        n_bytes = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + n_bytes]}
        offset += n_bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors start at a multiple of 8 bytes
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name, shape in shapes.items():
            bits = load(name)
            if list(bits.shape) != shape:
                raise JobError(f"tensor {name}: has shape {list(bits.shape)}, expected {shape}")
            file.write(bits.astype("<u2", copy=False).tobytes())


def digests(path: Path) -> Iterable[tuple[str, list[int], str]]:
    """Name, shape and sha256 of every bf16 tensor of a file, read back from disk."""
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        if n_header > path.stat().st_size - 8:
            raise JobError(f"{path}: header of {n_header} bytes does not fit the file")
        header = json.loads(file.read(n_header))
        header.pop("__metadata__", None)
        for name, entry in header.items():
            if entry["dtype"] != "BF16":
                raise JobError(f"{path}: tensor {name} is {entry['dtype']}, expected BF16")
            first, last = entry["data_offsets"]
            file.seek(8 + n_header + first)
            yield name, entry["shape"], hashlib.sha256(file.read(last - first)).hexdigest()


def check(path: Path, expected: Mapping[str, Mapping[str, object]]) -> int:
    """Compares every tensor with expected {name: {shape, sha256}}; returns the number of parameters."""
    n_parameters = 0
    left = dict(expected)
    for name, shape, sha256 in digests(path):
        want = left.pop(name, None)
        if want is None:
            raise JobError(f"{path}: tensor {name} is not expected")
        if shape != want["shape"]:
            raise JobError(f"{path}: tensor {name} has shape {shape}, expected {want['shape']}")
        if sha256 != want["sha256"]:
            raise JobError(f"{path}: tensor {name} has sha256 {sha256}, expected {want['sha256']}")
        n_parameters += int(np.prod(shape))
    if left:
        raise JobError(f"{path}: {len(left)} tensors are missing, the first is {next(iter(left))}")
    return n_parameters
