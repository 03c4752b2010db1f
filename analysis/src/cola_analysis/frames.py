"""Samples and chains of a run as pandas data frames: the samples whole, the chains in pieces.

    run.samples                                          one row a sample
    run.chains["reward"], run.chains[["sample", "length"]]
    run.chains.frame(["length", "text"], samples=slice(3, 4))
    for chains in run.chains.blocks(["sample", "length", "layers"], block=100_000): ...

A file may hold more chains than fit in memory, so only what is asked for is read, and blocks() goes through
the file once. Knows the format (docs/format-run.md), not what the numbers mean.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cola_analysis.chain_text import print_chain

if TYPE_CHECKING:
    from cola_analysis.read import Run

Array = NDArray[Any]

DEFAULT_BLOCK = 200_000
"""Chains of a block: 30 layers and 4 scores each are 15 MB."""

SAMPLE_NUMBERS = ("index", "gold", "target", "finished", "n_simulations")
STORED = (
    *("parent", "depth", "edit_kind", "edit_position", "edit_block", "edit_times"),
    *("simulation", "n_visits", "total_reward", "reward", "prediction", "outcome", "on_front"),
)
"""Columns that stand in chains/ under these names."""
ELSEWHERE = {
    "logsumexp": "scores/logsumexp",
    "argmax": "scores/argmax",
    "seconds": "timing/seconds",
    "layers_asked": "timing/layers_asked",
    "layers_executed": "timing/layers_executed",
    "row_layers": "timing/row_layers",
}
RAGGED = {
    "layers": ("chains/layer_values", "chains/layer_offsets"),
    "text": ("chains/layer_values", "chains/layer_offsets"),
    "scores": ("scores/values", "scores/offsets"),
    "tokens": ("scores/token_values", "scores/token_offsets"),
    "answer": ("scores/answer_values", "scores/answer_offsets"),
}
DERIVED = ("sample", "chain", "length")
"""Position of the sample in the file; number of the chain in its sample, the base is 0; layers executed."""
DEFAULT_COLUMNS = (*DERIVED, *STORED)
ALL_COLUMNS = (*DEFAULT_COLUMNS, *ELSEWHERE, *RAGGED)


def sample_frame(run: Run) -> pd.DataFrame:
    """One row a sample, in the file's order; the frame's index is what `sample` of chains means.

    Columns: index (row in tasks.h5), id, gold, target, finished, n_simulations, n_chains, n_candidates,
    question, target_text, choices and labels (a list of texts each).
    """
    n = run.n_samples
    frame = pd.DataFrame({name: run.column(f"samples/{name}") for name in SAMPLE_NUMBERS})
    frame["finished"] = frame["finished"] != 0
    frame.insert(1, "id", text_rows(run, "samples/id", n))
    frame["n_chains"] = np.diff(run.chain_offsets)
    bounds = run.offsets("samples/candidate_offsets", n)
    frame["n_candidates"] = np.diff(bounds)
    frame["question"] = text_rows(run, "texts/question", n)
    frame["target_text"] = text_rows(run, "texts/target", n) if run.has("texts/target_offsets") else [""] * n
    pairs = list(itertools.pairwise(bounds.tolist()))
    for column, path in (("choices", "texts/choice"), ("labels", "candidates/label")):
        texts = text_rows(run, path, int(bounds[-1]))
        frame[column] = pd.Series([texts[a:b] for a, b in pairs], dtype=object)
    return frame


class Chains:
    """The chains of a run: a table with one row a chain that is read in pieces."""

    columns = ALL_COLUMNS

    def __init__(self, run: Run) -> None:
        self._run = run

    def __len__(self) -> int:
        return self._run.n_chains

    @overload
    def __getitem__(self, names: str) -> pd.Series[Any]: ...

    @overload
    def __getitem__(self, names: list[str]) -> pd.DataFrame: ...

    def __getitem__(self, names: str | list[str]) -> pd.Series[Any] | pd.DataFrame:
        """One column, or several, of all chains."""
        frame = self.frame([names] if isinstance(names, str) else names)
        return frame[names]

    def frame(self, columns: Sequence[str] | None = None, samples: slice | None = None) -> pd.DataFrame:
        """Chains of the samples at these positions (default: all) with these columns.

        The frame's index is the row in chains/. `columns` may name anything of ALL_COLUMNS (default:
        DEFAULT_COLUMNS): `layers`, `scores` and `tokens` are arrays, `text` the chain in text form, `answer`
        what the grader read.
        """
        first, last, _ = (samples or slice(None)).indices(self._run.n_samples)
        return self._frame(columns or DEFAULT_COLUMNS, first, max(first, last))

    def blocks(
        self, columns: Sequence[str] | None = None, block: int = DEFAULT_BLOCK
    ) -> Iterator[pd.DataFrame]:
        """Frames of whole samples with about `block` chains each, in order."""
        for first, last in sample_blocks(self._run.chain_offsets, block):
            yield self._frame(columns or DEFAULT_COLUMNS, first, last)

    def _frame(self, columns: Sequence[str], first: int, last: int) -> pd.DataFrame:
        begin, end = int(self._run.chain_offsets[first]), int(self._run.chain_offsets[last])
        data: dict[str, Any] = {}
        for name in dict.fromkeys(columns):
            data[name] = self._column(name, first, last, begin, end)
        return pd.DataFrame(data, index=pd.RangeIndex(begin, end))

    def _column(self, name: str, first: int, last: int, begin: int, end: int) -> Any:
        run = self._run
        if name in STORED or name in ELSEWHERE:
            return stored_column(run, name, begin, end)
        if name == "length":
            return np.diff(run.offsets("chains/layer_offsets", run.n_chains, begin, end))
        if name in ("sample", "chain"):
            counts = np.diff(run.chain_offsets[first : last + 1])
            if name == "sample":
                return np.repeat(np.arange(first, last), counts)
            return np.arange(begin, end) - np.repeat(run.chain_offsets[first:last], counts)
        if name not in RAGGED:
            raise KeyError(f"no column {name!r}; there are {', '.join(ALL_COLUMNS)}")
        values, offsets = RAGGED[name]
        if name == "answer" and not run.has(offsets):
            return [""] * (end - begin)
        flat, bounds = run.ragged(values, offsets, begin, end, run.n_chains)
        return _rows(flat, bounds, FORMS.get(name))


def stored_column(run: Run, name: str, begin: int, end: int) -> Any:
    """A column of STORED or ELSEWHERE at rows begin to end of chains/; 0 where the file is too old for it."""
    if name == "row_layers" and not run.has(ELSEWHERE[name]):
        return np.zeros(end - begin, dtype=np.uint64)
    return run.column(ELSEWHERE.get(name, f"chains/{name}"), begin, end)


def sample_blocks(chain_offsets: Array, block: int) -> Iterator[tuple[int, int]]:
    """Ranges of samples with about `block` chains, at least one sample each; a larger sample is alone."""
    n, first = len(chain_offsets) - 1, 0
    while first < n:
        last = int(np.searchsorted(chain_offsets, chain_offsets[first] + block, side="right")) - 1
        last = min(max(last, first + 1), n)
        if chain_offsets[last] > chain_offsets[first]:
            yield first, last
        first = last


def _text_of(layers: Array) -> str:
    return print_chain(layers.tolist())


def _answer_of(values: Array) -> str:
    return bytes(values.astype(np.uint8)).decode("utf-8", "replace")


FORMS: dict[str, Callable[[Array], Any]] = {"text": _text_of, "answer": _answer_of}


def _rows(flat: Array, bounds: Array, form: Callable[[Array], Any] | None) -> Any:
    rows = np.empty(len(bounds) - 1, dtype=object)
    for i, (a, b) in enumerate(itertools.pairwise(bounds.tolist())):
        rows[i] = form(flat[a:b]) if form else flat[a:b]
    return rows


def text_rows(run: Run, path: str, n_rows: int) -> list[str]:
    """A ragged column of texts, whole: `path` without _values and _offsets."""
    flat, bounds = run.ragged(f"{path}_values", f"{path}_offsets", 0, n_rows, n_rows)
    data = flat.astype(np.uint8).tobytes()
    return [data[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(bounds.tolist())]
