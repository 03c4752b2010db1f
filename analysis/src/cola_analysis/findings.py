"""The numbers of a report: shares and means of one run, and its comparison with a control.

Counts samples, never chains, wherever an interval is given: the chains of one sample are not independent.
docs/findings.md says what each number means. Knows nothing of wording or output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from cola_analysis.outcomes import Outcomes, SampleOutcome
from cola_analysis.read import Run, RunError
from cola_analysis.statistics import Difference, Share, newcombe_independent, newcombe_paired

T = TypeVar("T")

MUST_EQUAL = (
    "model_fingerprint",
    "tasks_fingerprint",
    "numerics_id",
    "n_simulations",
    "preset",
    "space",
    "seed",
)
"""Attributes that a run and its control must share; so must all others that decide labels, but `control`."""


@dataclass(frozen=True)
class Mean:
    """A mean over `n` samples or chains, None over none."""

    value: float | None
    n: int


@dataclass(frozen=True)
class Depths:
    """Depth (chain length in layers) over one group of samples."""

    base: Mean
    shortest_right: Mean
    shortest_right_unique: Mean
    """Different layers in the shortest right chain."""


@dataclass(frozen=True)
class Findings:
    """What one run shows. `right` is relative to the target: for a control, the drawn wrong answer."""

    outcomes: Outcomes
    base: Share
    """Samples whose base chain is right."""
    shorter: Share
    """Claim 1: of the samples right at the base, those with a strictly shorter right chain."""
    corrected: Share
    """Claim 2: of the samples wrong at the base, those with some right chain."""
    any_right: Share
    """Of all samples, those with some right chain."""
    depths_right: Depths
    """Over the samples right at the base (C->C)."""
    depths_corrected: Depths
    """Over the samples wrong at the base with a right chain (W->C)."""
    tree_depth: Mean
    """Edits from the base, over all chains."""
    evaluations_to_right: Mean
    """Evaluations up to the first right chain, over the corrected samples."""


@dataclass(frozen=True)
class Paired:
    """Run and control on the same samples: those whose base gives neither the right nor the drawn answer."""

    n: int
    both: int
    only_run: int
    only_control: int
    neither: int
    difference: Difference | None

    @property
    def run(self) -> Share:
        """Samples for which the run reached the right answer."""
        return Share(self.both + self.only_run, self.n)

    @property
    def control(self) -> Share:
        """Samples for which the control reached the drawn wrong answer."""
        return Share(self.both + self.only_control, self.n)


@dataclass(frozen=True)
class Comparison:
    """A run beside its control."""

    shorter: Difference | None
    corrected: Difference | None
    paired: Paired
    n_common: int
    """Samples that both files count."""


def find(outcomes: Outcomes, path: str) -> Findings:
    """The numbers of one run; RunError if there is no finished sample to count."""
    samples = outcomes.samples
    if not samples:
        raise RunError(f"{path}: {_why_nothing(outcomes)}")
    right = [s for s in samples if s.base_right]
    wrong = [s for s in samples if not s.base_right]
    corrected = [s for s in wrong if s.any_right]
    return Findings(
        outcomes=outcomes,
        base=Share(len(right), len(samples)),
        shorter=Share(sum(s.shorter_right for s in right), len(right)),
        corrected=Share(len(corrected), len(wrong)),
        any_right=Share(sum(s.any_right for s in samples), len(samples)),
        depths_right=_depths(right),
        depths_corrected=_depths(corrected),
        tree_depth=Mean(
            outcomes.tree_depth_sum / outcomes.n_chains if outcomes.n_chains else None, outcomes.n_chains
        ),
        evaluations_to_right=_mean(corrected, lambda s: s.first_right or 0),
    )


def compare(run: Findings, control: Findings) -> Comparison:
    """Run minus control for both claims, and for correction on the same samples."""
    theirs = {s.index: s for s in control.outcomes.samples}
    pairs = [(s, theirs[s.index]) for s in run.outcomes.samples if s.index in theirs]
    return Comparison(
        shorter=newcombe_independent(run.shorter, control.shorter),
        corrected=newcombe_independent(run.corrected, control.corrected),
        paired=_pair((a, b) for a, b in pairs if not a.base_right and not b.base_right),
        n_common=len(pairs),
    )


def mismatches(run: Run, control: Run) -> list[str]:
    """Why two files do not belong together as run and control, one line a reason; empty: they do."""
    return mismatches_of(
        (run.path, run.is_control, run.identity), (control.path, control.is_control, control.identity)
    )


def mismatches_of(
    run: tuple[str, bool, dict[str, str]], control: tuple[str, bool, dict[str, str]]
) -> list[str]:
    """As mismatches, of each file's path, whether it is a control, and its identity."""
    (run_path, run_is_control, ours), (control_path, control_is_control, theirs) = run, control
    reasons = []
    if run_is_control:
        reasons.append(f"control: {run_path} is itself a control, expected a run with `none`")
    if not control_is_control:
        reasons.append(f"control: {control_path} has `none`, expected `wrong-answer`")
    for key in dict.fromkeys([*MUST_EQUAL, *ours, *theirs]):
        mine, other = ours.get(key, "(missing)"), theirs.get(key, "(missing)")
        if key != "control" and (mine != other or (key in MUST_EQUAL and mine == "(missing)")):
            reasons.append(f"{key}: run has {mine}, control has {other}")
    return reasons


def disagreements(run: Outcomes, control: Outcomes) -> list[str]:
    """Samples that both files hold but describe differently: another gold, or another base prediction.

    Without choices a prediction says only whether the file's own target was given, so there what the base
    chains generated is compared.
    """
    what_is_equal = ["name", "gold", "base_tokens"] + ([] if run.by_row else ["base_prediction"])
    theirs = {s.index: s for s in control.samples}
    reasons = []
    for ours in run.samples:
        other = theirs.get(ours.index)
        if other is None:
            continue
        for what in what_is_equal:
            a, b = getattr(ours, what), getattr(other, what)
            if a != b:
                reasons.append(f"{what} of sample {ours.name}: run has {a}, control has {b}")
    return reasons


def _pair(pairs: Iterable[tuple[SampleOutcome, SampleOutcome]]) -> Paired:
    counts = {(a, b): 0 for a in (False, True) for b in (False, True)}
    for ours, theirs in pairs:
        counts[ours.any_right, theirs.any_right] += 1
    both, only_run = counts[True, True], counts[True, False]
    only_control, neither = counts[False, True], counts[False, False]
    return Paired(
        n=sum(counts.values()),
        both=both,
        only_run=only_run,
        only_control=only_control,
        neither=neither,
        difference=newcombe_paired(both, only_run, only_control, neither),
    )


def _depths(samples: list[SampleOutcome]) -> Depths:
    shortest = [s.shortest for s in samples if s.shortest is not None]
    return Depths(
        base=_mean(samples, lambda s: s.base_depth),
        shortest_right=_mean(shortest, lambda c: c.depth),
        shortest_right_unique=_mean(shortest, lambda c: c.unique_layers),
    )


def _mean(items: list[T], value: Callable[[T], float]) -> Mean:
    return Mean(sum(map(value, items)) / len(items) if items else None, len(items))


def _why_nothing(outcomes: Outcomes) -> str:
    if outcomes.n_in_file == 0:
        return "the file has no samples; nothing can be reported"
    if outcomes.n_finished == 0:
        return (
            f"none of the {outcomes.n_in_file} samples in the file is finished; "
            "let the search go on (`cola search ... --resume`) and try again"
        )
    return f"none of the {outcomes.n_finished} finished samples has a target; the tasks have no gold answers"
