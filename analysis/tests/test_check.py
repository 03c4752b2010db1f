"""Files that contradict themselves are noticed: each test plants one error in a good file."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from synthetic import LONG, SHORT, Chain, File, Sample, base

from cola_analysis.check import check_run
from cola_analysis.read import Run, RunError

CONTROL = {"control": "wrong-answer"}


def samples(target: int | None) -> list[Sample]:
    return [
        Sample([base(0), Chain(SHORT, 1), Chain(LONG, None)], gold=0, target=target),
        Sample([base(3), Chain(SHORT, 0)], gold=0, target=target),
        Sample([base(1)], gold=-1, target=-1),
    ]


def checked(path: Path) -> None:
    with Run.open(path) as run:
        check_run(run)


def swap(path: Path, one: str, two: str) -> None:
    with h5py.File(path, "r+") as file:
        file[one][:], file[two][:] = file[two][:], file[one][:]


def put(path: Path, name: str, row: int, value: float) -> None:
    with h5py.File(path, "r+") as file:
        file[name][row] = value


def test_good_files_pass(tmp_path: Path) -> None:
    checked(File(samples(None)).write(tmp_path / "run.h5"))
    checked(File(samples(2), CONTROL).write(tmp_path / "control.h5"))
    checked(File([]).write(tmp_path / "empty.h5"))


def test_target_and_gold_swapped_in_a_control_is_noticed(tmp_path: Path) -> None:
    path = File(samples(2), CONTROL).write(tmp_path / "control.h5")
    swap(path, "samples/gold", "samples/target")
    # Rewards were given for the old target.
    with pytest.raises(RunError, match=r"chains row \d: reward"):
        checked(path)


def test_gold_as_target_of_a_control_is_noticed(tmp_path: Path) -> None:
    path = File(samples(None), CONTROL).write(tmp_path / "control.h5")
    with pytest.raises(RunError, match=r"sample q0 \(tasks row 0\): target 0, gold 0, but .*'wrong-answer'"):
        checked(path)


def test_wrong_answer_as_target_of_a_run_is_noticed(tmp_path: Path) -> None:
    path = File(samples(2)).write(tmp_path / "run.h5")
    with pytest.raises(RunError, match=r"target 2, gold 0, but .*`control` is 'none'.*expected the gold"):
        checked(path)


def test_reward_that_does_not_follow_from_prediction_is_noticed(tmp_path: Path) -> None:
    path = File(samples(None)).write(tmp_path / "run.h5")
    put(path, "chains/reward", 1, 1.0)
    with pytest.raises(RunError, match="chains row 1: reward 1, but prediction 1 and target 0"):
        checked(path)


def test_prediction_that_does_not_follow_from_scores_is_noticed(tmp_path: Path) -> None:
    path = File(samples(None)).write(tmp_path / "run.h5")
    put(path, "chains/prediction", 1, 2)  # scores -2, -1, -1, -1: the lower of equals is 1
    with pytest.raises(RunError, match=r"chains row 1: prediction 2, but its scores .* give 1"):
        checked(path)


def test_prediction_for_unscored_chain_is_noticed(tmp_path: Path) -> None:
    path = File(samples(None)).write(tmp_path / "run.h5")
    put(path, "chains/prediction", 2, 3)
    with pytest.raises(RunError, match=r"chains row 2: prediction 3, .* give -1"):
        checked(path)


def test_other_metrics_are_not_recomputed_from_sums(tmp_path: Path) -> None:
    path = File(samples(None), {"metric": "acc_norm"}).write(tmp_path / "run.h5")
    put(path, "chains/prediction", 1, 2)
    checked(path)


def test_first_chain_that_is_not_the_base_is_noticed(tmp_path: Path) -> None:
    path = File([Sample([Chain(SHORT, 0), base(0)])]).write(tmp_path / "run.h5")
    with pytest.raises(RunError, match=r"chains row 0, the first of sample q0 .* is not the base chain"):
        checked(path)


def test_finished_sample_without_chains_is_noticed(tmp_path: Path) -> None:
    path = File([Sample([])]).write(tmp_path / "run.h5")
    with pytest.raises(RunError, match=r"sample q0 \(tasks row 0\) is finished but has no chains"):
        checked(path)
