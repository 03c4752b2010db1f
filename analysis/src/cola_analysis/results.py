"""Several runs and their controls as one set: each file gone over once, each run beside the control that
fits.

    results = load(["both.h5", "skip.h5"], controls=["both-control.h5"])
    results[0].label, results[0].scan, results[0].control

Which control belongs to which run is decided by the attributes that decide labels: all must be equal but
`control`. Tables and figures (tables.py, layers.py, ..) are functions of such a list.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cola_analysis.error import RunError
from cola_analysis.findings import disagreements, mismatches_of
from cola_analysis.outcomes import Outcomes, outcomes_of
from cola_analysis.read import Run
from cola_analysis.scan import Scan, scan_run

SPACES = {"skip": "skip only", "repeat": "recurrence only", "both": "both"}
"""Search spaces of the paper's ablation, in the table's order."""


@dataclass(frozen=True)
class Label:
    """What a run is called in tables."""

    model: str
    task: str
    preset: str
    space: str

    @property
    def setting(self) -> str:
        """Model, task and preset in one line."""
        return f"{self.model}, {self.task}, {self.preset}"

    def __str__(self) -> str:
        return f"{self.setting}, {SPACES.get(self.space, self.space)}"


@dataclass(frozen=True)
class Result:
    """One run, gone over, and its control."""

    path: str
    label: Label
    identity: dict[str, str]
    provenance: dict[str, str]
    is_control: bool
    by_row: bool
    scan: Scan
    outcomes: Outcomes
    control: Result | None = None
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What tells this run's random numbers from another's: the intervals of one run never change."""
        return (self.label.model, self.label.task, self.label.preset, self.label.space)


def load_one(path: str | os.PathLike[str]) -> Result:
    """Opens, checks and counts one run."""
    with Run.open(path) as run:
        scan = scan_run(run)
        return Result(
            path=run.path,
            label=label_of(run),
            identity=run.identity,
            provenance=run.provenance,
            is_control=run.is_control,
            by_row=run.by_row,
            scan=scan,
            outcomes=outcomes_of(run, scan),
        )


def load(
    runs: Sequence[str | os.PathLike[str]],
    controls: Sequence[str | os.PathLike[str]] = (),
    force: bool = False,
) -> list[Result]:
    """All runs, each with its control if one fits; RunError where a control fits none, or two are alike.

    force: a control that fits none is put beside the nearest run, a control given as a run is taken as one;
    the result's warnings say so.
    """
    found = []
    for path in runs:
        result = load_one(path)
        if result.is_control:
            result = _control_alone(result, force)
        found.append(result)
    _check_distinct(found)
    for path in controls:
        _give(found, load_one(path), force)
    return _told_apart(found)


def label_of(run: Run) -> Label:
    """Names from the attributes: the model by its directory, where the file says which."""
    seen = run.attributes
    directory = str(seen.get("model_dir", "")).split("; ")[0].rstrip("/")
    return Label(
        model=os.path.basename(directory) or str(seen.get("model_fingerprint", "model"))[:13],
        task=str(seen.get("task", "task")),
        preset=str(seen.get("preset", "")),
        space=str(seen.get("space", "both")),
    )


def _control_alone(result: Result, force: bool) -> Result:
    """A control by itself would be read as a run that looks for right answers."""
    kind = result.identity.get("control", "control")
    if not force:
        raise RunError(
            f"{result.path} is itself a control (attribute `control`: {kind}); "
            f"give it beside its run: cola-findings RUN.h5 --control {result.path}"
        )
    drawn = "answer of another question" if result.by_row else "wrong answer"
    text = f"{result.path} is itself a control: read `right` below as `the drawn {drawn}`"
    return replace(result, warnings=(*result.warnings, text))


def _give(runs: list[Result], control: Result, force: bool) -> None:
    """Puts a control beside its run: the one that it agrees with, or is nearest to and refused."""
    reasons = [mismatches_of(_seen(run), _seen(control)) for run in runs]
    i = min(range(len(runs)), key=lambda i: (len(reasons[i]), runs[i].control is not None))
    run, why = runs[i], reasons[i] or disagreements(runs[i].outcomes, control.outcomes)
    if run.control and not why:
        raise RunError(f"{run.path} has two controls: {run.control.path} and {control.path}")
    shown = why[:10] + ([f"and {len(why) - 10} more"] if len(why) > 10 else [])
    if why and (not force or run.control):
        which = f" ({control.path}; nearest to {run.path})" if len(runs) > 1 else ""
        raise RunError(
            f"run and control do not belong together{which}:\n  "
            + "\n  ".join(shown)
            + "\nSearch both with the same options but --control; --force compares them nevertheless."
        )
    warnings = tuple(f"run and control do not belong together: {reason}" for reason in shown)
    runs[i] = replace(run, control=control, warnings=run.warnings + warnings)


def _seen(result: Result) -> tuple[str, bool, dict[str, str]]:
    return result.path, result.is_control, result.identity


def _check_distinct(runs: list[Result]) -> None:
    seen: dict[tuple[tuple[str, str], ...], str] = {}
    for run in runs:
        key = tuple(sorted(run.identity.items()))
        if key in seen:
            raise RunError(f"{seen[key]} and {run.path} are runs of the same search; give one of them")
        seen[key] = run.path


def _told_apart(runs: list[Result]) -> list[Result]:
    """Runs of equal labels (two seeds, two shards) get their file's name, so that no table adds them up."""
    labels = [run.label for run in runs]
    return [
        replace(run, label=replace(run.label, task=f"{run.label.task} ({os.path.basename(run.path)})"))
        if labels.count(run.label) > 1
        else run
        for run in runs
    ]
