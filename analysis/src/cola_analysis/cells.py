"""The columns that stand beside every share and every mean of a table: denominator, interval, control.

share_columns and mean_columns make one row's; SHARE_COLUMNS and MEAN_COLUMNS say what each is. Shares are
fractions of one, intervals 95 %. The difference is run minus control. Knows nothing of what is counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cola_analysis.bootstrap import Estimate, bootstrap_mean
from cola_analysis.read import Array
from cola_analysis.results import Result
from cola_analysis.statistics import Share, newcombe_independent

Row = dict[str, Any]

SHARE_COLUMNS = {
    "share": "of the run: hits / n",
    "hits": "samples counted",
    "n": "samples it is a share of",
    "low": "lower end of Wilson's interval",
    "high": "its upper end",
    **{f"control_{name}": "the same of the control" for name in ("share", "hits", "n", "low", "high")},
    "difference": "run minus control",
    "difference_low": "lower end of Newcombe's interval",
    "difference_high": "its upper end",
}
MEAN_COLUMNS = {
    "mean": "over the run's samples",
    "n": "samples",
    "low": "lower end of the bootstrap interval (BCa, samples drawn)",
    "high": "its upper end",
    **{f"control_{name}": "the same of the control" for name in ("mean", "n", "low", "high")},
}


def label_columns(result: Result) -> Row:
    """Which run a row is of."""
    label = result.label
    return {"model": label.model, "task": label.task, "preset": label.preset, "space": label.space}


def share_columns(ours: Share, theirs: Share | None) -> Row:
    """SHARE_COLUMNS; None where there is no control, or nothing to count."""
    row = {**_share(ours, ""), **_share(theirs, "control_")}
    apart = newcombe_independent(ours, theirs) if theirs else None
    row["difference"] = apart.value if apart else None
    row["difference_low"] = apart.interval.low if apart else None
    row["difference_high"] = apart.interval.high if apart else None
    return row


def mean_columns(ours: Estimate, theirs: Estimate | None) -> Row:
    """MEAN_COLUMNS; None where there is no control, or nothing to count."""
    row: Row = {}
    for prefix, estimate in (("", ours), ("control_", theirs)):
        row[f"{prefix}mean"] = estimate.value if estimate else None
        row[f"{prefix}n"] = estimate.n if estimate else None
        row[f"{prefix}low"] = estimate.low if estimate else None
        row[f"{prefix}high"] = estimate.high if estimate else None
    return row


def count(mask: Array) -> Share:
    """The share of samples for which a mask holds, of all in it."""
    return Share(int(np.count_nonzero(mask)), len(mask))


def mean_of(result: Result, what: str, values: Array) -> Estimate:
    """A mean over samples of a result, with an interval whose random numbers belong to it alone."""
    side = "control" if result.is_control else "run"
    return bootstrap_mean(values, key="\n".join((*result.key, side, what)))


def _share(share: Share | None, prefix: str) -> Row:
    ends = share.interval if share else None
    return {
        f"{prefix}share": share.value if share else None,
        f"{prefix}hits": share.hits if share else None,
        f"{prefix}n": share.n if share else None,
        f"{prefix}low": ends.low if ends else None,
        f"{prefix}high": ends.high if ends else None,
    }
