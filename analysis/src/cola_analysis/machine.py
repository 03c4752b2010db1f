"""The report as plain dictionaries, for `--json`: every number of the table, unrounded, under fixed names."""

from __future__ import annotations

from typing import Any

from cola_analysis.conclude import verdict
from cola_analysis.findings import Comparison, Depths, Findings, Mean
from cola_analysis.statistics import Difference, Share
from cola_analysis.table import PAPER, PAPER_CORRECTED, PAPER_SHORTER

Json = dict[str, Any]


def share(value: Share) -> Json:
    """A share with its counts and Wilson interval; null where the denominator is 0."""
    ends = value.interval
    return {
        "hits": value.hits,
        "n": value.n,
        "share": value.value,
        "low": ends.low if ends else None,
        "high": ends.high if ends else None,
    }


def difference(value: Difference | None) -> Json:
    """A difference of shares with its interval and how it reads; null values without samples."""
    return {
        "difference": value.value if value else None,
        "low": value.interval.low if value else None,
        "high": value.interval.high if value else None,
        "verdict": verdict(value).name.lower(),
    }


def findings(value: Findings, path: str) -> Json:
    """One run."""
    o = value.outcomes
    return {
        "file": path,
        "samples_in_file": o.n_in_file,
        "samples_finished": o.n_finished,
        "samples_without_target": o.n_without_target,
        "targets": "rows" if o.by_row else "candidates",
        "chains": o.n_chains,
        "chains_not_scored": o.n_not_scored,
        "bases_not_scored": o.n_base_not_scored,
        "simulations": o.n_simulations,
        "base_accuracy": share(value.base),
        "shorter_chain": share(value.shorter),
        "corrected": share(value.corrected),
        "any_right": share(value.any_right),
        "depth_right": _depths(value.depths_right),
        "depth_corrected": _depths(value.depths_corrected),
        "tree_depth": _mean(value.tree_depth),
        "evaluations_to_first_right": _mean(value.evaluations_to_right),
    }


def comparison(value: Comparison) -> Json:
    """Run minus control."""
    return {
        "samples_in_common": value.n_common,
        "shorter_chain": difference(value.shorter),
        "corrected": difference(value.corrected),
        "corrected_same_samples": {
            "run": share(value.paired.run),
            "control": share(value.paired.control),
            "both": value.paired.both,
            "only_run": value.paired.only_run,
            "only_control": value.paired.only_control,
            "neither": value.paired.neither,
            **difference(value.paired.difference),
        },
    }


def paper() -> Json:
    """What the paper claims, on other models and tasks."""
    return {"source": PAPER, "shorter_chain_above": PAPER_SHORTER, "corrected_above": PAPER_CORRECTED}


def _depths(value: Depths) -> Json:
    return {
        "base": _mean(value.base),
        "shortest_right": _mean(value.shortest_right),
        "shortest_right_unique_layers": _mean(value.shortest_right_unique),
    }


def _mean(value: Mean) -> Json:
    return {"mean": value.value, "n": value.n}
