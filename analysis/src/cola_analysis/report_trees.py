"""One run.h5 as data of the report's page: its samples in columns, and the tree of each sample, packed.

    tree_data(result, most_chains=1_000_000)   -> a dictionary for json_block

A tree is a base64 string: the number of chains (uint32), then little-endian columns with one entry a chain
(COLUMNS), then the layers of the chains that are stored whole (uint16). All others are stored as their edit
of their parent, far smaller: the page makes the layers when it shows a chain (report_page/data.js).
An edit that does not give the chain in the file is not trusted: such a chain is stored whole. Knows nothing
of how the page looks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cola_analysis.check import OUTCOME_SCORED
from cola_analysis.frames import sample_blocks
from cola_analysis.read import Array, Run, RunError
from cola_analysis.report_embed import base64_of, clean
from cola_analysis.results import Result

COLUMNS = {
    "parent": "uint32",
    "visits": "uint32",
    "answer": "uint32",
    "total": "float32",
    "prediction": "int32",
    "position": "uint16",
    "length": "uint16",
    "kind": "uint8",
    "block": "uint8",
    "times": "uint8",
    "flags": "uint8",
}
"""Columns of a tree in their order; narrowed() makes them smaller where a file allows it. parent: of the base
0; total: sum of rewards; answer: entry of the sample's answers; flags: see below."""
FLAG_RIGHT, FLAG_FRONT, FLAG_WHOLE, FLAG_NOT_SCORED = 1, 2, 4, 8
SKIP, REPEAT = 1, 2

READ = (
    *("chain", "layers", "parent", "n_visits", "total_reward", "prediction", "reward", "outcome"),
    *("on_front", "edit_kind", "edit_position", "edit_block", "edit_times"),
)
SAMPLES_OF_SCAN = ("base_prediction", "n_right", "first_right", "shortest_depth", "base_depth")
BLOCK = 20_000
"""Chains read at once."""

NOT_COUNTED, STAYS, SHORTENED, CORRECTED, NEVER = range(5)
"""What became of a sample; the page has the words."""


def tree_data(result: Result, most_chains: int) -> dict[str, Any]:
    """Samples and trees of one file; of samples beyond `most_chains` chains in all the tree is left out."""
    with Run.open(result.path) as run:
        n_trees = int(np.searchsorted(run.chain_offsets, most_chains, side="right")) - 1
        columns = narrowed(run)
        trees, answers = _trees(run, n_trees, columns)
        return {
            "title": clean(f"{result.label}{', control' if result.is_control else ''} ({result.path})"),
            "isControl": result.is_control,
            "byRow": result.by_row,
            "generated": run.generated,
            "nLayers": _n_layers(run),
            "columns": list(columns.items()),
            "samples": _samples(result, run),
            "trees": trees,
            "answers": answers,
            "nChains": int(run.chain_offsets[n_trees]),
        }


def narrowed(run: Run) -> dict[str, str]:
    """COLUMNS with the smallest types that hold this file's values."""
    columns = dict(COLUMNS)
    if not run.generated:
        del columns["answer"]
    most = int(np.diff(run.chain_offsets).max(initial=0))
    if most < 1 << 16:
        columns["parent"] = "uint16"
        if run.generated:
            columns["answer"] = "uint16"
    if int(run.column("samples/n_simulations").max(initial=0)) < 1 << 16:
        columns["visits"] = "uint16"
    if not run.by_row:
        columns["prediction"] = "int16"
    return columns


def _n_layers(run: Run) -> int:
    """Layers of the model: those of the first base chain; 0 if no sample was begun."""
    return int(run.offsets("chains/layer_offsets", run.n_chains, 0, 1)[1]) if run.n_chains else 0


def _samples(result: Result, run: Run) -> dict[str, Any]:
    """Columns of all samples of the file; what is counted of finished ones only is null for the others."""
    frame = run.samples
    scanned = result.scan.samples.set_index("position")
    counted = scanned.reindex(range(len(frame)))
    data: dict[str, Any] = {
        name: frame[name].tolist() for name in ("index", "gold", "target", "finished", "n_chains")
    }
    for name in ("id", "question", "target_text"):
        data[name] = [clean(text) for text in frame[name]]
    for name in ("choices", "labels"):
        data[name] = [[clean(text) for text in texts] for texts in frame[name]]
    for name in SAMPLES_OF_SCAN:
        data[name] = [None if pd.isna(v) else int(v) for v in counted[name]]
    data["outcome"] = _outcome_codes(scanned, len(frame))
    data["control_right"] = _control_right(result, data["index"])
    return data


def _outcome_codes(scanned: pd.DataFrame, n: int) -> list[int]:
    codes = np.full(n, NOT_COUNTED)
    right, found = scanned["base_right"].to_numpy(bool), scanned["n_right"].to_numpy() > 0
    shorter = scanned["first_shorter"].to_numpy() > 0
    names = (right & ~shorter, right & shorter, ~right & found, ~right & ~found)
    codes[scanned.index.to_numpy()] = np.select(names, (STAYS, SHORTENED, CORRECTED, NEVER))
    found_codes: list[int] = codes.tolist()
    return found_codes


def _control_right(result: Result, indices: list[int]) -> list[int | None]:
    """For each sample how many of the control's chains gave its drawn answer; null: not counted there."""
    if result.control is None:
        return [None] * len(indices)
    theirs = result.control.scan.samples.set_index("index")["n_right"].to_dict()
    return [int(theirs[index]) if index in theirs else None for index in indices]


def _trees(run: Run, n_trees: int, columns: dict[str, str]) -> tuple[list[str | None], list[list[str]]]:
    """One packed tree a sample (null: left out), and each sample's different answers."""
    trees: list[str | None] = [None] * run.n_samples
    answers: list[list[str]] = [[] for _ in range(run.n_samples)] if run.generated else []
    read = (*READ, "answer") if run.generated else READ
    for first, last in sample_blocks(run.chain_offsets[: n_trees + 1], BLOCK):
        block = run.chains.frame(("sample", *read), samples=slice(first, last))
        for sample, chains in block.groupby("sample", sort=False):
            position = int(str(sample))
            if run.generated:
                codes, texts = pd.factorize(chains["answer"])
                chains = chains.assign(answer=codes)
                answers[position] = [clean(text) for text in texts]
            trees[position] = _pack(run, position, chains, columns)
    return trees, answers


def _pack(run: Run, sample: int, chains: pd.DataFrame, columns: dict[str, str]) -> str:
    parents = chains["parent"].to_numpy(np.int64)
    _check_parents(run, sample, parents)
    layers = [tuple(row.tolist()) for row in chains["layers"]]
    whole = _stored_whole(chains, layers)
    flags = (
        FLAG_RIGHT * (chains["reward"].to_numpy() == 1)
        + FLAG_FRONT * (chains["on_front"].to_numpy() != 0)
        + FLAG_WHOLE * whole
        + FLAG_NOT_SCORED * (chains["outcome"].to_numpy() != OUTCOME_SCORED)
    )
    values: dict[str, Any] = {
        "parent": np.maximum(parents, 0),
        "visits": chains["n_visits"],
        "total": chains["total_reward"],
        "prediction": chains["prediction"],
        "position": chains["edit_position"],
        "length": [len(chain) for chain in layers],
        "kind": chains["edit_kind"],
        "block": chains["edit_block"],
        "times": chains["edit_times"],
        "flags": flags,
    }
    if "answer" in columns:
        values["answer"] = chains["answer"]
    packed = [_little(np.asarray(values[name]), dtype) for name, dtype in columns.items()]
    stored = [layer for chain, is_whole in zip(layers, whole, strict=True) if is_whole for layer in chain]
    head = _little(np.array([len(layers)]), "uint32")
    return base64_of(b"".join([head, *packed, _little(np.array(stored, dtype=np.int64), "uint16")]))


def _check_parents(run: Run, sample: int, parents: Array) -> None:
    """Each comes before its children, so that the page can go through a tree once; the base has none."""
    earlier = (parents >= 0) & (parents < np.arange(len(parents)))
    for chain in (np.flatnonzero(~earlier[1:]) + 1)[:1].tolist():
        raise RunError(
            f"{run.path}: sample {run.sample_name(sample)}: chain {chain} has parent {parents[chain]}, "
            "expected an earlier chain of the sample"
        )


def _little(values: Array, dtype: str) -> bytes:
    return values.astype(np.dtype(dtype).newbyteorder("<")).tobytes()


def _stored_whole(chains: pd.DataFrame, layers: list[tuple[int, ...]]) -> Array:
    """For each chain whether its edit does not lead from its parent to it; the base is stored whole."""
    names = ("parent", "edit_kind", "edit_position", "edit_block", "edit_times")
    edits = zip(*(chains[name].tolist() for name in names), strict=True)
    whole = [
        chain == 0 or edited(layers[parent], *edit) != layers[chain]
        for chain, (parent, *edit) in enumerate(edits)
    ]
    return np.array(whole, dtype=bool)


def edited(layers: tuple[int, ...], kind: int, position: int, block: int, times: int) -> tuple[int, ...]:
    """A chain after an edit of docs/format-run.md; empty if it is none of one block."""
    end = position + block
    if kind == SKIP:
        return layers[:position] + layers[end:]
    if kind == REPEAT:
        return layers[:end] + layers[position:end] * times + layers[end:]
    return ()
