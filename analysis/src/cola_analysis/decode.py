"""Generated tokens back to text: the vocabulary and golds of tasks.h5 beside the tokens of run.h5.

    answers = Answers.open(run, "tasks.h5")
    answers.text(row), answers.sought(sample)

A run.h5 holds token ids only, so the tasks.h5 that it was searched with must be given; ids of samples are
compared, so that another benchmark's file is refused. Formats: docs/format-tasks.md, docs/format-run.md.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cola_analysis.file_check import damage
from cola_analysis.read import Ragged, Run, RunError

Array = NDArray[Any]


def _dataset(file: h5py.File, path: str, name: str) -> Array:
    try:
        return np.asarray(file[name][:])
    except (KeyError, OSError, RuntimeError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: data set {name} is missing or cannot be read ({error})") from error


def _rows(file: h5py.File, path: str, values: str, offsets: str) -> list[bytes]:
    """A ragged column of bytes, row by row."""
    flat = _dataset(file, path, values).astype(np.uint8).tobytes()
    bounds = _dataset(file, path, offsets).astype(np.int64)
    if len(bounds) == 0 or bounds[0] != 0 or bounds[-1] != len(flat) or np.any(np.diff(bounds) < 0):
        raise RunError(f"{path}: data set {offsets} does not ascend from 0 to {len(flat)}")
    return [flat[a:b] for a, b in itertools.pairwise(bounds.tolist())]


@dataclass(frozen=True)
class Tasks:
    """What grading needs of a tasks.h5."""

    path: str
    ids: list[bytes]
    vocabulary: list[bytes]
    stop_tokens: frozenset[int]

    @classmethod
    def open(cls, path: str) -> Tasks:
        """Reads a tasks.h5 of score rule `generate`; RunError where it is none or has no vocabulary."""
        try:
            wrong = damage(path)
            if wrong:
                raise RunError(f"{path}: {wrong}")
            file = h5py.File(path, "r", locking=False)
        except OSError as error:
            raise RunError(f"{path}: not a readable HDF5 file ({error})") from error
        with file:
            filetype = file.attrs.get("filetype")
            if filetype not in ("cola-tasks", b"cola-tasks"):
                raise RunError(
                    f"{path}: filetype {filetype!r}, expected 'cola-tasks': not what prepare.py writes"
                )
            if "vocabulary" not in file:
                raise RunError(
                    f"{path}: there is no vocabulary/, so tokens cannot be read as text; prepare it again"
                )
            stop = np.atleast_1d(file.attrs.get("stop_tokens", np.zeros(0, dtype=np.int32)))
            return cls(
                path,
                _rows(file, path, "samples/id_values", "samples/id_offsets"),
                _rows(file, path, "vocabulary/values", "vocabulary/offsets"),
                frozenset(int(token) for token in stop),
            )


class Answers:
    """Texts that a run generated, one a chain, and the answer each sample was searched for."""

    def __init__(self, run: Run, tasks: Tasks) -> None:
        """Checks that the run is of rule `generate` and that both files are of the same samples."""
        self._run = run
        self._tasks = tasks
        if run.attribute("score") != "generate":
            raise RunError(
                f"{run.path}: score rule {run.attribute('score')}; only `generate` stores tokens to grade"
            )
        n_samples = len(run.samples)
        ids = Ragged(run, "samples/id_values", "samples/id_offsets", n_samples)
        for sample, index in enumerate(run.samples["index"]):
            theirs = tasks.ids[int(index)] if int(index) < len(tasks.ids) else None
            if theirs != bytes(ids[sample].astype(np.uint8)):
                raise RunError(
                    f"{tasks.path}: row {int(index)} has id {theirs!r}, but {run.path} says "
                    f"{run.sample_name(sample)}: not the tasks that were searched"
                )

    @classmethod
    def open(cls, run: Run, tasks: str) -> Answers:
        """The answers of an open run with the tasks.h5 at a path."""
        return cls(run, Tasks.open(tasks))

    def has_tokens(self, row: int) -> bool:
        """Whether a chain generated anything: not where it crashed or its logits were not finite."""
        return bool(self._run.tokens.lengths[row] > 0)

    def text(self, row: int) -> str:
        """What a row of chains/ generated, up to its stop token; bytes that are no UTF-8 become U+FFFD.

        A token that the vocabulary does not have stands for nothing, as it does for the search.
        """
        parts = []
        for token in self._run.tokens[row].tolist():
            if token in self._tasks.stop_tokens:
                break
            if token < len(self._tasks.vocabulary):
                parts.append(self._tasks.vocabulary[token])
        return b"".join(parts).decode("utf-8", "replace")

    def sought(self, sample: int) -> str | None:
        """The text of the answer that the search looked for; None if the sample has none."""
        return self._run.target_text(sample)
