"""Run.open: what it accepts, what it refuses and by which words."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import BASE, LONG, SHORT, Chain, File, Sample, base

from cola_analysis.read import Run, RunError

SAMPLES = [
    Sample([base(0), Chain(SHORT, 1), Chain(LONG, 0, depth=2)]),
    Sample([], finished=False),
    Sample([base(2)], gold=1),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return File(SAMPLES).write(tmp_path / "run.h5")


def edit(path: Path, name: str, value: object) -> None:
    """Replaces a data set."""
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


def test_columns_and_ragged_rows_are_what_was_written(path: Path) -> None:
    with Run.open(path) as run:
        assert run.attribute("preset") == "cola"
        assert not run.is_control
        assert run.samples["gold"].tolist() == [0, 0, 1]
        assert [run.chain_rows(i) for i in range(3)] == [(0, 3), (3, 3), (3, 4)]
        assert tuple(run.layers_of(1)) == SHORT
        assert tuple(run.layers_of(3)) == BASE
        assert run.chain_depth.tolist() == [6, 5, 8, 6]
        assert run.chains["prediction"].tolist() == [0, 1, 0, 2]
        assert run.scores[1].tolist() == [-2.0, -1.0, -1.0, -1.0]
        assert run.sample_name(2) == "q2 (tasks row 2)"
        assert "n_simulations" in run.keys("grows")


def test_columns_are_read_only_when_asked_for(path: Path) -> None:
    edit(path, "chains/reward", None)
    with Run.open(path) as run:
        assert len(run.chains["prediction"]) == 4
        with pytest.raises(RunError, match="data set chains/reward is missing"):
            run.chains["reward"]


def test_columns_stay_usable_after_closing(path: Path) -> None:
    with Run.open(path) as run:
        gold = run.samples["gold"]
    assert gold.tolist() == run.samples["gold"].tolist() == [0, 0, 1]


def test_fixed_length_strings_are_read_as_text(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["filetype"] = np.bytes_("cola-run")
        file.attrs["control"] = np.bytes_("wrong-answer")
    with Run.open(path) as run:
        assert run.control == "wrong-answer"


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none\.h5: no such file"):
        Run.open(tmp_path / "none.h5")


def test_another_format_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.h5"
    text.write_text("not HDF5")
    with pytest.raises(RunError, match="not a readable HDF5 file"):
        Run.open(text)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_file_cut_short_is_refused(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(RunError, match="cut short"):
        Run.open(path)


def test_another_filetype_is_refused_by_name(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["filetype"] = "cola-tasks"
    with pytest.raises(RunError, match="filetype 'cola-tasks', expected 'cola-run'"):
        Run.open(path)
    with h5py.File(path, "r+") as file:
        del file.attrs["filetype"]
    with pytest.raises(RunError, match="no attribute `filetype`"):
        Run.open(path)


def test_another_major_version_is_refused_and_a_minor_one_accepted(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array([1, 7], dtype=np.int32)
    Run.open(path).close()
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array([2, 0], dtype=np.int32)
    with pytest.raises(RunError, match=r"format version 2\.0, this program reads version 1\.x"):
        Run.open(path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("samples/index", None, "samples/index is missing"),
        ("samples/chain_offsets", np.array([0, 3, 2, 4]), "samples/chain_offsets does not ascend"),
        ("samples/chain_offsets", np.array([1, 3, 3, 4]), "samples/chain_offsets does not ascend from 0"),
        ("samples/chain_offsets", np.array([0, 3, 4]), "3 entries, expected 4"),
        ("chains/layer_offsets", np.array([0, 6, 11]), "3 entries, expected 5"),
        ("samples/index", np.zeros((3, 1)), "not a one-dimensional data set"),
    ],
)
def test_malformed_tables_are_refused_by_name(path: Path, name: str, value: object, words: str) -> None:
    edit(path, name, value)
    with pytest.raises(RunError, match=words):
        Run.open(path)


def test_columns_of_another_length_are_refused(path: Path) -> None:
    edit(path, "samples/gold", np.array([0, 1], dtype=np.int32))
    edit(path, "chains/layer_values", np.array([0, 1], dtype=np.uint16))
    with Run.open(path) as run:
        with pytest.raises(RunError, match="samples/gold has 2 rows, expected 3"):
            run.samples["gold"]
        with pytest.raises(RunError, match="chains/layer_values has 2 entries, its offsets end at 25"):
            run.layers_of(0)


def test_missing_attribute_is_named(tmp_path: Path) -> None:
    path = File(SAMPLES, {"score": None}).write(tmp_path / "run.h5")
    with Run.open(path) as run, pytest.raises(RunError, match="root attribute `score` is missing"):
        run.attribute("score")
