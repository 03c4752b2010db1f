"""What one run found for each of its samples: the unit of every share that is reported.

Boils each finished sample's chains down to one SampleOutcome. Knows nothing of intervals or wording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cola_analysis.check import OUTCOME_SCORED, check_run
from cola_analysis.read import Run


@dataclass(frozen=True)
class RightChain:
    """A visited chain that predicts the target."""

    depth: int
    """Layers executed: the chain's length."""
    unique_layers: int
    """Different layers among them."""


@dataclass(frozen=True)
class SampleOutcome:
    """What the search of one sample found; `right` means: predicts the sample's target."""

    index: int
    """Row in tasks.h5."""
    name: str
    gold: int
    target: int
    base_prediction: int
    base_depth: int
    n_chains: int
    first_right: int | None
    """Evaluations up to and with the first right chain (the base is evaluation 1); None: none was right."""
    shortest: RightChain | None
    """The shortest right chain, the first evaluated of equals."""
    base_tokens: tuple[int, ...] = ()
    """What the base chain generated; nothing under other score rules."""

    @property
    def base_right(self) -> bool:
        """Whether the base chain predicts the target."""
        return self.base_prediction == self.target

    @property
    def any_right(self) -> bool:
        """Whether some visited chain, the base included, predicts the target."""
        return self.shortest is not None

    @property
    def shorter_right(self) -> bool:
        """Whether a chain strictly shorter than the base predicts the target."""
        return self.shortest is not None and self.shortest.depth < self.base_depth


@dataclass(frozen=True)
class Outcomes:
    """The finished samples of a run that had a target, and what was counted over their chains."""

    samples: tuple[SampleOutcome, ...]
    n_in_file: int
    n_finished: int
    n_simulations: int
    n_chains: int
    n_not_scored: int
    """Chains with a non-finite logit, or set aside after a crash: they count as not right."""
    n_base_not_scored: int
    tree_depth_sum: int
    """Over all counted chains: edits from the base, which has 0 itself."""
    by_row: bool = False
    """Generated answers without choices: gold, target and predictions are rows of tasks.h5 (Run.by_row)."""

    @property
    def n_without_target(self) -> int:
        """Finished samples without anything to look for: no gold, or no wrong answer to draw."""
        return self.n_finished - len(self.samples)

    @property
    def n_unfinished(self) -> int:
        """Samples in the file whose search has not ended: left out everywhere."""
        return self.n_in_file - self.n_finished


def collect(run: Run) -> Outcomes:
    """Checks a run and boils it down. RunError if the file contradicts itself."""
    check_run(run)
    finished = run.samples["finished"] != 0
    counted = finished & (run.samples["target"] >= 0)
    counted_chain = np.repeat(counted, np.diff(run.chain_offsets))
    not_scored = run.chains["outcome"] != OUTCOME_SCORED
    return Outcomes(
        samples=tuple(_sample_outcome(run, int(i)) for i in np.flatnonzero(counted)),
        n_in_file=len(run.samples),
        n_finished=int(finished.sum()),
        n_simulations=int(run.samples["n_simulations"][counted].sum(dtype=np.int64)),
        n_chains=int(counted_chain.sum()),
        n_not_scored=int(not_scored[counted_chain].sum()),
        n_base_not_scored=int(not_scored[run.chain_offsets[:-1][counted]].sum()),
        tree_depth_sum=int(run.chains["depth"][counted_chain].sum(dtype=np.int64)),
        by_row=run.by_row,
    )


def _sample_outcome(run: Run, i: int) -> SampleOutcome:
    first, last = run.chain_rows(i)
    target = int(run.samples["target"][i])
    depth = run.chain_depth[first:last]
    right = np.flatnonzero(run.chains["prediction"][first:last] == target)
    shortest = None
    if len(right):
        layers = run.layers_of(first + int(right[np.argmin(depth[right])]))
        shortest = RightChain(depth=len(layers), unique_layers=len(np.unique(layers)))
    return SampleOutcome(
        index=int(run.samples["index"][i]),
        name=run.sample_name(i),
        gold=int(run.samples["gold"][i]),
        target=target,
        base_prediction=int(run.chains["prediction"][first]),
        base_depth=int(depth[0]),
        n_chains=last - first,
        first_right=int(right[0]) + 1 if len(right) else None,
        shortest=shortest,
        base_tokens=tuple(run.tokens[first].tolist()) if run.generated else (),
    )
