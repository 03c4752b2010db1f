"""One figure for a run and its control: the two claims with intervals, and how deep the right chains are.

Left: shares of samples with Wilson's 95 % interval, run beside control, the paper's thresholds as marks.
Right: depth of the shortest right chain of each sample, for samples right at the base (C->C) above and
corrected ones (W->C) below, on one axis. Colours are Okabe and Ito's, which colour-blind people tell apart;
marker shapes repeat the distinction for black and white. Takes findings, knows nothing of files.
"""

from __future__ import annotations

import os
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cola_analysis.findings import Findings
from cola_analysis.statistics import Share
from cola_analysis.table import PAPER, PAPER_CORRECTED, PAPER_SHORTER

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
}
MAX_BINS = 40


def draw(run: Findings, control: Findings | None, title: str, path: str | os.PathLike[str]) -> None:
    """Writes the PNG; OSError where that is not possible. title: which search this is, in one line."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(11, 5), layout="constrained")
        try:
            grid = figure.add_gridspec(2, 2)
            upper = figure.add_subplot(grid[0, 1])
            _claims(figure.add_subplot(grid[:, 0]), run, control)
            _depths(upper, figure.add_subplot(grid[1, 1], sharex=upper), run)
            figure.suptitle(title, fontsize=11)
            figure.savefig(path, dpi=150, format="png")
        finally:
            plt.close(figure)


def _claims(axes: Axes, run: Findings, control: Findings | None) -> None:
    groups = [
        ("base chain\ngives the target", "base", None),
        ("claim 1:\na shorter chain, of\nthose right at base", "shorter", PAPER_SHORTER),
        ("claim 2:\ncorrected, of those\nwrong at base", "corrected", PAPER_CORRECTED),
    ]
    sides = [(run, BLUE, "o", "run: target is the right answer")]
    if control:
        target = "another question's answer" if run.outcomes.by_row else "a random wrong answer"
        sides.append((control, VERMILION, "s", f"control: target is {target}"))
    handles = []
    for number, (findings, colour, marker, label) in enumerate(sides):
        shift = 0.0 if len(sides) == 1 else (-0.14, 0.14)[number]
        for x, (_, name, _) in enumerate(groups):
            _share(axes, x + shift, getattr(findings, name), colour, marker)
        handles += axes.plot([], [], marker, color=colour, markersize=8, label=label)
    for x, (_, _, threshold) in enumerate(groups):
        if threshold is not None:
            axes.hlines(100 * threshold, x - 0.34, x + 0.34, GREY, "dashed", linewidth=1.2)
    source = f"claimed by {PAPER}: more than this, on other models"
    handles += axes.plot([], [], color=GREY, linestyle="dashed", linewidth=1.2, label=source)
    axes.set_xticks(range(len(groups)), [text for text, _, _ in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_ylim(-4, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.set_ylabel("share of samples (%), with 95 % interval")
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
    axes.set_title("How many samples have a right chain", loc="left")
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.19), frameon=False, fontsize=9)


def _share(axes: Axes, x: float, share: Share, colour: str, marker: str) -> None:
    if share.value is None or share.interval is None:
        axes.text(x, 1, "no such\nsample", color=colour, ha="center", va="bottom", fontsize=8)
        return
    value, low, high = (100 * v for v in (share.value, share.interval.low, share.interval.high))
    errors = [[value - low], [high - value]]
    axes.errorbar(x, value, errors, fmt=marker, color=colour, markersize=8, capsize=4, linewidth=2)
    above = max(high, value + 2.5)
    axes.text(x, above + 1, f"{share.hits}/{share.n}", color=colour, ha="center", va="bottom", fontsize=9)


def _depths(upper: Axes, lower: Axes, run: Findings) -> None:
    samples = run.outcomes.samples
    right = [s.shortest.depth for s in samples if s.base_right and s.shortest]
    corrected = [s.shortest.depth for s in samples if not s.base_right and s.shortest]
    base = sorted({s.base_depth for s in samples})
    depths = [*right, *corrected, *base]
    bins = _bins(min(depths), max(depths))
    for axes, values, colour, label in (
        (upper, right, BLUE, "right at the base (C→C)"),
        (lower, corrected, GREEN, "wrong at the base, corrected (W→C)"),
    ):
        axes.hist(values, bins=bins, color=colour, edgecolor="white", linewidth=0.8)
        for depth in base:
            axes.axvline(depth, color="black", linestyle="dashed", linewidth=1.2)
        mean = f", mean {sum(values) / len(values):.1f} layers" if values else ""
        n = f"{len(values)} sample{'' if len(values) == 1 else 's'}"
        axes.text(
            0.01,
            1.0,
            f"{label}: {n}{mean}",
            transform=axes.transAxes,
            va="bottom",
            color=colour,
            fontsize=9.5,
        )
        axes.set_ylabel("samples")
        axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    upper.set_title("Depth of the shortest right chain of each sample (run)", loc="left", pad=20)
    upper.tick_params(labelbottom=False)
    lower.set_xlabel(
        "depth of the chain (layers executed); dashed: base chain, "
        + ", ".join(str(d) for d in base)
        + " layers"
    )


def _bins(low: int, high: int) -> list[float]:
    """Edges half-way between depths; bins of one whole width, MAX_BINS of them at most."""
    width = -(-(high - low + 1) // MAX_BINS)
    return [low - 0.5 + width * i for i in range((high - low) // width + 2)]
