"""A run as Parquet tables, for pandas, Polars, DuckDB, Spark and R: chains, samples, and attributes.

    OUT/chains.parquet      one row a chain, all columns of run.h5; a row group a block
    OUT/samples.parquet     one row a sample, with its texts
    OUT/runs.parquet        one row an attribute of a run

The tables are joined by `run` (position in the command line) and `sample` (position in the run). Holds one
block. Needs pyarrow: pip install 'cola-analysis[parquet]'.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from cola_analysis.blocks import Block, blocks
from cola_analysis.check import check_block, check_samples
from cola_analysis.error import RunError
from cola_analysis.export_choose import Choice, Visited
from cola_analysis.export_file import whole_file
from cola_analysis.export_polar import Written
from cola_analysis.frames import ELSEWHERE, STORED, stored_column
from cola_analysis.read import Array, Run

LISTS = {
    "layers": ("chains/layer_values", "chains/layer_offsets"),
    "scores": ("scores/values", "scores/offsets"),
    "tokens": ("scores/token_values", "scores/token_offsets"),
}
BLOCK_CHAINS = 50_000
SAMPLE_COLUMNS = ("index", "gold", "target", "finished", "n_simulations")


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise RunError(
            "pyarrow is not installed; --format parquet needs it:\n  pip install 'cola-analysis[parquet]'"
        ) from error
    return pyarrow


def export_parquet(runs: Sequence[Run], out: Path, choice: Choice, force: bool = False) -> Written:
    """Writes the three tables into a directory. Controls may be among the runs: it is a copy, not labels."""
    pa = _pyarrow()
    written = Written(out)
    with ExitStack() as stack:

        def writer(name: str) -> Callable[[Any], None]:
            """A function that appends tables to a file, opened with the first one's schema."""
            part = stack.enter_context(whole_file(out / f"{name}.parquet", force))
            opened: list[Any] = []

            def append(table: Any) -> None:
                if not opened:
                    opened.append(stack.enter_context(pa.parquet.ParquetWriter(part, table.schema)))
                if table.num_rows:
                    opened[0].write_table(table)

            return append

        chains, samples, attributes = (writer(name) for name in ("chains", "samples", "runs"))
        for number, run in enumerate(runs):
            check_samples(run)
            attributes(_attributes(pa, number, run))
            kept = np.full(run.n_samples, choice.everything)
            # the columns, where there are no chains
            chains(_chains(pa, number, Block(run, 0, 0), np.zeros(0, dtype=np.int64)))
            for block in blocks(run, BLOCK_CHAINS):
                check_block(block)
                rows = _rows(block, choice, kept)
                chains(_chains(pa, number, block, rows))
                right = int((block.column("reward")[rows] == 1).sum())
                written.n_right += right
                written.n_wrong += len(rows) - right
                written.n_right_left_out += int((block.column("reward") == 1).sum()) - right
            samples(_samples(pa, number, run, kept))
            written.n_samples += int(kept.sum())
            written.n_left_out += int((~kept).sum())
    return written


def _rows(block: Block, choice: Choice, kept: Array) -> Array:
    """Rows of the block that are exported; marks their samples.

    A choice takes right chains alone, of finished samples.
    """
    if choice.everything:
        return np.arange(len(block))
    right = block.column("reward") == 1
    usable = (block.of_samples("finished") != 0) & (block.of_samples("target") >= 0)
    bounds, values = block.layer_bounds, block.layer_values
    chosen: list[int] = []
    for at in np.flatnonzero(usable & (np.diff(block.starts) > 0)).tolist():
        rows = range(int(block.starts[at]), int(block.starts[at + 1]))
        wanted = [rows[0], *(row for row in rows[1:] if right[row])]
        visited = [
            Visited(tuple(values[bounds[row] : bounds[row + 1]].tolist()), bool(right[row]), row)
            for row in wanted
        ]
        found, _ = choice.chains(visited)
        if choice.wants(visited[0].right, bool(found)):
            kept[block.first_sample + at] = True
            chosen += [chain.row for chain in found]
    return np.array(sorted(chosen), dtype=np.int64)


def _chains(pa: Any, number: int, block: Block, rows: Array) -> Any:
    run, first, last = block.run, block.first, block.last
    sample = block.first_sample + block.sample
    columns = {
        "run": pa.array(np.full(len(rows), number, dtype=np.int32)),
        "sample": pa.array(sample[rows].astype(np.int32)),
        "chain": pa.array((np.arange(len(block)) - block.starts[block.sample])[rows].astype(np.int32)),
        "length": pa.array(block.lengths[rows].astype(np.int32)),
    }
    for name, (values, offsets) in LISTS.items():
        flat, bounds = run.ragged(values, offsets, first, last, run.n_chains)
        columns[name] = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pa.array(flat)).take(
            pa.array(rows)
        )
    columns["answer"] = _answers(pa, block).take(pa.array(rows))
    for name in (*STORED, *ELSEWHERE):
        columns[name] = pa.array(stored_column(run, name, first, last)[rows])
    return pa.table(columns)


def _answers(pa: Any, block: Block) -> Any:
    """What the grader read; files of version 1.0 have none. Bytes that are no UTF-8 become U+FFFD."""
    run = block.run
    if not run.has("scores/answer_offsets"):
        return pa.array([""] * len(block), type=pa.string())
    flat, bounds = run.ragged(
        "scores/answer_values", "scores/answer_offsets", block.first, block.last, run.n_chains
    )
    data, ends = flat.astype(np.uint8).tobytes(), bounds.tolist()
    texts = [data[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(ends)]
    return pa.array(texts, type=pa.string())


def _samples(pa: Any, number: int, run: Run, kept: Array) -> Any:
    frame = run.samples
    rows = np.flatnonzero(kept)
    columns = {
        "run": pa.array(np.full(len(rows), number, dtype=np.int32)),
        "sample": pa.array(rows.astype(np.int32)),
    }
    for name in SAMPLE_COLUMNS:
        columns[name] = pa.array(frame[name].to_numpy()[rows])
    for name in ("id", "question", "target_text"):
        columns[name] = pa.array(frame[name].iloc[rows].tolist(), type=pa.string())
    for name in ("choices", "labels"):
        columns[name] = pa.array(frame[name].iloc[rows].tolist(), type=pa.list_(pa.string()))
    return pa.table(columns)


def _attributes(pa: Any, number: int, run: Run) -> Any:
    roles = {key: role for role in ("identity", "grows", "provenance") for key in run.keys(role)}
    names = sorted(run.attributes)
    columns = {
        "run": pa.array([number] * len(names), type=pa.int32()),
        "file": pa.array([os.path.basename(run.path)] * len(names), type=pa.string()),
        "name": pa.array(names, type=pa.string()),
        "role": pa.array([roles.get(name, "format") for name in names], type=pa.string()),
        "value": pa.array([str(run.attributes[name]) for name in names], type=pa.string()),
    }
    return pa.table(columns)
