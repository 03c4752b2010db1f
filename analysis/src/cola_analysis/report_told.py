"""What the report says of each run in words and numbers, and where its files come from.

    for told in [tell(result) for result in results]: told.warnings, told.paragraphs, told.numbers

The words are conclude.py's, the numbers table.py's: here they are only put in the page's order. Knows nothing
of HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cola_analysis.asked import open_asked
from cola_analysis.conclude import conclude, left_out
from cola_analysis.findings import Findings, compare, find
from cola_analysis.read import Run
from cola_analysis.report_embed import clean
from cola_analysis.results import Result
from cola_analysis.table import PAPER_CORRECTED, PAPER_SHORTER, rows

RANKS = "MPI ranks"
OF_FILE = ("content_digest", "complete", "version")
FIRST = (
    *("task", "score", "grader", "model_dir", "model_fingerprint", "n_model_layers", "numerics_id"),
    *("preset", "policy", "space", "n_simulations", "seed", "control", "samples", "metric"),
    *(
        "program_version",
        "git_hash",
        "backend",
        RANKS,
        "n_workers",
        "threads",
        "devices",
        "host",
        "transport",
    ),
    *("created", "run_id", "tasks_fingerprint", *OF_FILE),
)
"""Attributes that a reader looks for first; the others follow by name."""


@dataclass(frozen=True)
class Number:
    """A row of the numbers' table; a row without values heads a group."""

    label: str
    run: str
    control: str
    paper: str


@dataclass(frozen=True)
class Source:
    """A file that the report is made of."""

    path: str
    role: str


@dataclass(frozen=True)
class Attribute:
    """An attribute of the files, with one value each (`-` where a file has none)."""

    name: str
    values: list[str]

    @property
    def differs(self) -> bool:
        """Whether the files say different things."""
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class Told:
    """One run beside its control."""

    label: str
    sought: str
    has_control: bool
    warnings: list[str]
    paragraphs: list[str]
    numbers: list[Number]


def tell(result: Result) -> Told:
    """Words and numbers of a run; RunError if it has no finished sample."""
    control = result.control
    ours = find(result.outcomes, result.path)
    theirs = find(control.outcomes, control.path) if control else None
    comparison = compare(ours, theirs) if theirs else None
    drawn = "another question's answer" if result.by_row else "a wrong answer"
    sought = f"{drawn} drawn at random" if result.is_control else "the right answer"
    warnings = [*result.warnings, *left_out(ours, theirs, comparison)]
    return Told(
        label=clean(str(result.label)),
        sought=sought + (f"; its control for {drawn} drawn at random" if control else "; without a control"),
        has_control=control is not None,
        warnings=[clean(warning) for warning in warnings],
        paragraphs=[clean(p) for p in conclude(ours, theirs, comparison)],
        numbers=_numbers(ours, theirs),
    )


def sources(
    results: list[Result], others: Sequence[tuple[str, str]] = ()
) -> tuple[list[Source], list[Attribute]]:
    """All files in the order of the page, and what decides their labels and how they were made.

    others: paths of further files and their roles; one that is a run already is told once.
    """
    sides = [(result, "run") for result in results]
    sides += [(result.control, "control") for result in results if result.control]
    files = {side.path: (role, _attributes(side)) for side, role in sides}
    for path, role in others:
        if path not in files:
            with open_asked(path) as asked:
                files[path] = (role, {**asked.identity, **asked.provenance})
    seen = [attributes for _, attributes in files.values()]
    names = {name for attributes in seen for name in attributes}
    ordered = [name for name in FIRST if name in names] + sorted(names.difference(FIRST))
    return (
        [Source(clean(path), role) for path, (role, _) in files.items()],
        [Attribute(clean(name), [clean(its.get(name, "-")) for its in seen]) for name in ordered],
    )


def _numbers(ours: Findings, theirs: Findings | None) -> list[Number]:
    paper = {"claim 1": f"> {100 * PAPER_SHORTER:.0f} %", "claim 2": f"> {100 * PAPER_CORRECTED:.0f} %"}
    control = [value for _, value in rows(theirs)] if theirs else [""] * len(rows(ours))
    return [
        Number(label.strip(), value, other, next((p for name, p in paper.items() if name in label), ""))
        for (label, value), other in zip(rows(ours), control, strict=True)
    ]


def _attributes(side: Result) -> dict[str, str]:
    """Identity and provenance, what the file says of itself, and its ranks in words."""
    seen = {**side.identity, **side.provenance}
    with Run.open(side.path) as run:
        seen |= {name: str(run.attributes[name]) for name in OF_FILE if name in run.attributes}
    if seen.get("n_workers", "").isdigit() and seen.get("transport") == "mpi":
        seen[RANKS] = f"{int(seen['n_workers']) + 1} (a master and {seen['n_workers']} workers)"
    return seen
