"""Generated answers: with choices and without, through the checks, the findings and the command."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from synthetic import LONG, SHORT, Chain, File, Sample, base

from cola_analysis.check import check_run
from cola_analysis.cli import main
from cola_analysis.findings import compare, find
from cola_analysis.outcomes import collect
from cola_analysis.read import Run, RunError
from cola_analysis.statistics import Share

NUMBER: dict[str, str | None] = {"score": "generate", "grader": "number"}
LETTER: dict[str, str | None] = {"score": "generate", "grader": "letter"}
CONTROL: dict[str, str | None] = {"control": "wrong-answer"}
N = 20


def rows(control: bool) -> list[Sample]:
    """Gold is each sample's own row, a control's target the next one.

    The first 8 are right at the base, and stay so on a shorter chain; of the 12 others the run corrects 6,
    and the control reaches 3 of the 20. One other base of the run cannot be read.
    """
    made = []
    for i in range(N):
        target = (i + 1) % N if control else i
        right = i < 8
        first = -1 if i == 19 else -2 if control or not right else i
        second = target if (control and i in (1, 9, 10)) or (not control and (right or i < 14)) else -2
        chains = [base(first, tokens=(i, 7)), Chain(SHORT if right else LONG, second, answer=b"5")]
        made.append(Sample(chains, gold=i, target=target))
    return made


def checked(path: Path) -> None:
    with Run.open(path) as run:
        check_run(run)


def put(path: Path, name: str, row: int, value: float) -> None:
    with h5py.File(path, "r+") as file:
        file[name][row] = value


def test_answers_without_choices_pass_as_run_and_control(tmp_path: Path) -> None:
    path = File(rows(False), NUMBER).write(tmp_path / "run.h5")
    checked(path)
    checked(File(rows(True), NUMBER | CONTROL).write(tmp_path / "control.h5"))
    with Run.open(path) as run:
        assert run.generated and run.by_row
        assert run.target_text(3) == "answer 3"
        assert run.tokens[2 * 4].tolist() == [4, 7]


def test_answers_with_choices_pass_and_are_no_rows(tmp_path: Path) -> None:
    samples = [Sample([base(2), Chain(SHORT, -1), Chain(LONG, None)], gold=2) for _ in range(3)]
    path = File(samples, LETTER).write(tmp_path / "run.h5")
    checked(path)
    with Run.open(path) as run:
        assert run.generated and not run.by_row
    put(path, "chains/prediction", 0, 3)  # reward says it was right
    with pytest.raises(RunError, match="chains row 0: reward 1, but prediction 3 and target 2"):
        checked(path)


@pytest.mark.parametrize(
    ("name", "row", "value", "words"),
    [
        ("samples/gold", 4, 5, "target 4, gold 5"),
        ("samples/target", 4, 5, "target 5, gold 4"),
        ("chains/prediction", 1, -2, "reward 1, but prediction -2 and target 0"),
        ("chains/prediction", 1, 7, "prediction 7, expected its sample's target 0, -1 or -2"),
        ("chains/prediction", 1, -3, "prediction -3, expected its sample's target 0, -1 or -2"),
        ("chains/reward", 17, 1, "reward 1, but prediction -2"),
    ],
)
def test_what_contradicts_itself_is_noticed(
    tmp_path: Path, name: str, row: int, value: int, words: str
) -> None:
    samples = rows(False)
    samples[8] = Sample([base(-2), Chain(LONG, -2)], gold=8, target=8)
    path = File(samples, NUMBER).write(tmp_path / "run.h5")
    checked(path)
    put(path, name, row, value)
    with pytest.raises(RunError, match=words):
        checked(path)


def test_gold_of_another_row_is_noticed_in_a_control(tmp_path: Path) -> None:
    path = File(rows(True), NUMBER | CONTROL).write(tmp_path / "control.h5")
    put(path, "samples/gold", 4, 2)
    with pytest.raises(RunError, match=r"sample q4 .* gold 2, expected its own row 4"):
        checked(path)
    put(path, "samples/gold", 4, 5)
    with pytest.raises(RunError, match="expected another question's answer as target"):
        checked(path)


@pytest.mark.parametrize("grader", [None, "vibes"])
def test_unknown_grader_is_refused(tmp_path: Path, grader: str | None) -> None:
    path = File(rows(False), NUMBER | {"grader": grader}).write(tmp_path / "run.h5")
    with pytest.raises(RunError, match=r"attribute `grader` is .*, expected one of letter, boxed, number"):
        checked(path)


def test_shares_and_pairs_are_as_planted(tmp_path: Path) -> None:
    with Run.open(File(rows(False), NUMBER).write(tmp_path / "run.h5")) as run:
        ours = find(collect(run), "run")
    with Run.open(File(rows(True), NUMBER | CONTROL).write(tmp_path / "control.h5")) as run:
        theirs = find(collect(run), "control")
    assert (ours.base, ours.shorter, ours.corrected) == (Share(8, N), Share(8, 8), Share(6, 12))
    assert (theirs.base, theirs.corrected) == (Share(0, N), Share(3, N))
    paired = compare(ours, theirs).paired
    assert (paired.n, paired.run, paired.control) == (12, Share(6, 12), Share(2, 12))
    assert paired.both == 2


def test_report_speaks_of_other_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(File(rows(False), NUMBER).write(tmp_path / "run.h5"))
    control = str(File(rows(True), NUMBER | CONTROL).write(tmp_path / "control.h5"))
    figure = tmp_path / "figure.png"
    assert main([run, "--control", control, "--figure", str(figure)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert figure.stat().st_size > 10_000
    assert "looked for another question's answer drawn at random" in out
    assert "score generate, grader number" in out
    assert "the same search reached another question's answer, drawn at random, for 15.0 %" in out
    assert "the drawn one for 16.7 %" in out
    assert "What this control does not measure" in out and "upper bounds of correction" in out
    assert "wrong answer" not in out and "few choices" not in out
    assert main([run]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "with many chains, chance alone reaches some answers" in out
    assert "does not measure" not in out
    assert main([control]) == 1
    assert "is itself a control" in capsys.readouterr().err


def test_base_that_generated_something_else_does_not_belong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(File(rows(False), NUMBER).write(tmp_path / "run.h5"))
    samples = rows(True)
    samples[3] = Sample([base(-2, tokens=(3, 8)), *samples[3].chains[1:]], gold=3, target=4)
    control = str(File(samples, NUMBER | CONTROL).write(tmp_path / "control.h5"))
    assert main([run, "--control", control]) == 1
    assert (
        "base_tokens of sample q3 (tasks row 3): run has (3, 7), control has (3, 8)"
        in capsys.readouterr().err
    )
