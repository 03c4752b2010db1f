"""The printed table: one row a number, run and control side by side, the paper's claims beside them.

Takes findings and gives lines of text. Knows nothing of files or of what may be concluded.
"""

from __future__ import annotations

import textwrap

from cola_analysis.findings import Findings, Mean
from cola_analysis.statistics import Share

PAPER = "arXiv 2507.07996"
PAPER_SHORTER = 0.75
PAPER_CORRECTED = 0.60
WIDTH = 106
"""Columns that text is wrapped to; the table stays within it up to 99 samples."""

EMPTY = "- (no such sample)"


def share_text(share: Share) -> str:
    """`55.0 % 11/20 [34.2, 74.2]`."""
    if share.value is None or share.interval is None:
        return EMPTY
    low, high = 100 * share.interval.low, 100 * share.interval.high
    return f"{100 * share.value:.1f} % {share.hits}/{share.n} [{low:.1f}, {high:.1f}]"


def mean_text(mean: Mean, unit: str = "") -> str:
    """`29.40 layers, n = 26`."""
    return EMPTY if mean.value is None else f"{mean.value:.2f}{unit}, n = {mean.n}"


def rows(findings: Findings) -> list[tuple[str, str]]:
    """Label and value of every number of one run; a label without value heads a group."""
    o = findings.outcomes
    return [
        ("samples finished / in file", f"{o.n_finished} / {o.n_in_file}"),
        ("  finished without a target, left out", str(o.n_without_target)),
        ("chains evaluated", str(o.n_chains)),
        ("  without finite scores, count as not right", str(o.n_not_scored)),
        ("simulations", str(o.n_simulations)),
        ("shares of samples [95 % interval, Wilson]", ""),
        ("  base chain gives the target", share_text(findings.base)),
        ("  claim 1: a shorter chain, of right at base", share_text(findings.shorter)),
        ("  claim 2: corrected, of wrong at base", share_text(findings.corrected)),
        ("  some chain gives the target, of all", share_text(findings.any_right)),
        ("mean depth, right at the base (C->C)", ""),
        ("  base chain", mean_text(findings.depths_right.base, " layers")),
        ("  shortest right chain", mean_text(findings.depths_right.shortest_right, " layers")),
        ("  different layers in it", mean_text(findings.depths_right.shortest_right_unique, " layers")),
        ("mean depth, corrected (W->C)", ""),
        ("  base chain", mean_text(findings.depths_corrected.base, " layers")),
        ("  shortest right chain", mean_text(findings.depths_corrected.shortest_right, " layers")),
        ("  different layers in it", mean_text(findings.depths_corrected.shortest_right_unique, " layers")),
        ("mean evaluations to the first right (W->C)", mean_text(findings.evaluations_to_right)),
        ("mean edits from the base (tree depth)", mean_text(findings.tree_depth)),
    ]


def table(run: Findings, control: Findings | None) -> list[str]:
    """The lines of the table, with the paper's two claims in a last column."""
    paper = {"claim 1": f"> {100 * PAPER_SHORTER:.0f} %", "claim 2": f"> {100 * PAPER_CORRECTED:.0f} %"}
    columns = [("", "run"), *rows(run)]
    theirs = [value for _, value in [("", "control"), *rows(control)]] if control else [""] * len(columns)
    claims = ["paper*"] + [
        next((t for name, t in paper.items() if name in label), "") for label, _ in rows(run)
    ]
    cells = [
        (label, ours, other, claim)
        for (label, ours), other, claim in zip(columns, theirs, claims, strict=True)
    ]
    widths = [max(len(row[column]) for row in cells) + 2 for column in range(3)]
    lines = [
        "".join(f"{text:<{width}}" for text, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in cells
    ]
    lines += ["", f"* claimed in {PAPER} for other models and tasks, without a control; not measured here."]
    lines.append("n: samples (last row: chains) that the mean is over. Depth: layers executed.")
    if control:
        target = "another question's answer, drawn" if run.outcomes.by_row else "a wrong answer drawn"
        lines.append(f"In the control's column the target is {target} at random for each sample.")
    return lines


def wrap(paragraph: str, mark: str = "") -> str:
    """A paragraph in lines of at most WIDTH columns, a mark before its first."""
    return textwrap.fill(
        paragraph,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )
