"""The check in a file's first block: right, damaged, changed through HDF5, absent."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import xxhash
from synthetic import File, Sample, base

from cola_analysis.decode import Tasks
from cola_analysis.file_check import damage
from cola_analysis.read import Run, RunError


def seal(path: Path) -> None:
    """Puts the block before a file that has none."""
    rest = path.read_bytes()
    text = f"cola-check 1\nxxh3 {xxhash.xxh3_128(rest).hexdigest()}\nbytes {len(rest)}\n"
    path.write_bytes(text.encode().ljust(512, b"\0") + rest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = File([Sample([base(0)])]).write(tmp_path / "run.h5")
    seal(path)
    return path


def test_a_file_with_a_right_block_opens(path: Path) -> None:
    assert damage(str(path)) is None
    with Run.open(path) as run:
        assert len(run.chains) == 1


def test_a_file_without_a_block_opens_unchecked(path: Path) -> None:
    path.write_bytes(path.read_bytes()[512:])
    Run.open(path).close()


def test_every_wrong_byte_of_the_block_and_behind_it_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for at in [*range(512), *range(512, len(data), 101)]:
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(RunError, match=r"run\.h5: "):
            Run.open(path)
        with pytest.raises(RunError, match=r"run\.h5: "):
            Tasks.open(str(path))


@pytest.mark.parametrize("length", [0, 1, 100, 512, 513, 3000, -1])
def test_a_file_cut_short_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RunError, match=r"run\.h5: (damaged, changed or cut short|not a readable HDF5 file)"):
        Run.open(path)


def test_a_file_changed_through_hdf5_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["preset"] = "random"
    with pytest.raises(RunError, match="do not match the check in its first block"):
        Run.open(path)
