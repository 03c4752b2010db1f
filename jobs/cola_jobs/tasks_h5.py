"""Writes tasks.h5 (docs/format-tasks.md): plain columns, ragged ones as flat values and offsets."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import xxhash
from numpy.typing import DTypeLike

VERSION = (1, 1)
BLOCK_BYTES = 512  # the first block, which HDF5 skips: it holds the check of the bytes behind it


@dataclass(frozen=True)
class Candidate:
    """One choice of a sample."""

    tokens: list[int]
    label: str
    text: str


@dataclass(frozen=True)
class Sample:
    """One row of the benchmark, encoded."""

    id: str
    prompt: list[int]
    candidates: list[Candidate]
    gold: int
    question: str
    of_sample: int | None = None  # of a re-ordering: the sample whose choices it re-orders
    order: tuple[int, ...] = ()  # and which of that sample's candidates each of its own is


@dataclass(frozen=True)
class Generate:
    """Settings of the score rule generate."""

    grader: str
    max_new_tokens: int
    stop_tokens: list[int]


@dataclass(frozen=True)
class Tasks:
    """All that a file holds."""

    task: str
    model_name: str
    score: str
    program: str
    samples: list[Sample]
    fingerprints: dict[str, str]  # tokenizer, template, data
    vocabulary: list[bytes] | None = None
    generate: Generate | None = None
    extra: dict[str, str] = field(default_factory=dict)  # further root attributes; names begin with x_


def reordered(sample: Sample, of_sample: int, order: Sequence[int]) -> Sample:
    """The sample, marked as a re-ordering of an earlier one."""
    return dataclasses.replace(sample, of_sample=of_sample, order=tuple(order))


def fingerprint(*parts: bytes) -> str:
    """XXH3-128 of the parts, each after its length as eight bytes; one part alone is hashed as it is."""
    state = xxhash.xxh3_128()
    for part in parts:
        if len(parts) > 1:
            state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return f"xxh3:{state.hexdigest()}"


def _ragged(group: h5py.Group, name: str, rows: Sequence[Sequence[int]], dtype: DTypeLike) -> None:
    """Rows of numbers or bytes as NAME_offsets and NAME_values (vocabulary: `offsets` and `values`)."""
    prefix = f"{name}_" if name else ""
    lengths = np.array([len(row) for row in rows], dtype=np.uint64)
    group[f"{prefix}offsets"] = np.concatenate([np.zeros(1, np.uint64), np.cumsum(lengths, dtype=np.uint64)])
    if rows and isinstance(rows[0], bytes):
        group[f"{prefix}values"] = np.frombuffer(b"".join(rows), dtype=dtype)  # type: ignore[arg-type]
    else:
        group[f"{prefix}values"] = np.array([value for row in rows for value in row], dtype=dtype)


def _write_attributes(file: h5py.File, tasks: Tasks) -> None:
    file.attrs["filetype"] = "cola-tasks"
    file.attrs["version"] = np.array(VERSION, dtype=np.int32)
    file.attrs["program"] = tasks.program
    file.attrs["task"] = tasks.task
    file.attrs["model_name"] = tasks.model_name
    file.attrs["score"] = tasks.score
    if tasks.generate:
        file.attrs["grader"] = tasks.generate.grader
        file.attrs["max_new_tokens"] = np.int32(tasks.generate.max_new_tokens)
        file.attrs["stop_tokens"] = np.array(tasks.generate.stop_tokens, dtype=np.int32)
    for name in ("tokenizer", "template", "data"):
        file.attrs[f"{name}_fingerprint"] = tasks.fingerprints[name]
    for name, value in tasks.extra.items():
        file.attrs[name] = value


def _write_columns(file: h5py.File, tasks: Tasks) -> None:
    samples = tasks.samples
    candidates = [candidate for sample in samples for candidate in sample.candidates]
    counts = np.array([len(sample.candidates) for sample in samples], dtype=np.uint64)
    group = file.create_group("samples")
    _ragged(group, "id", [sample.id.encode() for sample in samples], np.uint8)
    _ragged(group, "prompt", [sample.prompt for sample in samples], np.int32)
    group["gold"] = np.array([sample.gold for sample in samples], dtype=np.int32)
    group["candidate_offsets"] = np.concatenate([np.zeros(1, np.uint64), np.cumsum(counts, dtype=np.uint64)])
    group = file.create_group("candidates")
    _ragged(group, "token", [candidate.tokens for candidate in candidates], np.int32)
    group["n_bytes"] = np.array([len(candidate.text.encode()) for candidate in candidates], dtype=np.uint32)
    _ragged(group, "label", [candidate.label.encode() for candidate in candidates], np.uint8)
    group = file.create_group("texts")
    _ragged(group, "question", [sample.question.encode() for sample in samples], np.uint8)
    _ragged(group, "choice", [candidate.text.encode() for candidate in candidates], np.uint8)
    if tasks.vocabulary is not None:
        _ragged(file.create_group("vocabulary"), "", tasks.vocabulary, np.uint8)


def _write_reorderings(file: h5py.File, samples: list[Sample]) -> None:
    """The two columns that say which sample and candidate each one is; none where no sample is re-ordered."""
    if all(sample.of_sample is None for sample in samples):
        return
    of_sample: list[int] = []
    of_candidate: list[int] = []
    for index, sample in enumerate(samples):
        of_sample.append(index if sample.of_sample is None else sample.of_sample)
        of_candidate.extend(sample.order or range(len(sample.candidates)))
    file["samples/of_sample"] = np.array(of_sample, dtype=np.uint32)
    file["candidates/of_candidate"] = np.array(of_candidate, dtype=np.uint32)


def seal(path: Path) -> None:
    """Fills the first block of a closed file that was made with userblock_size=BLOCK_BYTES."""
    state = xxhash.xxh3_128()
    with path.open("r+b") as file:
        file.seek(BLOCK_BYTES)
        while piece := file.read(1 << 20):
            state.update(piece)
        n_bytes = file.tell() - BLOCK_BYTES
        file.seek(0)
        file.write(
            f"cola-check 1\nxxh3 {state.hexdigest()}\nbytes {n_bytes}\n".encode().ljust(BLOCK_BYTES, b"\0")
        )


def write(path: Path, tasks: Tasks) -> None:
    """Writes beside the target and renames: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        with h5py.File(temporary, "w", userblock_size=BLOCK_BYTES) as file:
            _write_attributes(file, tasks)
            _write_columns(file, tasks)
            _write_reorderings(file, tasks.samples)
        seal(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
