"""The command `cola-report`: runs and their controls in, one HTML file out, which needs nothing else.

    contents = contents_of(load(["run.h5"], ["control.h5"]))

Exit status: 0 done, 1 a file that cannot be used or two that do not belong together, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cola_analysis import __version__
from cola_analysis.collect import collect_frames
from cola_analysis.conclude_set import conclude_set
from cola_analysis.error import RunError
from cola_analysis.report_embed import clean
from cola_analysis.report_html import Contents, Section, page
from cola_analysis.report_tables import table_view
from cola_analysis.report_told import sources, tell
from cola_analysis.report_trees import tree_data
from cola_analysis.results import Result, load
from cola_analysis.sources import source_parser
from cola_analysis.write import TITLES

MOST_CHAINS = 1_000_000
"""Chains whose trees are in the page: some 25 MB."""

OPEN = ("table1", "claims")
"""Tables that are shown without being asked for."""

ABOUT = """\
Makes one HTML file of a search: what may be concluded, all tables and figures, a sortable table of the
samples, the tree of each sample, and where the numbers come from. It needs no network and no other file."""

EPILOG = """\
  cola search TASKS.h5 --model DIR --out RUN.h5 --seed 0
  cola search TASKS.h5 --model DIR --out CONTROL.h5 --seed 0 --control wrong-answer
  cola-report RUN.h5 --control CONTROL.h5 -o report.html

exit status: 0 done; 1 a file cannot be used, or run and control do not belong together; 2 wrong usage"""


def parser() -> argparse.ArgumentParser:
    """The command line, documented by --help."""
    p = source_parser("cola-report", ABOUT, EPILOG, "show files that do not belong together; warns")
    p.add_argument("-o", "--out", metavar="OUT.html", required=True, help="the file to write")
    p.add_argument(
        "--max-chains",
        metavar="N",
        type=_count,
        default=MOST_CHAINS,
        help="chains whose trees are in the page; samples beyond have no tree [%(default)s]",
    )
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status; usage errors end the process with status 2."""
    options = parser().parse_args(arguments)
    try:
        _check_folder(Path(options.out))
        results = load(options.run, options.control, options.force)
        frames = collect_frames(results, options.robustness, options.cross, options.config)
        others = [(path, "asked differently") for path in options.robustness]
        others += [(path, "table of chains") for path in options.cross]
        html = page(contents_of(results, frames, options.max_chains, others))
        _write(Path(options.out), html)
    except RunError as error:
        print(f"cola-report: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {len(html.encode()) / 1e6:.1f} MB, open it in a browser")
    return 0


def contents_of(
    results: list[Result],
    frames: dict[str, pd.DataFrame] | None = None,
    most_chains: int = MOST_CHAINS,
    others: Sequence[tuple[str, str]] = (),
) -> Contents:
    """All that the page shows of these runs; frames: those of collect_frames, made here by default.

    others: paths and roles of the further files that the frames come from.
    """
    if frames is None:
        frames = collect_frames(results)
    files, attributes = sources(results, others)
    names = ", ".join(dict.fromkeys(f"{r.label.model} on {r.label.task}" for r in results))
    return Contents(
        title=clean(f"Search report: {names}"),
        program=f"cola-analysis {__version__}",
        told=[tell(result) for result in results],
        together=[clean(paragraph) for paragraph in conclude_set(results, frames)],
        sections=_sections(frames),
        sources=files,
        attributes=attributes,
        files=_trees(results, most_chains),
    )


def _sections(frames: dict[str, pd.DataFrame]) -> list[Section]:
    """What is open first, then the figures, then tables alone: so two figures stand side by side."""
    made = [_section(name, frame) for name, frame in frames.items() if len(frame)]
    return sorted(made, key=lambda s: 0 if s.is_open else 1 if s.drawing else 2)


def _section(name: str, frame: pd.DataFrame) -> Section:
    from cola_analysis.figures import FIGURES  # matplotlib takes a second to load: not for --help
    from cola_analysis.report_figures import inline_svg

    drawing = inline_svg(name, frame) if name in FIGURES else None
    drawn = drawing.title if drawing else ""
    title = drawn if drawn.startswith("Figure") else TITLES[name]
    caption = "" if drawn.lower() in title.lower() else drawn
    return Section(name, title, caption, table_view(frame), drawing, name in OPEN)


def _trees(results: list[Result], most_chains: int) -> list[dict[str, Any]]:
    """Runs first, so that they get the room for trees; then their controls."""
    files = []
    for side in [*results, *(result.control for result in results if result.control)]:
        files.append(tree_data(side, most_chains))
        most_chains -= files[-1]["nChains"]
    return files


def _check_folder(path: Path) -> None:
    """Said at once, not after minutes of work."""
    if not path.absolute().parent.is_dir():
        raise RunError(f"{path}: cannot write the report: there is no directory {path.parent}")


def _write(path: Path, html: str) -> None:
    """All or nothing: a report that is there is replaced only by a whole one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(html, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"{path}: cannot write the report: {error}") from error


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text}: expected 0 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
