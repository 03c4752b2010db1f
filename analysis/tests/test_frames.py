"""Samples and chains as data frames: what was written, whole and in blocks of every size."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from random_runs import pair
from synthetic import BASE, LONG, SHORT, Chain, File, Sample, base

from cola_analysis import Run
from cola_analysis.frames import ALL_COLUMNS

SAMPLES = [
    Sample([base(0), Chain(SHORT, 1), Chain(LONG, 0)]),
    Sample([], finished=False),
    Sample([base(2)], gold=1),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return File(SAMPLES).write(tmp_path / "run.h5")


def test_samples_are_one_row_each_with_their_texts(path: Path) -> None:
    with Run.open(path) as run:
        frame = run.samples
    assert frame["id"].tolist() == ["q0", "q1", "q2"]
    assert frame["gold"].tolist() == [0, 0, 1]
    assert frame["finished"].tolist() == [True, False, True]
    assert frame["n_chains"].tolist() == [3, 0, 1]
    assert frame["choices"].tolist() == [["a", "b", "c", "d"]] * 3
    assert frame["labels"][0] == ["A", "B", "C", "D"]
    assert frame["target_text"].tolist() == ["answer 0", "answer 0", "answer 1"]


def test_chains_are_one_row_each(path: Path) -> None:
    with Run.open(path) as run:
        frame = run.chains.frame(
            ["sample", "chain", "length", "reward", "text", "layers", "scores", "answer"]
        )
        assert len(run.chains) == 4
        assert run.chains[["sample", "reward"]].equals(frame[["sample", "reward"]])
    assert frame["sample"].tolist() == [0, 0, 0, 2]
    assert frame["chain"].tolist() == [0, 1, 2, 0]
    assert frame["length"].tolist() == [6, 5, 8, 6]
    assert frame["reward"].tolist() == [1, 0, 1, 0]
    assert frame["text"].tolist() == ["0-5", "0-3,5", "0-1,(2)x3,3-5", "0-5"]
    assert [tuple(row) for row in frame["layers"]] == [BASE, SHORT, LONG, BASE]
    assert frame["scores"][1].tolist() == [-2.0, -1.0, -1.0, -1.0]
    assert frame["answer"].tolist() == [""] * 4


def test_chains_of_some_samples_keep_their_row_numbers(path: Path) -> None:
    with Run.open(path) as run:
        assert run.chains.frame(["length"], samples=slice(2, 3)).to_dict("index") == {3: {"length": 6}}
        assert len(run.chains.frame(["length"], samples=slice(1, 2))) == 0


@pytest.mark.parametrize("block", [1, 2, 7, 50, 10_000])
def test_blocks_hold_whole_samples_and_together_everything(tmp_path: Path, block: int) -> None:
    columns = [name for name in ALL_COLUMNS if name not in ("layers", "scores", "tokens")]
    with Run.open(File(pair(1, 40)[0]).write(tmp_path / "run.h5")) as run:
        whole = run.chains.frame(columns)
        parts = list(run.iter_chains(columns, block))
    pd.testing.assert_frame_equal(pd.concat(parts), whole)
    for part in parts:
        assert len(part) <= block or part["sample"].nunique() == 1
    assert sum(part["sample"].nunique() for part in parts) == whole["sample"].nunique()


def test_an_unknown_column_is_named(path: Path) -> None:
    with Run.open(path) as run, pytest.raises(KeyError, match="no column 'size'; there are sample, chain"):
        run.chains["size"]


def test_columns_of_a_later_minor_version_may_be_missing(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array([1, 0], dtype=np.int32)
        for name in ("texts/target", "scores/answer"):
            del file[f"{name}_values"], file[f"{name}_offsets"]
    with Run.open(path) as run:
        assert run.samples["target_text"].tolist() == [""] * 3
        assert run.chains["answer"].tolist() == [""] * 4


def test_identity_and_provenance_are_told_apart(path: Path) -> None:
    with Run.open(path) as run:
        assert run.identity["preset"] == "cola" and run.identity["n_simulations"] == "200"
        assert run.provenance["git_hash"] == "unknown" and "preset" not in run.provenance
