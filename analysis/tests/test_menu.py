"""Menus: candidates, coverage on the same and on other samples, and the control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import BASE, LONG, SHORT, SHORTER, Chain, CrossFile, File, Sample, base

from cola_analysis import menu, menu_cross
from cola_analysis.asked import is_cross
from cola_analysis.cli import main
from cola_analysis.cross import Cross
from cola_analysis.read import Run, RunError

CHAINS = (BASE, SHORT, SHORTER, LONG)
CONTROL = {"control": "wrong-answer"}


def sample(*predictions: int, gold: int = 0, target: int | None = None) -> Sample:
    """All four chains; what each predicts."""
    first, *others = predictions
    pairs = zip(CHAINS[1:], others, strict=True)
    return Sample([base(first), *(Chain(c, p) for c, p in pairs)], gold=gold, target=target)


# SHORT solves 5, SHORTER 4 (of which one that SHORT does not), the base 3, LONG 1 (nobody else)
ROWS = [
    (0, 0, 0, 2),
    (0, 0, 0, 2),
    (0, 0, 2, 2),
    (2, 0, 0, 1),
    (2, 0, 1, 1),
    (1, 2, 0, 1),
    (1, 1, 1, 0),
    (2, 2, 2, 2),
]


def opened(tmp_path: Path, rows: list[tuple[int, ...]], name: str = "run.h5", **changed: str) -> Run:
    target = 1 if changed.get("control") else None
    return Run.open(File([sample(*r, target=target) for r in rows], dict(changed)).write(tmp_path / name))


def test_candidates_are_those_that_solved_most(tmp_path: Path) -> None:
    made = [sample(*r) for r in ROWS]
    made[0] = Sample(made[0].chains[:2])  # the search of one sample visited fewer
    with Run.open(File(made).write(tmp_path / "run.h5")) as run:
        frame = menu.candidates(run, 3)
    assert frame["text"].tolist() == ["0-3,5", "0-1,5", "0-5"]
    assert frame["n_right"].tolist() == [5, 3, 3]  # of equals the shorter first
    assert frame["n_tried"].tolist() == [8, 7, 8]
    assert frame["length"].tolist() == [5, 3, 6]


def test_coverage_of_the_same_samples_ascends_with_the_ranking(tmp_path: Path) -> None:
    with opened(tmp_path, ROWS) as run:
        frame = menu.coverage(run)
    same = frame[frame["how"] == "same samples"]
    assert same["text"].tolist() == ["0-3,5", "0-1,5", "0-5", "0-1,(2)x3,3-5"]
    assert same["hits"].tolist() == [5, 6, 6, 7]
    assert (same["n"] == 8).all() and (same["base_share"] == 3 / 8).all()
    assert same["control_share"].isna().all()


def test_coverage_of_other_samples_is_chosen_on_the_other_half(tmp_path: Path) -> None:
    with opened(tmp_path, ROWS) as run:
        frame = menu.coverage(run)
    halves = menu.halves_of([f"q{i}" for i in range(8)])
    assert 0 < halves.sum() < 8
    solved = np.array(ROWS) == 0
    lengths = [len(c) for c in CHAINS]
    expected = np.zeros(4, dtype=int)
    for half in (halves, ~halves):
        merit = solved[~half].sum(axis=0)
        order = sorted(range(4), key=lambda i: (-merit[i], lengths[i], i))
        for k in range(4):
            expected[k] += solved[half][:, order[: k + 1]].any(axis=1).sum()
    other = frame[frame["how"] == "other samples"]
    assert other["hits"].tolist() == expected.tolist()


def test_the_control_asks_for_its_drawn_answers_on_the_same_chains(tmp_path: Path) -> None:
    with opened(tmp_path, ROWS) as run, opened(tmp_path, ROWS[:7], "control.h5", **CONTROL) as control:
        frame = menu.coverage(run, control)
    same = frame[frame["how"] == "same samples"]
    # answer 1: LONG for 3 samples; SHORTER for 2, one of them new; then the base and SHORT, none new
    assert same["control_hits"].tolist() == [3, 4, 4, 4]
    assert (same["control_n"] == 7).all()


def test_chains_that_some_sample_lacks_are_left_out(tmp_path: Path) -> None:
    made = [sample(*r) for r in ROWS]
    made[3] = Sample(made[3].chains[:1])
    with Run.open(File(made).write(tmp_path / "run.h5")) as run:
        assert set(menu.coverage(run)["text"]) == {"0-5"}
    made[3] = Sample([base(0)], finished=False)
    with Run.open(File(made).write(tmp_path / "run.h5")) as run:
        assert len(menu.coverage(run, k=2)) == 4


def test_a_table_of_cola_cross_covers_as_a_run_with_the_same_predictions(tmp_path: Path) -> None:
    path = CrossFile(CHAINS, ROWS).write(tmp_path / "x.h5")
    assert is_cross(path)
    with opened(tmp_path, ROWS) as run, opened(tmp_path, ROWS[:7], "control.h5", **CONTROL) as control:
        assert not is_cross(run.path)
        expected = menu.coverage(run, control)
        with Cross.open(path) as cross:
            found = menu_cross.coverage(cross, control)
    same = found["how"] == "same samples"
    for name in ("text", "hits", "n", "control_hits", "control_n", "base_share"):
        assert found.loc[same, name].tolist() == expected.loc[same, name].tolist(), name
    # which chain of equal merit is taken differs: the file's order is another
    assert found.loc[~same, "n"].tolist() == expected.loc[~same, "n"].tolist()


def test_the_command_takes_tables_and_says_what_a_menu_covers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(tmp_path, ROWS) as run:
        path = run.path
    whole = CrossFile(CHAINS, ROWS)
    assert main([path, "--cross", str(whole.write(tmp_path / "x.h5"))]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "arc_easy, cross: a menu of 4, chosen on other samples" in said and "base alone 37.5 %" in said
    without = CrossFile(CHAINS[1:], [row[1:] for row in ROWS]).write(tmp_path / "y.h5")
    assert main([path, "--cross", str(without)]) == 0
    assert "base alone" not in capsys.readouterr().out
    whole.absent = [(3, 2)]
    assert main([path, "--cross", str(whole.write(tmp_path / "part.h5"))]) == 1
    assert "part.h5: not complete" in capsys.readouterr().err
    other = CrossFile(CHAINS, ROWS, changed={"model_fingerprint": "another"}).write(tmp_path / "other.h5")
    assert main([path, "--cross", str(other)]) == 1
    assert "of another model than the runs" in capsys.readouterr().err


def test_a_file_without_counted_samples_is_refused(tmp_path: Path) -> None:
    path = File([Sample([base(0)], finished=False)]).write(tmp_path / "run.h5")
    with Run.open(path) as run, pytest.raises(RunError, match="so no menu"):
        menu.coverage(run)
