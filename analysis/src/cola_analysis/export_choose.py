"""Which samples and chains go into an export, and in which order.

    choice = Choice(samples="solved", top=1)
    right, wrong = choice.chains(visited)          visited: the chains of one sample
    choice.wants(base_right, bool(right))

Right chains come the fewest layers first, of equals the fewest different layers, then the first evaluated.
Knows neither files nor formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

SAMPLES = {
    "all": "every finished sample",
    "solved": "those with a right chain that may be exported",
    "corrected": "of these, those whose base chain is wrong",
}


class Visited(NamedTuple):
    """A chain that a search evaluated for a sample."""

    layers: tuple[int, ...]
    right: bool
    row: int = 0
    """Where it stands in its file."""


@dataclass(frozen=True)
class Choice:
    """What is exported."""

    samples: str = "all"
    """A key of SAMPLES."""
    top: int | None = None
    """At most so many right chains a sample."""
    shorter: bool = False
    """Only right chains with fewer layers than the base."""
    routable: bool = False
    """Only right chains that decisions layer by layer can express (is_routable)."""

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Choice()

    def chains(self, visited: Sequence[Visited]) -> tuple[list[Visited], list[Visited]]:
        """The right chains to export, ranked, and all wrong ones, as evaluated; the base is the first."""
        right, wrong = [], []
        for chain in visited:
            if not chain.right:
                wrong.append(chain)
            elif self._fits(chain.layers, len(visited[0].layers)):
                right.append(chain)
        right.sort(key=lambda chain: (len(chain.layers), len(set(chain.layers))))
        return right[: self.top], wrong

    def wants(self, base_right: bool, solved: bool) -> bool:
        """Whether a sample is exported; solved: it has a right chain to export."""
        return self.samples == "all" or (solved and not (self.samples == "corrected" and base_right))

    def _fits(self, layers: Sequence[int], base_length: int) -> bool:
        if self.shorter and len(layers) >= base_length:
            return False
        return not self.routable or is_routable(layers)


def is_routable(layers: Iterable[int]) -> bool:
    """Whether a chain is made by deciding for each layer in turn: skip, execute, or execute twice.

    Dr.LLM's routers decide that way and count how often a layer stands in a chain. A looped block
    (3, 4, 3, 4) has the counts of another chain (3, 3, 4, 4), and three passes have no label.
    """
    chain = list(layers)
    ascends = all(a <= b for a, b in pairwise(chain))
    return ascends and all(chain[i] != chain[i + 2] for i in range(len(chain) - 2))
