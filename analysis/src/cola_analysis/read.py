"""Opens run.h5 (docs/format-run.md) and hands out its columns as numpy arrays.

    with Run.open("run.h5") as run:
        run.attribute("preset"), run.samples["gold"], run.chains["reward"]
        first, last = run.chain_rows(3)             rows of chains/ that belong to the fourth sample
        run.layers_of(first)                        the base chain

A column is read from the file at its first use, checked for its shape and kept. Whatever is wrong with a file
is a RunError that names the file and the data set or attribute. Knows the format, not what the numbers mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from cola_analysis.file_check import damage

FILETYPE = "cola-run"
MAJOR_VERSION = 1
CHOICE_GRADERS, ROW_GRADERS = ("letter",), ("boxed", "number")
"""Graders of generated answers: those that read a choice, and those that compare with another answer."""
NO_CONTROL = ("", "none")
"""Values of the attribute `control` of a run that looks for the right answer."""

Array = NDArray[Any]


class RunError(Exception):
    """A file that cannot be used; the text says which, what was expected, what was found."""


class Columns:
    """The data sets of one group of equal length, read when first asked for."""

    def __init__(self, run: Run, group: str, n_rows: int) -> None:
        self._run = run
        self._group = group
        self._n_rows = n_rows
        self._cache: dict[str, Array] = {}

    def __len__(self) -> int:
        return self._n_rows

    def __getitem__(self, name: str) -> Array:
        if name not in self._cache:
            column = self._run.dataset(f"{self._group}/{name}")
            if len(column) != self._n_rows:
                raise RunError(
                    f"{self._run.path}: data set {self._group}/{name} has {len(column)} rows, expected "
                    f"{self._n_rows}"
                )
            self._cache[name] = column
        return self._cache[name]


class Ragged:
    """Rows of unequal length: flat values and offsets, read when first asked for."""

    def __init__(self, run: Run, values: str, offsets: str, n_rows: int) -> None:
        self._run = run
        self._values_path = values
        self._values: Array | None = None
        self.offsets = run.offsets(offsets, n_rows)
        self.lengths: Array = np.diff(self.offsets)
        """Entries of each row."""

    @property
    def values(self) -> Array:
        """All rows, one after the other."""
        if self._values is None:
            values = self._run.dataset(self._values_path)
            if len(values) != self.offsets[-1]:
                raise RunError(
                    f"{self._run.path}: data set {self._values_path} has {len(values)} entries, "
                    f"its offsets end at {self.offsets[-1]}"
                )
            self._values = values
        return self._values

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Array:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[Array]:
        return (self[row] for row in range(len(self)))


class Run:
    """An open run.h5. Use Run.open; close it or use `with`."""

    def __init__(self, file: h5py.File, path: str) -> None:
        """Checks the file type and version and reads the offsets that tie samples to chains."""
        self._file = file
        self.path = path
        self.attributes: dict[str, Any] = {}
        try:
            for name in file.attrs:
                self.attributes[name] = _plain(file.attrs[name])
        except (OSError, RuntimeError) as error:
            raise RunError(f"{path}: cannot read the root attributes: {error}") from error
        self._check_type()
        n_samples = len(self.dataset("samples/index"))
        self.chain_offsets = self.offsets("samples/chain_offsets", n_samples)
        self.samples = Columns(self, "samples", n_samples)
        self.chains = Columns(self, "chains", int(self.chain_offsets[-1]))
        self.layers = Ragged(self, "chains/layer_values", "chains/layer_offsets", len(self.chains))
        self._scores: Ragged | None = None
        self._tokens: Ragged | None = None
        self._ids: Ragged | None = None
        self._target_texts: Ragged | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Opens a file for reading, without locks: a search that goes on may replace it at any time."""
        name = os.fspath(path)
        if not os.path.exists(name):
            raise RunError(f"{name}: no such file")
        try:
            wrong = damage(name)
            if wrong:
                raise RunError(f"{name}: {wrong}")
            file = h5py.File(name, "r", locking=False)
        except OSError as error:
            raise RunError(f"{name}: not a readable HDF5 file, or cut short ({error})") from error
        try:
            return cls(file, name)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Closes the file; columns that were read stay usable."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- attributes

    def attribute(self, name: str) -> str:
        """A root attribute as text; RunError where it is missing."""
        if name not in self.attributes:
            raise RunError(f"{self.path}: root attribute `{name}` is missing")
        return str(self.attributes[name])

    def keys(self, role: str) -> tuple[str, ...]:
        """Names of the attributes of a role: `identity`, `grows` or `provenance`."""
        return tuple(key for key in str(self.attributes.get(f"{role}_keys", "")).split("\n") if key)

    @property
    def control(self) -> str:
        """`none`, or what kind of control this run is (`wrong-answer`)."""
        value = str(self.attributes.get("control", "none"))
        return "none" if value in NO_CONTROL else value

    @property
    def is_control(self) -> bool:
        """Whether the search looked for something else than the right answer."""
        return self.control != "none"

    @property
    def generated(self) -> bool:
        """Whether chains generate answers instead of scoring candidates."""
        return self.attributes.get("score") == "generate"

    @property
    def by_row(self) -> bool:
        """Whether gold, target and prediction are rows of tasks.h5: generated answers without choices.

        A prediction is then the target, -1 (nothing parsed) or -2 (an answer that is not the target).
        """
        if not self.generated:
            return False
        grader = self.attributes.get("grader")
        if grader not in CHOICE_GRADERS + ROW_GRADERS:
            raise RunError(
                f"{self.path}: attribute `grader` is {grader!r}, expected one of "
                f"{', '.join(CHOICE_GRADERS + ROW_GRADERS)}"
            )
        return grader in ROW_GRADERS

    # --- rows

    def chain_rows(self, sample: int) -> tuple[int, int]:
        """First row of chains/ of the file's `sample`-th sample, and one past the last."""
        return int(self.chain_offsets[sample]), int(self.chain_offsets[sample + 1])

    def layers_of(self, row: int) -> Array:
        """The chain of a row of chains/: layer indices."""
        return self.layers[row]

    @property
    def chain_depth(self) -> Array:
        """Layers executed by each chain: its length."""
        return self.layers.lengths

    @property
    def scores(self) -> Ragged:
        """Scores of all candidates, one row a chain."""
        if self._scores is None:
            self._scores = Ragged(self, "scores/values", "scores/offsets", len(self.chains))
        return self._scores

    @property
    def tokens(self) -> Ragged:
        """Generated tokens, one row a chain; empty rows under other score rules."""
        if self._tokens is None:
            self._tokens = Ragged(self, "scores/token_values", "scores/token_offsets", len(self.chains))
        return self._tokens

    def target_text(self, sample: int) -> str | None:
        """The text of what a sample's search looked for; None: it looked for nothing."""
        if self._target_texts is None:
            self._target_texts = Ragged(
                self, "texts/target_values", "texts/target_offsets", len(self.samples)
            )
        if self.samples["target"][sample] < 0:
            return None
        return bytes(self._target_texts[sample].astype(np.uint8)).decode("utf-8", "replace")

    def sample_name(self, sample: int) -> str:
        """The benchmark's id of a sample and its row in tasks.h5, for messages."""
        if self._ids is None:
            self._ids = Ragged(self, "samples/id_values", "samples/id_offsets", len(self.samples))
        text = bytes(self._ids[sample].astype(np.uint8)).decode("utf-8", "replace")
        return f"{text or '(no id)'} (tasks row {int(self.samples['index'][sample])})"

    # --- data sets

    def dataset(self, path: str) -> Array:
        """A one-dimensional numeric data set, whole."""
        try:
            node = self._file[path]
            if not isinstance(node, h5py.Dataset) or node.ndim != 1 or node.dtype.kind not in "iuf":
                raise RunError(f"{self.path}: {path} is not a one-dimensional data set of numbers")
            return np.asarray(node[:])
        except KeyError as error:
            raise RunError(f"{self.path}: data set {path} is missing") from error
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"{self.path}: cannot read data set {path}; is the file cut short? ({error})"
            ) from error

    def offsets(self, path: str, n_rows: int) -> Array:
        """A data set of n_rows + 1 offsets that start at 0 and never descend, as int64."""
        offsets = self.dataset(path).astype(np.int64)
        if len(offsets) != n_rows + 1:
            raise RunError(f"{self.path}: data set {path} has {len(offsets)} entries, expected {n_rows + 1}")
        if offsets[0] != 0 or np.any(np.diff(offsets) < 0):
            raise RunError(f"{self.path}: data set {path} does not ascend from 0")
        return offsets

    def _check_type(self) -> None:
        filetype = self.attributes.get("filetype")
        if filetype != FILETYPE:
            found = "no attribute `filetype`" if filetype is None else f"filetype {filetype!r}"
            raise RunError(f"{self.path}: {found}, expected {FILETYPE!r}: not a result of `cola search`")
        version = np.atleast_1d(self.attributes.get("version", -1))
        if version[0] != MAJOR_VERSION:
            raise RunError(
                f"{self.path}: format version {'.'.join(str(v) for v in version)}, this program reads "
                f"version {MAJOR_VERSION}.x; use the cola-analysis that came with the program that wrote it"
            )


def _plain(value: Any) -> Any:
    """Attributes as Python strings and numbers, whatever string type wrote them."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return value.item() if isinstance(value, np.generic) else value
