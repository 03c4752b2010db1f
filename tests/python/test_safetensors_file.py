"""The safetensors writer and its check: what was written reads back, planted errors do not pass."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cola_jobs import safetensors_file
from cola_jobs.progress import JobError

TENSORS = {
    "a.weight": np.arange(6, dtype=np.uint16).reshape(2, 3),
    "b.weight": np.array([0x3F80, 0x4000], dtype=np.uint16),
}


@pytest.fixture
def expected() -> dict[str, dict[str, Any]]:
    return {
        name: {"shape": list(bits.shape), "sha256": hashlib.sha256(bits.tobytes()).hexdigest()}
        for name, bits in TENSORS.items()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    safetensors_file.write(file, {n: list(b.shape) for n, b in TENSORS.items()}, lambda name: TENSORS[name])
    return file


def test_written_file_is_read_by_the_safetensors_package(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        assert list(file.keys()) == list(TENSORS)
        assert file.get_slice("a.weight").get_shape() == [2, 3]
        assert file.get_slice("b.weight").get_dtype() == "BF16"


def test_check_of_an_intact_file_counts_parameters(path: Path, expected: dict[str, Any]) -> None:
    assert safetensors_file.check(path, expected) == 8


def test_check_finds_one_flipped_bit(path: Path, expected: dict[str, Any]) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(JobError, match=r"b\.weight has sha256"):
        safetensors_file.check(path, expected)


def add_missing(expected: dict[str, Any]) -> None:
    expected["c.weight"] = {"shape": [1], "sha256": ""}


def remove_one(expected: dict[str, Any]) -> None:
    del expected["b.weight"]


def transpose_one(expected: dict[str, Any]) -> None:
    expected["a.weight"]["shape"] = [3, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_missing, r"1 tensors are missing, the first is c\.weight"),
        (remove_one, r"b\.weight is not expected"),
        (transpose_one, r"a\.weight has shape \[2, 3\], expected \[3, 2\]"),
    ],
)
def test_check_names_the_tensor_that_differs(
    path: Path, expected: dict[str, Any], change: Callable[[dict[str, Any]], None], message: str
) -> None:
    change(expected)
    with pytest.raises(JobError, match=message):
        safetensors_file.check(path, expected)


def test_header_longer_than_the_file_is_refused(path: Path) -> None:
    path.write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    with pytest.raises(JobError, match="does not fit the file"):
        list(safetensors_file.digests(path))


def test_tensors_start_at_a_multiple_of_eight_bytes(path: Path) -> None:
    n_header = int.from_bytes(path.read_bytes()[:8], "little")
    assert n_header % 8 == 0
    assert json.loads(path.read_bytes()[8 : 8 + n_header])["a.weight"]["data_offsets"] == [0, 12]


def test_bf16_rounds_to_nearest_and_ties_to_even() -> None:
    step = 2.0**-7  # between neighbours of 1.0 in bf16
    values = np.array([1 + 0.5 * step, 1 + 1.5 * step, 1 + 0.51 * step, -1 - 0.49 * step], dtype=np.float32)
    bits = safetensors_file.round_to_bf16(values, "x")
    assert [hex(b) for b in bits] == ["0x3f80", "0x3f82", "0x3f81", "0xbf80"]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_bf16_of_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(JobError, match="tensor x: holds a value that is not finite"):
        safetensors_file.round_to_bf16(np.array([1.0, value], dtype=np.float32), "x")
