"""Opens run.h5 (docs/format-run.md) and hands out its tables, whole or in pieces.

    with Run.open("run.h5") as run:
        run.attribute("preset"), run.samples[["id", "gold"]], run.chains["reward"]      pandas
        for chains in run.iter_chains(["sample", "length", "reward"], block=100_000):   larger than memory
            ...
        first, last = run.chain_rows(3)             rows of chains/ that belong to the fourth sample
        run.layers_of(first)                        the base chain

Nothing is read before it is asked for. Whatever is wrong with a file is a RunError that names the file and
the data set or attribute. Knows the format, not what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cola_analysis.error import RunError
from cola_analysis.frames import DEFAULT_BLOCK, Chains, sample_frame
from cola_analysis.open_file import OpenFile
from cola_analysis.timing import session_frame, worker_frame

FILETYPE = "cola-run"
MAJOR_VERSION = 1
CHOICE_GRADERS, ROW_GRADERS = ("letter",), ("boxed", "number")
"""Graders of generated answers: those that read a choice, and those that compare with another answer."""
NO_CONTROL = ("", "none")
"""Values of the attribute `control` of a run that looks for the right answer."""

__all__ = ["Array", "Ragged", "Run", "RunError"]

Array = NDArray[Any]


class Ragged:
    """Rows of unequal length: flat values and offsets, read when first asked for and kept."""

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
            self._run.check_values(self._values_path, int(self.offsets[-1]))
            self._values = self._run.dataset(self._values_path)
        return self._values

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Array:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[Array]:
        return (self[row] for row in range(len(self)))


class Run(OpenFile):
    """An open run.h5. Use Run.open; close it or use `with`."""

    def __init__(self, file: h5py.File, path: str) -> None:
        """Checks the file type and version and reads the offsets that tie samples to chains."""
        super().__init__(file, path)
        self.attributes: dict[str, Any] = {}
        self._nodes: dict[str, h5py.Dataset] = {}
        self._columns: dict[str, Array] = {}
        try:
            for name in file.attrs:
                self.attributes[name] = _plain(file.attrs[name])
        except (OSError, RuntimeError) as error:
            raise RunError(f"{path}: cannot read the root attributes: {error}") from error
        self._check_type()
        self.n_samples = self.length("samples/index")
        self.chain_offsets = self.offsets("samples/chain_offsets", self.n_samples)
        """Rows of chains/: the sample at position i of the file has [i] up to [i + 1]."""
        self.n_chains = int(self.chain_offsets[-1])
        self._expect("chains/layer_offsets", self.n_chains + 1)
        self.chains = Chains(self)
        """One row a chain; columns and pieces are read when asked for (frames.py)."""
        self._samples: pd.DataFrame | None = None
        self._ragged: dict[str, Ragged] = {}
        self._candidate_offsets: Array | None = None

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

    # --- tables

    @property
    def samples(self) -> pd.DataFrame:
        """One row a sample of the file, with its texts; columns: frames.sample_frame."""
        if self._samples is None:
            self._samples = sample_frame(self)
        return self._samples

    def iter_chains(
        self, columns: Sequence[str] | None = None, block: int = DEFAULT_BLOCK
    ) -> Iterator[pd.DataFrame]:
        """Data frames of whole samples with about `block` chains each; columns as of Chains.frame."""
        return self.chains.blocks(columns, block)

    @property
    def timing_sessions(self) -> pd.DataFrame:
        """One row a process that searched; columns: timing.session_frame. No rows before version 1.2."""
        return session_frame(self)

    @property
    def timing_workers(self) -> pd.DataFrame:
        """One row a worker of a process; columns: timing.worker_frame. No rows before version 1.2."""
        return worker_frame(self)

    @property
    def provenance(self) -> dict[str, str]:
        """How the run was made, which decides nothing about its labels."""
        return {key: str(self.attributes[key]) for key in self.keys("provenance") if key in self.attributes}

    @property
    def identity(self) -> dict[str, str]:
        """What decides the labels: attributes of the roles identity and grows."""
        keys = self.keys("identity") + self.keys("grows")
        return {key: str(self.attributes[key]) for key in keys if key in self.attributes}

    # --- rows

    def chain_rows(self, sample: int) -> tuple[int, int]:
        """First row of chains/ of the file's `sample`-th sample, and one past the last."""
        return int(self.chain_offsets[sample]), int(self.chain_offsets[sample + 1])

    def layers_of(self, row: int) -> Array:
        """The chain of a row of chains/: layer indices."""
        return self.layers[row]

    @property
    def layers(self) -> Ragged:
        """Layer indices, one row a chain; whole in memory."""
        return self._whole("chains/layer_values", "chains/layer_offsets", self.n_chains)

    @property
    def chain_depth(self) -> Array:
        """Layers executed by each chain: its length."""
        return self.layers.lengths

    @property
    def scores(self) -> Ragged:
        """Scores of all candidates, one row a chain; whole in memory."""
        return self._whole("scores/values", "scores/offsets", self.n_chains)

    @property
    def tokens(self) -> Ragged:
        """Generated tokens, one row a chain; empty rows under other score rules."""
        return self._whole("scores/token_values", "scores/token_offsets", self.n_chains)

    def target_text(self, sample: int) -> str | None:
        """The text of what a sample's search looked for; None: it looked for nothing."""
        texts = self._whole("texts/target_values", "texts/target_offsets", self.n_samples)
        if self.column("samples/target")[sample] < 0:
            return None
        return bytes(texts[sample].astype(np.uint8)).decode("utf-8", "replace")

    def sample_id(self, sample: int) -> str:
        """The benchmark's id of a sample."""
        ids = self._whole("samples/id_values", "samples/id_offsets", self.n_samples)
        return bytes(ids[sample].astype(np.uint8)).decode("utf-8", "replace")

    def choice_text(self, sample: int, candidate: int) -> str:
        """The text of one of a sample's choices; empty where it has no such choice."""
        if self._candidate_offsets is None:
            self._candidate_offsets = self.offsets("samples/candidate_offsets", self.n_samples)
        first, last = self._candidate_offsets[sample : sample + 2].tolist()
        if not 0 <= candidate < last - first:
            return ""
        texts = self._whole("texts/choice_values", "texts/choice_offsets", int(self._candidate_offsets[-1]))
        return bytes(texts[first + candidate].astype(np.uint8)).decode("utf-8", "replace")

    def sample_name(self, sample: int) -> str:
        """The benchmark's id of a sample and its row in tasks.h5, for messages."""
        index = int(self.column("samples/index")[sample])
        return f"{self.sample_id(sample) or '(no id)'} (tasks row {index})"

    def _whole(self, values: str, offsets: str, n_rows: int) -> Ragged:
        if values not in self._ragged:
            self._ragged[values] = Ragged(self, values, offsets, n_rows)
        return self._ragged[values]

    # --- data sets

    def has(self, path: str) -> bool:
        """Whether the file has a data set: those of a later minor version may be missing."""
        return path in self._file

    def length(self, path: str) -> int:
        """Entries of a one-dimensional numeric data set."""
        return len(self._node(path))

    def dataset(self, path: str, first: int = 0, last: int | None = None) -> Array:
        """Entries [first, last) of a one-dimensional numeric data set; whole by default."""
        node = self._node(path)
        try:
            return np.asarray(node[first:last])
        except (OSError, RuntimeError) as error:
            raise RunError(
                f"{self.path}: cannot read data set {path}; is the file cut short? ({error})"
            ) from error

    def column(self, path: str, first: int = 0, last: int | None = None) -> Array:
        """As dataset, of a data set with one entry a sample or a chain; a sample's is kept."""
        group = path.partition("/")[0]
        expected = self.n_samples if group in ("samples", "texts") else self.n_chains
        if path in self._columns:
            return self._columns[path][first:last]
        found = self.length(path)
        if found != expected:
            raise RunError(f"{self.path}: data set {path} has {found} rows, expected {expected}")
        if group != "samples":
            return self.dataset(path, first, last)
        self._columns[path] = self.dataset(path)
        return self._columns[path][first:last]

    def offsets(self, path: str, n_rows: int, first: int = 0, last: int | None = None) -> Array:
        """Offsets of rows [first, last) of n_rows, one more than rows, as int64; checked to ascend."""
        self._expect(path, n_rows + 1)
        last = n_rows if last is None else last
        offsets = self.dataset(path, first, last + 1).astype(np.int64)
        if (first == 0 and offsets[0] != 0) or np.any(np.diff(offsets) < 0):
            raise RunError(f"{self.path}: data set {path} does not ascend from 0")
        return offsets

    def ragged(self, values: str, offsets: str, first: int, last: int, n_rows: int) -> tuple[Array, Array]:
        """Rows [first, last) of a ragged column: their values, and their offsets counted from 0."""
        bounds = self.offsets(offsets, n_rows, first, last)
        if last == n_rows:
            self.check_values(values, int(bounds[-1]))
        found = self.dataset(values, int(bounds[0]), int(bounds[-1]))
        if len(found) != bounds[-1] - bounds[0]:
            raise RunError(
                f"{self.path}: data set {values} has {self.length(values)} entries, "
                f"its offsets reach {bounds[-1]}"
            )
        return found, bounds - bounds[0]

    def check_values(self, path: str, expected: int) -> None:
        """RunError unless a flat data set is as long as its offsets say."""
        found = self.length(path)
        if found != expected:
            raise RunError(f"{self.path}: data set {path} has {found} entries, its offsets end at {expected}")

    def _expect(self, path: str, expected: int) -> None:
        found = self.length(path)
        if found != expected:
            raise RunError(f"{self.path}: data set {path} has {found} entries, expected {expected}")

    def _node(self, path: str) -> h5py.Dataset:
        if path not in self._nodes:
            try:
                node = self._file[path]
            except KeyError as error:
                raise RunError(f"{self.path}: data set {path} is missing") from error
            except (OSError, RuntimeError, ValueError) as error:
                raise RunError(f"{self.path}: cannot open data set {path} ({error})") from error
            if not isinstance(node, h5py.Dataset) or node.ndim != 1 or node.dtype.kind not in "iuf":
                raise RunError(f"{self.path}: {path} is not a one-dimensional data set of numbers")
            self._nodes[path] = node
        return self._nodes[path]

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
