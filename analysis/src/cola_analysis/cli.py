"""The command `cola-findings`: files in, table and conclusion on stdout, all tables and figures into a
directory.

Exit status: 0 done, 1 a file that cannot be used or two that do not belong together, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cola_analysis import __version__, machine
from cola_analysis.collect import collect_frames, provenance_table
from cola_analysis.conclude import conclude, left_out
from cola_analysis.conclude_set import conclude_set
from cola_analysis.error import RunError
from cola_analysis.findings import compare, find
from cola_analysis.results import Result, load
from cola_analysis.sources import source_parser
from cola_analysis.table import table, wrap
from cola_analysis.write import write

ABOUT = """\
Says what a search found: how many samples have a shorter right chain (claim 1) and how many wrong ones were
corrected (claim 2), with 95 % intervals, beside a control that searched for a wrong answer drawn at random.
Without a control nothing may be concluded about correction."""

EPILOG = """\
The control is the same search asked for a wrong answer:
  cola search TASKS.h5 --model DIR --out RUN.h5 --seed 0
  cola search TASKS.h5 --model DIR --out CONTROL.h5 --seed 0 --control wrong-answer
  cola-findings RUN.h5 --control CONTROL.h5 --out findings

Several runs (models, benchmarks, spaces) make one table; each control is put beside the run with which it
agrees in every attribute that decides labels (model, tasks, numerics, simulations, preset, space, seed,
...) except `control`, and in the base prediction of every sample that both hold.

exit status: 0 done; 1 a file cannot be used, or run and control do not belong together; 2 wrong usage"""


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = source_parser("cola-findings", ABOUT, EPILOG, "compare files that do not belong together; warns")
    p.add_argument(
        "--out", metavar="DIR", help="write all tables (CSV, Markdown), figures (SVG) and the text"
    )
    p.add_argument("--figure", metavar="OUT.png", help="also draw the shares and depths into this PNG file")
    p.add_argument("--json", action="store_true", help="print JSON instead of text")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    if options.figure and Path(options.figure).suffix.lower() != ".png":
        parser().error(f"--figure {options.figure}: only PNG is written; end the name in .png")
    if options.figure and len(options.run) > 1:
        parser().error("--figure draws one run and its control; use --out for the figures of several")
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
    results = load(options.run, options.control, options.force)
    told = [_Told(result) for result in results]
    frames = collect_frames(results, options.robustness, options.cross, options.config, not options.out)
    more = conclude_set(results, frames)
    if options.figure:
        _draw(options, told[0])
    written = _write(options, told, frames, more) if options.out else []
    if options.json:
        return _json(told, more, written)
    lines: list[str] = []
    for one in told:
        lines += [*one.heading(), *(wrap(f"Warning: {w}") for w in one.warnings), "", *one.table()]
        lines += ["", "What may be concluded:", *(wrap(p, "- ") for p in one.paragraphs), ""]
    if more:
        lines += ["From all files together:", *(wrap(p, "- ") for p in more), ""]
    if written:
        lines.append(f"{len(written)} files written to {options.out}; read {written[0]} first")
    return "\n".join(lines).rstrip("\n")


class _Told:
    """What is said of one run and its control."""

    def __init__(self, result: Result) -> None:
        control = result.control
        self.result = result
        self.ours = find(result.outcomes, result.path)
        self.theirs = find(control.outcomes, control.path) if control else None
        self.comparison = compare(self.ours, self.theirs) if self.theirs else None
        self.warnings = [*result.warnings, *left_out(self.ours, self.theirs, self.comparison)]
        self.paragraphs = conclude(self.ours, self.theirs, self.comparison)

    def table(self) -> list[str]:
        """The table's lines."""
        return table(self.ours, self.theirs)

    def heading(self) -> list[str]:
        """Which files, which search, which model."""
        drawn = "another question's answer" if self.result.by_row else "a wrong answer"
        sought = f"{drawn} drawn at random" if self.result.is_control else "the right answer"
        lines = [f"run      {self.result.path}: looked for {sought}"]
        if self.result.control:
            lines.append(f"control  {self.result.control.path}: looked for {drawn} drawn at random")
        lines.append(wrap(self.settings(), "search   "))
        lines.append(f"model    {self.result.identity.get('model_fingerprint', '(no model_fingerprint)')}")
        return lines

    def settings(self) -> str:
        """What was searched and how, in one line."""
        keys = (
            "task",
            "score",
            "grader",
            "metric",
            "preset",
            "space",
            "n_simulations",
            "seed",
            "numerics_id",
        )
        seen = self.result.identity
        return ", ".join(f"{key.removeprefix('n_')} {seen[key]}" for key in keys if key in seen)


def _draw(options: argparse.Namespace, told: _Told) -> None:
    from cola_analysis.figure import draw  # matplotlib takes a second to load: only when asked for

    try:
        draw(told.ours, told.theirs, told.settings(), options.figure)
    except OSError as error:
        raise RunError(f"{options.figure}: cannot write the figure: {error}") from error


def _write(
    options: argparse.Namespace, told: list[_Told], frames: dict[str, pd.DataFrame], more: list[str]
) -> list[Path]:
    text: list[str] = []
    for one in told:
        text += [f"## {one.result.label}", "```\n" + "\n".join(one.heading()) + "\n```"]
        text += [f"**Warning**: {warning}" for warning in one.warnings]
        text += ["```\n" + "\n".join(one.table()) + "\n```", *(f"- {p}" for p in one.paragraphs)]
    text += ["## From all files together", *(f"- {p}" for p in more)]
    others = [*options.robustness, *options.cross]
    text += [provenance_table([one.result for one in told], others)]
    return write(options.out, frames, text)


def _json(told: list[_Told], more: list[str], written: list[Path]) -> str:
    each = [
        {
            "run": machine.findings(one.ours, one.result.path),
            "control": machine.findings(one.theirs, one.result.control.path)
            if one.theirs and one.result.control
            else None,
            "comparison": machine.comparison(one.comparison) if one.comparison else None,
            "warnings": one.warnings,
            "conclusion": one.paragraphs,
        }
        for one in told
    ]
    program = {"program": f"cola-analysis {__version__}", "paper": machine.paper()}
    together = {"together": more, "written": [str(path) for path in written]}
    return json.dumps(
        {**program, **(each[0] if len(each) == 1 else {"results": each}), **together},
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )


if __name__ == "__main__":
    sys.exit(main())
