"""What one run found for each of its samples: the unit of every share that is reported.

One SampleOutcome a finished sample, made of what scan.py counts. Knows nothing of intervals or wording.
"""

from __future__ import annotations

from dataclasses import dataclass

from cola_analysis.read import Run
from cola_analysis.scan import Scan, scan_run


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
    return outcomes_of(run, scan_run(run))


def outcomes_of(run: Run, scan: Scan) -> Outcomes:
    """The outcomes of a run that was gone over already."""
    names = ("index", "gold", "target", "base_prediction", "base_depth", "n_chains", "first_right")
    frame = scan.samples
    columns = [frame[name].tolist() for name in ("position", *names, "shortest_depth", "shortest_unique")]
    samples = []
    for position, index, gold, target, base, depth, n_chains, first, shortest, unique in zip(
        *columns, strict=True
    ):
        samples.append(
            SampleOutcome(
                index=index,
                name=run.sample_name(position),
                gold=gold,
                target=target,
                base_prediction=base,
                base_depth=depth,
                n_chains=n_chains,
                first_right=first or None,
                shortest=RightChain(shortest, unique) if first else None,
                base_tokens=tuple(run.tokens[run.chain_rows(position)[0]].tolist()) if run.generated else (),
            )
        )
    return Outcomes(
        samples=tuple(samples),
        n_in_file=scan.n_in_file,
        n_finished=scan.n_finished,
        n_simulations=scan.n_simulations,
        n_chains=scan.n_chains,
        n_not_scored=scan.n_not_scored,
        n_base_not_scored=scan.n_base_not_scored,
        tree_depth_sum=scan.tree_depth_sum,
        by_row=run.by_row,
    )
