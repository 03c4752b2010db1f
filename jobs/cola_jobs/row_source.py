"""Where rows come from: JSON lines, Parquet files, or a data set of the Hugging Face hub by its name.

Gives decoded rows one by one, each with its place for error messages, and knows nothing of what is in them.
pyarrow (Parquet) and datasets (the hub) are imported only where they are asked for: the demo needs neither.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cola_jobs.progress import JobError

HUB = "hf:"
PARQUET_HINT = ".venv/bin/python -m pip install -r jobs/requirements-parquet.txt"
DATASETS_HINT = ".venv/bin/python -m pip install datasets"


@dataclass(frozen=True)
class Row:
    """One row as read, or what is wrong with it."""

    where: str
    content: Any = None
    problem: str = ""


def _decode(where: str, line: bytes) -> Row:
    try:
        return Row(where, json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        return Row(where, problem=f"is not UTF-8 (byte {error.start} of the line)")
    except (ValueError, RecursionError) as error:
        return Row(where, problem=f"is not JSON: {error}")


def _json_lines(path: Path) -> Iterator[Row]:
    """Every line that is not blank."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _decode(f"{path}:{number}", line)
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror}") from error


def _parquet(path: Path) -> Iterator[Row]:
    """Every row, counted from 1; columns of records and lists become objects and lists."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise JobError(f"{path}: reading Parquet needs pyarrow, which is missing: {PARQUET_HINT}") from error
    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for content in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}: row {number}", content)
    except (ArrowException, OSError) as error:
        raise JobError(f"{path}: cannot be read as Parquet: {error}") from error


def _hub(source: str) -> Iterator[Row]:
    """The rows of hf:REPOSITORY[:CONFIGURATION]:SPLIT, counted from 1."""
    parts = source.removeprefix(HUB).split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise JobError(f"{source}: expected hf:REPOSITORY:SPLIT or hf:REPOSITORY:CONFIGURATION:SPLIT")
    try:
        import datasets
    except ImportError as error:
        raise JobError(
            f"{source}: needs the package datasets, which is missing: {DATASETS_HINT}; or download the data "
            "set's Parquet file and give its path"
        ) from error
    try:
        loaded = datasets.load_dataset(*parts[:-1], split=parts[-1])
    except Exception as error:  # datasets raises whatever its loaders and the network raise
        raise JobError(f"{source}: datasets cannot load it: {error}") from error
    for number, content in enumerate(loaded, start=1):
        yield Row(f"{source}: row {number}", dict(content))


def read(sources: Iterable[str]) -> Iterator[Row]:
    """All rows of all sources, one source after another."""
    for source in sources:
        if source.startswith(HUB):
            yield from _hub(source)
        elif source.endswith(".parquet"):
            yield from _parquet(Path(source))
        else:
            yield from _json_lines(Path(source))
