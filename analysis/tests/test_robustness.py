"""Found chains looked up where the question is asked differently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, CrossFile, File, Sample, base

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


TABLE = (BASE, SHORT, SHORTER, LONG)


def asked_twice() -> tuple[File, CrossFile]:
    """The same answers as a run and as a table of `cola cross`; the gold choice is "a", the drawn one "b"."""
    ids = [f"q{i}#r{r}" for i in range(5) for r in (1, 2)]
    orders = ["bacd", "cbad"] * 5
    rng = np.random.default_rng(8)
    gold = [order.index("a") for order in orders]
    guesses = rng.integers(0, 4, (10, 4))
    predictions = np.where(rng.random((10, 4)) < 0.6, np.array(gold)[:, None], guesses).tolist()
    samples = [
        Sample([base(row[0]), *(Chain(c, p) for c, p in zip(TABLE[1:], row[1:], strict=True))], gold=g)
        for row, g in zip(predictions, gold, strict=True)
    ]
    table = CrossFile(TABLE, predictions, gold, ids, orders)
    return File(samples, {"tasks_fingerprint": "other"}, ids, orders), table


def test_a_table_of_cola_cross_says_what_a_run_says(tmp_path: Path, result: Result) -> None:
    run, table = asked_twice()
    expected = robustness(result, run.write(tmp_path / "asked.h5"))
    table.write(tmp_path / "x.h5")
    found = robustness(result, tmp_path / "x.h5")
    assert found["asked"].unique().tolist() == ["x.h5"]
    pd.testing.assert_frame_equal(found.drop(columns="asked"), expected.drop(columns="asked"))
    assert (expected["control_n"] > 0).any() and expected["hits"].sum() > 0


def test_what_a_table_has_not_evaluated_is_not_counted(tmp_path: Path, result: Result) -> None:
    _, table = asked_twice()
    whole = rows(robustness(result, table.write(tmp_path / "x.h5")))
    table.absent = [(0, 1), (1, 1)]  # SHORT, found for q0, which was asked twice
    part = rows(robustness(result, table.write(tmp_path / "part.h5")))
    assert part["shorter", "found chain"][1] == whole["shorter", "found chain"][1] - 1
    assert part["shorter", "base chain"] == whole["shorter", "base chain"]


def test_without_texts_of_choices_there_is_no_control(tmp_path: Path, result: Result) -> None:
    _, table = asked_twice()
    table.choices = None
    frame = robustness(result, table.write(tmp_path / "x.h5"))
    assert (frame["control_n"] == 0).all() and (frame["n"] > 0).all()


def test_files_that_say_nothing_are_refused(tmp_path: Path, result: Result) -> None:
    others = File(FOUND, ids=[f"x{i}" for i in range(5)]).write(tmp_path / "others.h5")
    with pytest.raises(RunError, match="has none of the samples"):
        robustness(result, others)
    model = File(FOUND, {"model_fingerprint": "another"}).write(tmp_path / "model.h5")
    with pytest.raises(RunError, match="another model"):
        robustness(result, model)
    metric = CrossFile(TABLE, [[0] * 4] * 5, changed={"metric": "acc_norm"}).write(tmp_path / "metric.h5")
    with pytest.raises(RunError, match="metric is acc_norm"):
        robustness(result, metric)
    chains = [Sample([], finished=False)] * 5
    with pytest.raises(RunError, match="holds none of the chains"):
        robustness(result, File(chains).write(tmp_path / "chains.h5"))
