"""Runs as a stream of samples with the chains that were evaluated for them: what the exports write.

    groups = grouped([run_a, run_b])               runs over one task file are one group
    for sample in groups[0].samples(): ...         ascending; chains of all its runs, each chain once

Runs of one group (other spaces, presets, seeds, shards) add their chains: a chain's verdict is a function of
model, sample, chain and numerics, so those must agree, and a contradiction is refused. Memory: for each
run one block of chains, and some numbers a sample.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cola_analysis.blocks import Block
from cola_analysis.check import check_block, check_samples
from cola_analysis.error import RunError
from cola_analysis.export_choose import Visited
from cola_analysis.frames import sample_blocks
from cola_analysis.read import Run

BLOCK_CHAINS = 50_000
"""Chains held of each run: 30 layers each are 3 MB."""
NOT_EVALUATED = 2
"""Of chains/outcome: set aside after crashing its worker, so neither right nor wrong."""
SAME_EVERYWHERE = ("model_fingerprint",)
SAME_IN_GROUP = ("score", "grader", "metric", "numerics_id")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Exported:
    """One sample with all its evaluated chains; the first is the base."""

    id: str
    index: int
    """Row in tasks.h5."""
    question: str
    choices: list[str]
    """Empty where the answer is a text."""
    answer: str
    """The right choice's letter by its place, A first; else the right answer's text."""
    chains: list[Visited]

    @property
    def asked(self) -> str:
        """The question with its choices, a line each, as letters by place."""
        lines = [f"{_letter(i)}. {choice}" for i, choice in enumerate(self.choices)]
        return "\n".join([self.question, *lines])


@dataclass
class Group:
    """Runs over the same tasks."""

    runs: list[Run]
    n_unfinished: int = field(default=0, init=False)
    """Samples that no run has finished, counted by samples()."""
    n_without_gold: int = field(default=0, init=False)

    @property
    def task(self) -> str:
        """The benchmark's name."""
        return self.runs[0].attribute("task")

    def samples(self) -> Iterator[Exported]:
        """Finished samples with a known answer, ascending by their row in tasks.h5. Restarts the counts."""
        self.n_unfinished = self.n_without_gold = 0
        sources = [_Source(run) for run in self.runs]
        for index in sorted(set().union(*(source.position for source in sources))):
            known = [source for source in sources if index in source.position]
            finished = [source for source in known if source.is_finished(index)]
            if not finished:
                self.n_unfinished += 1
            elif not finished[0].has_gold(index):
                self.n_without_gold += 1
            else:
                yield _united([source.sample(index) for source in finished], self.runs)


def grouped(runs: Sequence[Run]) -> list[Group]:
    """One group for each task file, in the order given; RunError where runs cannot be exported together."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if run.is_control:
            raise RunError(f"{run.path}: a control looked for wrong answers; its chains are no labels")
        _must_agree(runs[0], run, SAME_EVERYWHERE)
        same = groups.setdefault(run.attribute("tasks_fingerprint"), [])
        same.append(run)
        _must_agree(same[0], run, SAME_IN_GROUP)
    return [Group(same) for same in groups.values()]


def _must_agree(first: Run, run: Run, keys: Sequence[str]) -> None:
    for key in keys:
        ours, theirs = first.attributes.get(key), run.attributes.get(key)
        if str(ours) != str(theirs):
            raise RunError(f"{run.path}: {key} is {theirs}, but that of {first.path} is {ours}")


def _letter(place: int) -> str:
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def _united(parts: list[Exported], runs: Sequence[Run]) -> Exported:
    """One sample as several runs have it."""
    first = parts[0]
    if len(parts) == 1:
        return first
    seen: dict[tuple[int, ...], Visited] = {}
    for part in parts:
        if (part.id, part.answer) != (first.id, first.answer):
            raise RunError(
                f"{runs[0].path} and the others: row {first.index} is {first.id!r} with answer "
                f"{first.answer!r}, and {part.id!r} with {part.answer!r}"
            )
        for chain in part.chains:
            known = seen.setdefault(chain.layers, chain)
            if known.right != chain.right:
                raise RunError(
                    f"{', '.join(run.path for run in runs)}: the chain {list(chain.layers)} is right for "
                    f"{first.id!r} in one of these runs and wrong in another"
                )
    return Exported(first.id, first.index, first.question, first.choices, first.answer, list(seen.values()))


class _Source:
    """The samples of one run, asked for in ascending order; holds one block."""

    def __init__(self, run: Run) -> None:
        check_samples(run)
        self._run = run
        self.position = {int(index): i for i, index in enumerate(run.column("samples/index"))}
        self._bounds = list(sample_blocks(run.chain_offsets, BLOCK_CHAINS))
        self._firsts = [first for first, _ in self._bounds]
        self._block: Block | None = None
        self._texts: dict[str, list[str]] = {}
        self._candidates = run.offsets("samples/candidate_offsets", run.n_samples)
        self._gold = run.column("samples/gold")

    def is_finished(self, index: int) -> bool:
        """Whether its search has ended, and has a base."""
        i = self.position[index]
        first, last = self._run.chain_rows(i)
        return bool(self._run.column("samples/finished")[i]) and last > first

    def has_gold(self, index: int) -> bool:
        """Whether the right answer is known."""
        return int(self._gold[self.position[index]]) >= 0

    def sample(self, index: int) -> Exported:
        """A finished sample with a known answer."""
        i, run = self.position[index], self._run
        block, texts = self._at(i)
        at = i - block.first_sample
        first_choice = int(self._candidates[block.first_sample])
        a, b = (self._candidates[i : i + 2] - first_choice).tolist()
        return Exported(
            id=texts["samples/id"][at],
            index=index,
            question=texts["texts/question"][at],
            choices=[] if run.by_row else texts["texts/choice"][a:b],
            answer=texts["texts/target"][at] if run.by_row else _letter(int(self._gold[i])),
            chains=self._chains(block, at),
        )

    def _chains(self, block: Block, at: int) -> list[Visited]:
        first, last = int(block.starts[at]), int(block.starts[at + 1])
        rows = np.flatnonzero(block.column("outcome")[first:last] != NOT_EVALUATED) + first
        if len(rows) == 0 or rows[0] != first:
            name = self._run.sample_name(block.first_sample + at)
            raise RunError(f"{self._run.path}: {name}: its base chain was set aside and has no verdict")
        right = (block.column("reward")[rows] == 1).tolist()
        bounds, values = block.layer_bounds[first : last + 1].tolist(), block.layer_values
        chains = []
        for row, is_right in zip(rows.tolist(), right, strict=True):
            layers = values[bounds[row - first] : bounds[row - first + 1]].tolist()
            chains.append(Visited(tuple(layers), is_right, block.first + row))
        return chains

    def _at(self, i: int) -> tuple[Block, dict[str, list[str]]]:
        """The block that has a sample, and the texts of all samples of it."""
        if self._block is None or not self._block.first_sample <= i < self._block.last_sample:
            first, last = self._bounds[bisect_right(self._firsts, i) - 1]
            self._block = Block(self._run, first, last)
            check_block(self._block)
            self._texts = {
                path: self._read(path, first, last, self._run.n_samples)
                for path in ("samples/id", "texts/question", "texts/target")
                if self._run.has(f"{path}_offsets")
            }
            a, b = self._candidates[[first, last]].tolist()
            self._texts["texts/choice"] = self._read("texts/choice", a, b, int(self._candidates[-1]))
        return self._block, self._texts

    def _read(self, path: str, first: int, last: int, n_rows: int) -> list[str]:
        flat, bounds = self._run.ragged(f"{path}_values", f"{path}_offsets", first, last, n_rows)
        data = flat.astype(np.uint8).tobytes()
        return [data[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(bounds.tolist())]
