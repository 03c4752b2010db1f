"""The demo's choice of a sample to show."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from cola_jobs.example_sample import choose


def write_run(path: Path, rewards: list[list[int]], lengths: list[list[int]]) -> str:
    """The columns of run.h5 that choose reads; sample i has the id s<i>."""
    with h5py.File(path, "w") as run:
        run["samples/id_values"] = np.frombuffer(b"".join(b"s%d" % i for i in range(len(rewards))), np.uint8)
        run["samples/id_offsets"] = 2 * np.arange(len(rewards) + 1, dtype=np.uint64)
        run["samples/chain_offsets"] = np.cumsum([0, *map(len, rewards)]).astype(np.uint64)
        run["chains/reward"] = np.array([r for row in rewards for r in row], dtype=np.float32)
        run["chains/layer_offsets"] = np.cumsum([0, *(n for row in lengths for n in row)]).astype(np.uint64)
    return str(path)


@pytest.mark.parametrize(
    ("rewards", "lengths", "expected"),
    [
        ([[1, 1], [0, 1], [0, 0]], [[30, 20], [30, 34], [30, 29]], "s1"),
        ([[1, 1], [0, 1, 0], [0, 1, 1]], [[30, 20], [30, 20, 34], [30, 34, 34]], "s2"),
        ([[1, 0], [1, 1], [0, 0]], [[30, 20], [30, 28], [30, 20]], "s1"),
        ([[0, 0], [1, 0], [1]], [[30, 20], [30, 20], [30]], "s1"),
        ([[0, 0], [], [0]], [[30, 20], [], [30]], "s0"),
    ],
)
def test_a_corrected_sample_is_chosen_before_a_shortened_one(
    tmp_path: Path, rewards: list[list[int]], lengths: list[list[int]], expected: str
) -> None:
    assert choose(write_run(tmp_path / "run.h5", rewards, lengths)) == expected
