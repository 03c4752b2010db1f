"""Runs with random content, and what is true of them by counting in plain Python."""

from __future__ import annotations

import random
from collections.abc import Sequence

from synthetic import BASE, N_CANDIDATES, Chain, Sample

L = len(BASE)


def edited(rng: random.Random, layers: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, int, int, int]]:
    """A chain with one block skipped, or repeated once or twice, and the edit."""
    while True:
        kind, block, position = rng.choice([1, 2]), rng.randint(1, 2), rng.randrange(len(layers))
        times = rng.randint(1, 2) if kind == 2 else 0
        if position + block > len(layers) or (kind == 1 and block == len(layers)):
            continue
        inside = tuple(layers[position : position + block])
        middle = inside * (times + 1) if kind == 2 else ()
        return (*layers[:position], *middle, *layers[position + block :]), (kind, position, block, times)


def sample(rng: random.Random, target: int, n_most: int = 9, hardness: float = 0.3) -> Sample:
    """Gold 0, one to n_most chains; some logits not finite, some samples unfinished or without target."""
    gold = 0
    chains = [Chain(BASE, _prediction(rng, hardness), depth=0, edit=(0, 0, 0, 0))]
    seen = {BASE}
    for _ in range(rng.randint(0, n_most - 1)):
        layers, edit = edited(rng, BASE)
        if layers not in seen:
            seen.add(layers)
            chains.append(Chain(layers, _prediction(rng, hardness), edit=edit))
    if rng.random() < 0.05:
        return Sample(chains, gold=-1, target=-1)
    return Sample(chains, gold=gold, target=target, finished=rng.random() < 0.9)


def pair(seed: int, n: int) -> tuple[list[Sample], list[Sample]]:
    """A run and its control: the same samples and bases, target 0 and 1."""
    run, control = [], []
    for i in range(n):
        ours = sample(random.Random(f"{seed} {i} run"), 0)
        theirs = sample(random.Random(f"{seed} {i} control"), 1)
        base = ours.chains[0]
        control.append(Sample([base, *theirs.chains[1:]], theirs.gold, theirs.target, theirs.finished))
        run.append(ours)
    return run, control


def right_chains(s: Sample) -> list[tuple[int, Chain]]:
    """The right chains of a sample with their numbers."""
    return [(i, c) for i, c in enumerate(s.chains) if c.prediction == s.sought]


def counted(samples: Sequence[Sample]) -> list[Sample]:
    """Finished samples with a target."""
    return [s for s in samples if s.finished and s.sought >= 0]


def _prediction(rng: random.Random, hardness: float) -> int | None:
    if rng.random() < 0.02:
        return None
    return rng.randrange(2) if rng.random() < hardness else rng.randrange(N_CANDIDATES)
