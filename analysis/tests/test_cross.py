"""Cross: tables with known content, written by docs/format-cross.md and by nothing of the package under test.

The menu against that of a run with the same content, and against a greedy choice that is spelled out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import Chain, CrossFile, File, Sample, base

from cola_analysis import menu
from cola_analysis.cross import Cross
from cola_analysis.error import RunError
from cola_analysis.read import Run

CHAINS = ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 5), (0, 1, 2, 2, 3, 5), (0, 1, 5))


def write(
    path: Path, right: np.ndarray, chains: Sequence[tuple[int, ...]], gold: Sequence[int] | None = None
) -> Path:
    return CrossFile(chains, np.where(right, 0, 1).tolist(), gold).write(path)


def random_table(seed: int, n: int, c: int) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    rng = np.random.default_rng(seed)
    chains = {tuple(sorted(rng.integers(0, 30, rng.integers(3, 9)).tolist())) for _ in range(3 * c)}
    right = rng.random((n, c)) < rng.random(c) * 0.4
    return right, sorted(chains, key=hash)[:c]


def test_tables_and_chains_are_what_was_written(tmp_path: Path) -> None:
    right, chains = random_table(1, 21, 13)
    with Cross.open(write(tmp_path / "x.h5", right, chains)) as cross:
        assert [tuple(chain.tolist()) for chain in cross.layers] == sorted(chains)
        assert cross.sample_ids[20] == "q20" and cross.complete
        order = sorted(range(13), key=lambda i: chains[i])
        for rows in (None, 1, 8, 20):
            pieces = list(cross.blocks("right", rows))
            assert np.array_equal(np.concatenate([block for _, block in pieces]), right[:, order])
        assert cross.n_right.tolist() == right[:, order].sum(axis=0).tolist()
        assert cross.chains["length"].tolist() == [len(c) for c in sorted(chains)]
        with pytest.raises(RunError, match="details"):
            next(cross.blocks("scores"))


@pytest.mark.parametrize("seed", range(5))
def test_greedy_is_the_greedy_choice(tmp_path: Path, seed: int) -> None:
    right, chains = random_table(seed, 50, 30)
    with Cross.open(write(tmp_path / "x.h5", right, chains)) as cross:
        table = np.concatenate([block for _, block in cross.blocks("right")]).astype(bool)
        ranking = cross.ranking().tolist()
        left, total = np.ones(50, dtype=bool), 0
        for chain, covered in cross.greedy(100):
            gains = {c: int((table[:, c] & left).sum()) for c in ranking}
            best = max(gains.values())
            assert chain == next(c for c in ranking if gains[c] == best)
            left &= ~table[:, chain]
            total += best
            assert covered == total
        assert not (table & left[:, None]).any()  # it ends when nothing can be added


def test_most_right_is_the_menu_of_a_run_with_the_same_content(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    right = rng.random((40, 4)) < (0.5, 0.4, 0.4, 0.1)
    predictions = np.where(right, 0, 1).tolist()
    samples = [
        Sample([base(row[0]), *(Chain(c, p) for c, p in zip(CHAINS[1:], row[1:], strict=True))])
        for row in predictions
    ]
    with (
        Run.open(File(samples).write(tmp_path / "run.h5")) as run,
        Cross.open(write(tmp_path / "x.h5", right, CHAINS)) as cross,
    ):
        of_run, of_table = menu.coverage(run), cross.coverage()
    columns = ["k", "hits", "n", "low", "high"]
    for ours, theirs in (("most right", "same samples"), ("other samples", "other samples")):
        a = of_table[of_table["how"] == ours][columns].reset_index(drop=True)
        b = of_run[of_run["how"] == theirs][columns].reset_index(drop=True)
        assert a.equals(b.astype(a.dtypes.to_dict()))
    same = of_table[of_table["how"] == "most right"]["text"].tolist()
    assert same == of_run[of_run["how"] == "same samples"]["text"].tolist()


def test_samples_without_a_known_answer_are_not_counted(tmp_path: Path) -> None:
    right = np.array([[1, 0], [0, 1], [0, 0]], dtype=bool)
    with Cross.open(write(tmp_path / "x.h5", right, CHAINS[:2], gold=[0, 0, -1])) as cross:
        frame = cross.coverage()
        assert (frame["n"] == 2).all() and frame["hits"].max() == 2
    with (
        Cross.open(write(tmp_path / "y.h5", right & False, CHAINS[:2], gold=[-1] * 3)) as cross,
        pytest.raises(RunError, match="known answer"),
    ):
        cross.coverage()


def test_choices_are_told_since_version_1_1(tmp_path: Path) -> None:
    rows, choices = [[0, 1], [1, 0]], ["abcd", "dcba"]
    with Cross.open(CrossFile(CHAINS[:2], rows, choices=choices).write(tmp_path / "x.h5")) as cross:
        assert cross.choices == [["a", "b", "c", "d"], ["d", "c", "b", "a"]]
        assert cross.base == 0 and cross.identity["task"] == "arc_easy"
    with Cross.open(CrossFile(CHAINS[1:], [[0] * 3]).write(tmp_path / "y.h5")) as cross:
        assert cross.choices == [[]] and cross.base is None


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    run = File([Sample([base(0)])]).write(tmp_path / "run.h5")
    with pytest.raises(RunError, match="cola cross"):
        Cross.open(run)
    with pytest.raises(RunError, match="no such file"):
        Cross.open(tmp_path / "absent.h5")
    bad = write(tmp_path / "x.h5", np.zeros((3, 4), dtype=bool), CHAINS)
    with h5py.File(bad, "r+") as file:
        del file["results/right"]
        file["results/right"] = np.zeros((3, 3), dtype=np.uint8)
    with pytest.raises(RunError, match="expected 3 x 4"):
        Cross.open(bad)
