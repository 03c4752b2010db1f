"""Found chains looked up where the question is asked differently."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from synthetic import LONG, SHORT, SHORTER, Chain, File, Sample, base

from cola_analysis.read import RunError
from cola_analysis.results import Result, load
from cola_analysis.robustness import robustness

CONTROL = {"control": "wrong-answer"}
FOUND = [
    Sample([base(0), Chain(SHORT, 0)]),  # right, shortened
    Sample([base(0), Chain(SHORT, 2), Chain(SHORTER, 0)]),  # right, shortened
    Sample([base(2), Chain(LONG, 0)]),  # corrected
    Sample([base(2), Chain(SHORT, 0)]),  # corrected
    Sample([base(2), Chain(SHORT, 1)]),  # never
]
REACHED = [
    Sample([base(0), Chain(SHORT, 1)], target=1),
    Sample([base(0), Chain(LONG, 1)], target=1),
    Sample([base(2)], target=1),
    Sample([base(2)], target=1),
    Sample([base(2), Chain(SHORT, 1)], target=1),
]


@pytest.fixture
def result(tmp_path: Path) -> Result:
    run = File(FOUND).write(tmp_path / "run.h5")
    return load([run], [File(REACHED, CONTROL).write(tmp_path / "control.h5")])[0]


def rows(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(r.group[:7], r.what): (r.hits, r.n, r.n_found) for r in frame.itertuples()}


def test_a_chain_holds_if_it_is_right_in_every_asking(tmp_path: Path, result: Result) -> None:
    ids = ["q0#r1", "q0#r2", "q1#r1", "q1#r2", "q2#r1", "other"]
    orders = ["bacd", "cbad", "bacd", "cbad", "bacd", "abcd"]
    asked = [
        Sample([base(1), Chain(SHORT, 1), Chain(SHORTER, 3)], gold=1),
        Sample([base(2), Chain(SHORT, 2)], gold=2),
        Sample([base(0), Chain(SHORTER, 1)], gold=1),
        Sample([base(2), Chain(SHORTER, 3)], gold=2),  # fails once
        Sample([base(3), Chain(LONG, 1), Chain(SHORT, 2)], gold=1),
        Sample([base(0), Chain(SHORT, 0)]),
    ]
    path = File(asked, ids=ids, choices=orders).write(tmp_path / "asked.h5")
    found = rows(robustness(result, path))
    assert found["shorter", "found chain"] == (1, 2, 2)
    assert found["shorter", "base chain"] == (1, 2, 2)
    assert found["correct", "found chain"] == (1, 1, 2)  # q3 was not asked
    assert found["correct", "base chain"] == (0, 1, 2)


def test_the_control_has_to_give_its_drawn_choice_wherever_it_stands(tmp_path: Path, result: Result) -> None:
    # the drawn answer is choice 1, "b": it stands first, then last
    asked = [
        Sample([base(2), Chain(SHORT, 0)], gold=1),
        Sample([base(2), Chain(LONG, 0)], gold=0),
        Sample([base(2), Chain(SHORT, 3)], gold=0),
    ]
    path = File(asked, ids=["q0", "q1", "q4"], choices=["bacd", "acdb", "acdb"]).write(tmp_path / "asked.h5")
    frame = robustness(result, path)
    row = frame[(frame["group"] == "corrected (W->C)") & (frame["what"] == "found chain")].iloc[0]
    assert (row["control_hits"], row["control_n"]) == (2, 3)


def test_files_that_say_nothing_are_refused(tmp_path: Path, result: Result) -> None:
    others = File(FOUND, ids=[f"x{i}" for i in range(5)]).write(tmp_path / "others.h5")
    with pytest.raises(RunError, match="has none of the samples"):
        robustness(result, others)
    model = File(FOUND, {"model_fingerprint": "another"}).write(tmp_path / "model.h5")
    with pytest.raises(RunError, match="another model"):
        robustness(result, model)
    chains = [Sample([], finished=False)] * 5
    with pytest.raises(RunError, match="holds none of the chains"):
        robustness(result, File(chains).write(tmp_path / "chains.h5"))
