"""The command `cola-findings`: files in, table and conclusion on stdout, one figure as PNG.

Exit status: 0 done, 1 a file that cannot be used or two that do not belong together, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cola_analysis import __version__, machine
from cola_analysis.conclude import conclude
from cola_analysis.findings import Comparison, Findings, compare, disagreements, find, mismatches
from cola_analysis.outcomes import collect
from cola_analysis.read import Run, RunError
from cola_analysis.table import table, wrap

ABOUT = """\
Says what a search found: how many samples have a shorter right chain (claim 1) and how many wrong ones were
corrected (claim 2), with 95 % intervals, beside a control that searched for a wrong answer drawn at random.
Without a control nothing may be concluded about correction."""

EPILOG = """\
The control is the same search asked for a wrong answer:
  cola search TASKS.h5 --model DIR --out RUN.h5 --seed 0
  cola search TASKS.h5 --model DIR --out CONTROL.h5 --seed 0 --control wrong-answer
  cola-findings RUN.h5 --control CONTROL.h5 --figure findings.png

Run and control must agree in every attribute that decides labels (model, tasks, numerics, simulations,
preset, space, seed, ...) except `control`, and in the base prediction of every sample that both hold.

exit status: 0 done; 1 a file cannot be used, or run and control do not belong together; 2 wrong usage"""


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = argparse.ArgumentParser(
        prog="cola-findings",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("run", metavar="RUN.h5", help="result of `cola search`")
    p.add_argument("--control", metavar="CONTROL.h5", help="result of `cola search --control wrong-answer`")
    p.add_argument("--figure", metavar="OUT.png", help="also draw the shares and depths into this PNG file")
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    p.add_argument("--force", action="store_true", help="compare files that do not belong together; warns")
    p.add_argument("--version", action="version", version=f"cola-analysis {__version__}")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    if options.figure and Path(options.figure).suffix.lower() != ".png":
        parser().error(f"--figure {options.figure}: only PNG is written; end the name in .png")
    try:
        print(_report(options))
    except RunError as error:
        print(f"cola-findings: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return 0


def _report(options: argparse.Namespace) -> str:
    with Run.open(options.run) as run:
        run_outcomes = collect(run)
        ours = find(run_outcomes, run.path)
        theirs: Findings | None = None
        comparison: Comparison | None = None
        warnings: list[str] = []
        if options.control:
            with Run.open(options.control) as control:
                _belong(mismatches(run, control), options, warnings)
                control_outcomes = collect(control)
                _belong(disagreements(run_outcomes, control_outcomes), options, warnings)
                theirs = find(control_outcomes, control.path)
            comparison = compare(ours, theirs)
        elif run.is_control:
            _control_alone(run, options, warnings)
        warnings += _notes(ours, theirs, comparison)
        heading, title = _heading(run, options), _settings(run)
    if options.figure:
        _draw(options, ours, theirs, title)
    paragraphs = conclude(ours, theirs, comparison)
    if options.json:
        return _json(options, ours, theirs, comparison, warnings, paragraphs)
    lines = [*heading, *(wrap(f"Warning: {w}") for w in warnings), "", *table(ours, theirs)]
    lines += ["", "What may be concluded:"]
    return "\n".join([*lines, *(wrap(p, "- ") for p in paragraphs)])


def _belong(reasons: list[str], options: argparse.Namespace, warnings: list[str]) -> None:
    """Refuses files that do not belong together, or says so under --force."""
    if not reasons:
        return
    shown = reasons[:10] + ([f"and {len(reasons) - 10} more"] if len(reasons) > 10 else [])
    if options.force:
        warnings.extend(f"run and control do not belong together: {reason}" for reason in shown)
        return
    raise RunError(
        "run and control do not belong together:\n  "
        + "\n  ".join(shown)
        + "\nSearch both with the same options but --control; --force compares them nevertheless."
    )


def _control_alone(run: Run, options: argparse.Namespace, warnings: list[str]) -> None:
    """A control by itself would be read as a run that looks for right answers."""
    if not options.force:
        raise RunError(
            f"{run.path} is itself a control (attribute `control`: {run.control}); "
            f"give it beside its run: cola-findings RUN.h5 --control {run.path}"
        )
    drawn = "answer of another question" if run.by_row else "wrong answer"
    warnings.append(f"{run.path} is itself a control: read `right` below as `the drawn {drawn}`")


def _notes(ours: Findings, theirs: Findings | None, comparison: Comparison | None) -> list[str]:
    notes = []
    for name, side in (("run", ours), ("control", theirs)):
        if side is None:
            continue
        o = side.outcomes
        if o.n_unfinished:
            notes.append(f"{name}: {o.n_unfinished} of {o.n_in_file} samples are unfinished and left out")
        if o.n_base_not_scored:
            notes.append(
                f"{name}: base chains without finite scores, which count as not right: {o.n_base_not_scored}"
            )
    if theirs and comparison and not comparison.n_common == ours.base.n == theirs.base.n:
        notes.append(
            f"run counts {ours.base.n} samples, control {theirs.base.n}, both only {comparison.n_common}: "
            "their shares are over different samples"
        )
    return notes


def _heading(run: Run, options: argparse.Namespace) -> list[str]:
    seen = run.attributes
    drawn = "another question's answer" if run.by_row else "a wrong answer"
    sought = f"{drawn} drawn at random" if run.is_control else "the right answer"
    lines = [f"run      {run.path}: looked for {sought}"]
    if options.control:
        lines.append(f"control  {options.control}: looked for {drawn} drawn at random")
    lines.append(wrap(_settings(run), "search   "))
    lines.append(f"model    {seen.get('model_fingerprint', '(no model_fingerprint)')}")
    return lines


def _settings(run: Run) -> str:
    """What was searched and how, in one line."""
    keys = ("task", "score", "grader", "metric", "preset", "space", "n_simulations", "seed", "numerics_id")
    return ", ".join(
        f"{key.removeprefix('n_')} {run.attributes[key]}" for key in keys if key in run.attributes
    )


def _draw(options: argparse.Namespace, ours: Findings, theirs: Findings | None, title: str) -> None:
    from cola_analysis.figure import draw  # matplotlib takes a second to load: only when asked for

    try:
        draw(ours, theirs, title, options.figure)
    except OSError as error:
        raise RunError(f"{options.figure}: cannot write the figure: {error}") from error


def _json(
    options: argparse.Namespace,
    ours: Findings,
    theirs: Findings | None,
    comparison: Comparison | None,
    warnings: list[str],
    paragraphs: list[str],
) -> str:
    return json.dumps(
        {
            "program": f"cola-analysis {__version__}",
            "run": machine.findings(ours, options.run),
            "control": machine.findings(theirs, options.control) if theirs else None,
            "comparison": machine.comparison(comparison) if comparison else None,
            "paper": machine.paper(),
            "warnings": warnings,
            "conclusion": paragraphs,
        },
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )


if __name__ == "__main__":
    sys.exit(main())
