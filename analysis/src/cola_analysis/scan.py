"""One pass over a run: what was found for each of its samples, which is the unit of every share and mean.

    scan = scan_run(run)
    scan.samples                  data frame, one row a counted sample; its columns: COLUMNS
    scan.layer_counts             [samples, L]: how often the sample's shortest right chain passes each layer
    scan.edits                    data frame: for each single edit of the base, how many samples it got right

Reads a file of any size in blocks and checks it on the way (check.py). `right` means: predicts the sample's
target, which in a control is the drawn wrong answer. Knows nothing of intervals, tables or wording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cola_analysis.blocks import Block, blocks
from cola_analysis.chain_keys import keys_of
from cola_analysis.check import OUTCOME_SCORED, check_block, check_samples
from cola_analysis.read import Array, Run, RunError

SHARES = (5, 10, 20, 100)
"""Percent of a sample's right chains, the shortest first, of which figure 7 shows the depth."""

COLUMNS = {
    "position": "of the sample in the file",
    "index": "row in tasks.h5",
    "id": "the benchmark's id",
    "gold": "right candidate",
    "target": "what the search looked for",
    "target_choice": "its text, where it is one of the choices",
    "base_prediction": "what the base chain predicts",
    "base_right": "whether that is the target",
    "base_depth": "layers of the base chain",
    "n_chains": "chains visited, the base included",
    "n_right": "of these, right ones",
    "first_right": "evaluations up to the first right chain, itself included (the base is 1); 0: none",
    "first_shorter": "the same for a right chain strictly shorter than the base; 0: none",
    "shortest_row": "row in chains/ of the shortest right chain, the first evaluated of equals; -1: none",
    "shortest_depth": "its layers; 0: none",
    "shortest_unique": "different layers in it; 0: none",
    "shortest_key": "a number that is equal for equal chains (chain_keys.py); 0: none",
    "least_depth": "layers of the shortest visited chain, right or not",
    **{
        f"depth_{p}": f"mean layers of the shortest {p} % of the right chains, at least one; NaN: none"
        for p in SHARES
    },
}

EDIT_KEYS = ("edit_kind", "edit_position", "edit_block", "edit_times")
EDIT_COUNTS = ("n_base_right", "n_kept", "n_base_wrong", "n_corrected")


@dataclass(frozen=True)
class Scan:
    """What one run found. Samples whose search has not finished, or that had no target, are not counted."""

    samples: pd.DataFrame
    layer_counts: Array
    edits: pd.DataFrame
    """Keys EDIT_KEYS; n_base_right, of these n_kept under the edit; n_base_wrong, of these n_corrected."""
    n_model_layers: int
    """0 if there is no counted sample."""
    n_in_file: int
    n_finished: int
    n_simulations: int
    n_chains: int
    n_not_scored: int
    """Chains with a non-finite logit, or set aside after a crash: they count as not right."""
    n_base_not_scored: int
    tree_depth_sum: int
    """Over all counted chains: edits from the base, which has 0 itself."""


def scan_run(run: Run) -> Scan:
    """Checks a run and boils it down in one pass. RunError if the file contradicts itself."""
    check_samples(run)
    finished = run.column("samples/finished") != 0
    counted = finished & (run.column("samples/target") >= 0)
    parts: list[pd.DataFrame] = []
    counts: list[Array] = []
    edits: list[pd.DataFrame] = []
    not_scored = bases_not_scored = tree_depth = 0
    for block in blocks(run):
        check_block(block)
        keep = counted[block.first_sample : block.last_sample]
        chains = keep[block.sample]
        unscored = block.column("outcome") != OUTCOME_SCORED
        not_scored += int(unscored[chains].sum())
        bases_not_scored += int(unscored[block.starts[:-1][keep]].sum())
        tree_depth += int(block.column("depth")[chains].sum(dtype=np.int64))
        right = chains & (block.column("reward") == 1)
        frame, layer_counts = _samples(block, keep, right)
        parts.append(frame)
        counts.append(layer_counts)
        edits.append(_edits(block, chains, right))
    n_layers = max((part.shape[1] for part in counts), default=0)
    if any(part.shape[1] not in (0, n_layers) for part in counts):
        raise RunError(f"{run.path}: base chains of different lengths: not of one model")
    frame = pd.concat(parts, ignore_index=True) if parts else _nothing()
    kept = [part for part in counts if len(part)]
    return Scan(
        samples=_name(run, frame),
        layer_counts=np.concatenate(kept) if kept else np.zeros((0, n_layers), dtype=np.uint16),
        edits=_sum_edits(edits),
        n_model_layers=n_layers,
        n_in_file=run.n_samples,
        n_finished=int(finished.sum()),
        n_simulations=int(run.column("samples/n_simulations")[counted].sum(dtype=np.int64)),
        n_chains=int(np.diff(run.chain_offsets)[counted].sum()),
        n_not_scored=not_scored,
        n_base_not_scored=bases_not_scored,
        tree_depth_sum=tree_depth,
    )


def _nothing() -> pd.DataFrame:
    numbers = [name for name in COLUMNS if name not in ("id", "target_choice")]
    return pd.DataFrame({name: pd.Series(dtype=np.int64) for name in numbers}).astype({"base_right": bool})


def _samples(block: Block, keep: Array, right: Array) -> tuple[pd.DataFrame, Array]:
    """The counted samples of a block, one row each, and the layers of their shortest right chains."""
    kept = np.flatnonzero(keep)
    n, base = block.n_samples, block.starts[:-1][kept]
    lengths = block.lengths
    columns: dict[str, Array] = {
        "position": block.first_sample + kept,
        **{name: block.of_samples(name)[kept].astype(np.int64) for name in ("index", "gold", "target")},
        "base_prediction": block.column("prediction")[base].astype(np.int64),
        "base_right": right[base],
        "base_depth": lengths[base],
        "n_chains": np.diff(block.starts)[kept],
    }
    rows = np.flatnonzero(right)
    owner = block.sample[rows]
    number = rows - block.starts[owner] + 1
    columns["n_right"] = np.bincount(owner, minlength=n)[kept]
    columns["first_right"] = _first_of(owner, number, n)[kept]
    base_depth = np.zeros(n, dtype=np.int64)
    base_depth[kept] = lengths[base]
    shorter = lengths[rows] < base_depth[owner]
    columns["first_shorter"] = _first_of(owner[shorter], number[shorter], n)[kept]
    order = np.lexsort((lengths[rows], owner))  # stable: the first evaluated of equals comes first
    rows = rows[order]
    begins = np.flatnonzero(np.diff(owner, prepend=-1))  # owner ascends, before and after sorting
    shortest = np.full(n, -1, dtype=np.int64)
    shortest[owner[begins]] = rows[begins]
    found = shortest[kept]
    columns["shortest_row"] = np.where(found >= 0, found + block.first, -1)
    columns["shortest_depth"] = np.where(found >= 0, lengths[found], 0)
    counts = _layer_counts(block, found, lengths[base])
    columns["shortest_unique"] = (counts > 0).sum(axis=1)
    columns["shortest_key"] = _keys(block, found)
    least = np.zeros(n, dtype=np.int64)
    least[block.bases] = np.minimum.reduceat(lengths, block.starts[:-1][block.bases])
    columns["least_depth"] = least[kept]
    for percent in SHARES:
        means = np.full(n, np.nan)
        means[owner[begins]] = _shortest_means(lengths[rows], begins, percent)
        columns[f"depth_{percent}"] = means[kept]
    return pd.DataFrame(columns), counts


def _first_of(owner: Array, number: Array, n: int) -> Array:
    """For each of n samples the first of its numbers, 0 where it has none; owner ascends."""
    first = np.zeros(n, dtype=np.int64)
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    first[owner[begins]] = number[begins]
    return first


def _shortest_means(lengths: Array, begins: Array, percent: int) -> Array:
    """Mean of the first `percent` % of each group of ascending lengths, at least of one."""
    sizes = np.diff(begins, append=len(lengths))
    taken = np.maximum((sizes * percent + 99) // 100, 1)
    sums = np.concatenate([[0], np.cumsum(lengths)])
    means: Array = (sums[begins + taken] - sums[begins]) / taken
    return means


def _layer_counts(block: Block, rows: Array, base_depths: Array) -> Array:
    """[len(rows), L]: passes through each layer by these chains; row -1: none."""
    if len(rows) == 0:
        return np.zeros((0, 0), dtype=np.uint16)
    n_layers = int(base_depths[0])
    have = np.flatnonzero(rows >= 0)
    layers, owner = block.gathered_layers(rows[have])
    if np.any(base_depths != n_layers) or (len(layers) and int(layers.max()) >= n_layers):
        raise RunError(
            f"{block.run.path}: a layer or a base chain beyond {n_layers} layers: not of one model"
        )
    flat = np.bincount(have[owner] * n_layers + layers, minlength=len(rows) * n_layers)
    return flat.reshape(len(rows), n_layers).astype(np.uint16)


def _keys(block: Block, rows: Array) -> Array:
    """Keys of these chains; row -1: none, 0."""
    keys = np.zeros(len(rows), dtype=np.uint64)
    have = np.flatnonzero(rows >= 0)
    layers, _ = block.gathered_layers(rows[have])
    keys[have] = keys_of(layers, np.concatenate([[0], np.cumsum(block.lengths[rows[have]])]))
    return keys


def _name(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """Adds the samples' ids and their targets' texts."""
    positions, targets = frame["position"].tolist(), frame["target"].tolist()
    frame.insert(2, "id", pd.Series([run.sample_id(i) for i in positions], dtype=object))
    pairs = zip(positions, targets, strict=True)
    texts = ["" if run.by_row else run.choice_text(i, target) for i, target in pairs]
    frame.insert(5, "target_choice", pd.Series(texts, dtype=object))
    return frame


def _edits(block: Block, chains: Array, right: Array) -> pd.DataFrame:
    """Single edits of the base: on how many samples of the block each was tried, and right."""
    rows = np.flatnonzero(chains & (block.column("edit_kind") != 0) & (block.column("parent") == 0))
    code = np.zeros(len(rows), dtype=np.int64)
    for name, width in zip(EDIT_KEYS, (8, 16, 8, 8), strict=True):
        code = (code << width) | block.column(name)[rows].astype(np.int64)
    unique, which = np.unique(code, return_inverse=True)
    base = right[block.starts[:-1].clip(max=len(block) - 1)][block.sample[rows]]
    frame = {
        "edit_kind": unique >> 32,
        "edit_position": (unique >> 16) & 0xFFFF,
        "edit_block": (unique >> 8) & 0xFF,
        "edit_times": unique & 0xFF,
    }
    for name, mask in zip(EDIT_COUNTS, (base, base & right[rows], ~base, ~base & right[rows]), strict=True):
        frame[name] = np.bincount(which[mask], minlength=len(unique))
    return pd.DataFrame(frame)


def _sum_edits(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=np.int64) for name in EDIT_KEYS + EDIT_COUNTS})
    return pd.concat(parts).groupby(list(EDIT_KEYS), as_index=False)[list(EDIT_COUNTS)].sum()
