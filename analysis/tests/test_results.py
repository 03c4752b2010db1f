"""Several runs as one set: which control belongs to which run, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_runs import pair
from synthetic import File

from cola_analysis import tables
from cola_analysis.read import RunError
from cola_analysis.results import load

CONTROL = {"control": "wrong-answer"}
RUN, REACHED = pair(21, 30)


def write(root: Path, name: str, control: bool = False, **changed: str) -> Path:
    attributes: dict[str, str | None] = {**changed, **(CONTROL if control else {})}
    return File(REACHED if control else RUN, attributes).write(root / name)


def test_controls_go_to_the_runs_they_agree_with(tmp_path: Path) -> None:
    runs = [write(tmp_path, f"{s}.h5", space=s) for s in ("repeat", "both", "skip")]
    controls = [write(tmp_path, f"{s}-control.h5", control=True, space=s) for s in ("skip", "both")]
    results = load(runs, controls)
    assert [r.control and Path(r.control.path).name for r in results] == [
        None,
        "both-control.h5",
        "skip-control.h5",
    ]
    frame = tables.table1(results)
    assert frame["column"].tolist() == ["base", "skip only", "recurrence only", "both"]
    assert frame["control_n"].isna().tolist() == [False, False, True, False]


def test_a_control_of_none_of_the_runs_is_refused_with_the_nearest(tmp_path: Path) -> None:
    runs = [write(tmp_path, "a.h5"), write(tmp_path, "b.h5", seed="1", preset="polar")]
    other = write(tmp_path, "c.h5", control=True, seed="1", preset="drllm")
    with pytest.raises(RunError, match=r"c.h5; nearest to .*[ab].h5\):\n  .*: run has"):
        load(runs, [other])
    forced = load(runs, [other], force=True)
    assert sum(r.control is not None for r in forced) == 1
    assert any("do not belong together" in w for r in forced for w in r.warnings)


def test_two_controls_of_one_run_and_two_equal_runs_are_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path, "one.h5"), write(tmp_path, "two.h5")
    control, again = (write(tmp_path, f"{n}.h5", control=True) for n in ("control", "again"))
    with pytest.raises(RunError, match="has two controls: "):
        load([one], [control, again])
    with pytest.raises(RunError, match=r"one\.h5 and .*two\.h5 are runs of the same search"):
        load([one, two])


def test_runs_of_equal_names_are_told_apart_by_their_files(tmp_path: Path) -> None:
    runs = [write(tmp_path, "a.h5", model_dir="x/M/"), write(tmp_path, "b.h5", model_dir="x/M/", seed="1")]
    assert [str(r.label) for r in load(runs)] == [
        "M, arc_easy (a.h5), cola, both",
        "M, arc_easy (b.h5), cola, both",
    ]
    assert str(load(runs[:1])[0].label) == "M, arc_easy, cola, both"
