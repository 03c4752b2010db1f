"""cola-regrade with graders of published code, and by another metric."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import LONG, SHORT, Chain, File, Sample, base
from test_regrade import HALF, LAST_IS_EIGHT, SEVEN, VOCABULARY, write_run, write_tasks

from cola_analysis.graders import first_letter, last_box, last_number
from cola_analysis.read import Run, RunError
from cola_analysis.regrade import main
from cola_analysis.regrade_scores import by_metric


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("\\boxed{0.5}", True),
        ("\\boxed{ 0.5 }, so \\boxed{0. 5}", True),
        ("\\boxed{0.5} \\boxed{8}", False),
        ("\\boxed{8} \\boxed{0.5}", True),
        ("0.5", False),
        ("\\boxed{\\frac12}", False),
    ],
)
def test_last_box_compares_text_and_the_last_alone(text: str, right: bool) -> None:
    assert last_box("0.5", text) is right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("B", True),
        ("The answer is B.", True),
        ("answer: (B) or C", True),
        ("I think B", False),  # I stands alone: crude, as the published rule is
        ("b", False),
        ("C, not B", False),
        ("", False),
    ],
)
def test_first_letter_takes_the_first_that_stands_alone(text: str, right: bool) -> None:
    assert first_letter("B", text) is right


def test_last_number_compares_values() -> None:
    assert last_number("so #### 1,234", "7 and then 1234.0")
    assert not last_number("1234", "1234 or 7")
    assert not last_number("7", "seven")


def test_a_chosen_grader_grades_stored_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chains = [base(0), Chain(SHORT, 0), Chain(LONG, -2)]
    run = write_run(tmp_path / "run.h5", [HALF, LAST_IS_EIGHT, SEVEN], [b"0.5"], [Sample(chains)])
    tasks = write_tasks(tmp_path / "tasks.h5", [b"q0"], VOCABULARY)
    assert main([run, "--tasks", tasks, "--grader", "last-box", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {
        "both right": 1,
        "only the search right": 1,
        "only last-box right": 0,
        "neither right": 1,
    }
    assert [d["chain"] for d in told["disagreements"]] == [1]
    assert main([run, "--tasks", tasks, "--grader", "first-letter"]) == 1
    assert "first-letter is for runs of letter" in capsys.readouterr().err
    assert main([run, "--tasks", tasks, "--grader", "acc_norm"]) == 1
    assert "have no scores to compare by acc_norm" in capsys.readouterr().err


def test_letters_are_graded_against_the_targets_letter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocabulary = [b"A", b"<stop>", b" B", b"C"]
    chains = [base(1), Chain(SHORT, 2)]
    run = write_run(
        tmp_path / "run.h5", [[2], [3]], [b"the text of B"], [Sample(chains, gold=1)], grader="letter"
    )
    tasks = write_tasks(tmp_path / "tasks.h5", [b"q0"], vocabulary)
    assert main([run, "--tasks", tasks, "--grader", "first-letter", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts["both right"] == 1 and counts["neither right"] == 1


SCORED = [
    Sample([base(0), Chain(SHORT, 1), Chain(LONG, None)]),
    Sample([base(2), Chain(SHORT, 3)], gold=3),
    Sample([base(1)], gold=0),
    Sample([base(0)], finished=False),
]


def test_acc_gives_what_the_search_found(tmp_path: Path) -> None:
    with Run.open(File(SCORED).write(tmp_path / "run.h5")) as run:
        found = by_metric(run, "acc")
    assert (found.n_chains, found.n_changed) == (6, 0)
    assert found.stored == found.regraded
    assert (found.stored["base_right"].hits, found.stored["base_right"].n) == (1, 3)
    assert (found.stored["corrected"].hits, found.stored["corrected"].n) == (1, 2)


def test_acc_norm_divides_by_the_bytes_of_each_choice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores are -1 from the prediction on, -2 before it: a first choice of 9 bytes always wins."""
    path = File(SCORED).write(tmp_path / "run.h5")
    with h5py.File(path, "r+") as file:
        file["candidates/n_bytes"][:] = np.tile([9, 1, 1, 1], len(SCORED))
    with Run.open(path) as run:
        found = by_metric(run, "acc_norm")
    assert (found.n_chains, found.n_changed) == (
        6,
        4,
    )  # not the base of the first, nor the chain without scores
    assert (found.regraded["base_right"].hits, found.regraded["corrected"].hits) == (2, 0)
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "chains graded: 6, other prediction: 4" in out and "66.7 % 2/3" in out


def test_acc_norm_is_for_loglik(tmp_path: Path) -> None:
    path = File(SCORED, {"score": "letter"}).write(tmp_path / "run.h5")
    with Run.open(path) as run, pytest.raises(RunError, match="only loglik"):
        by_metric(run, "acc_norm")
