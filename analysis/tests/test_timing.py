"""run.timing_sessions and run.timing_workers: what a file of 1.2 tells, and that older ones tell nothing."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from synthetic import SHORT, Chain, File, Sample, base

from cola_analysis import timing
from cola_analysis.read import Run, RunError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return File([Sample([base(0), Chain(SHORT, 1)])]).write(tmp_path / "run.h5")


def put_texts(group: h5py.Group, name: str, texts: list[str]) -> None:
    rows = [text.encode() for text in texts]
    group[f"{name}_values"] = np.frombuffer(b"".join(rows), dtype=np.uint8)
    group[f"{name}_offsets"] = np.cumsum([0, *map(len, rows)]).astype(np.uint64)


def put_timing(path: Path) -> None:
    """Two processes of shard 1 and one of another run: 2, 1 and 0 workers."""
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array([1, 2], dtype=np.int32)
        file["timing/row_layers"] = np.array([60, 40], dtype=np.uint64)
        sessions = file.create_group("timing/sessions")
        sessions["shard"] = np.array([1, 1, -1], dtype=np.int32)
        sessions["number"] = np.array([0, 2, 0], dtype=np.uint32)
        put_texts(sessions, "run", ["aa", "aa", "b"])
        sessions["began"] = np.array([1767225600.5, 0.0, 1e300])
        for i, name in enumerate(("search_s", "master_cpu_s", "tree_cpu_s")):
            sessions[name] = np.array([10.0, 20.0, 30.0]) + i
        sessions["n_evaluations"] = np.array([7, 8, 9], dtype=np.uint64)
        workers = file.create_group("timing/workers")
        workers["session"] = np.array([0, 0, 1], dtype=np.uint32)
        workers["rank"] = np.array([1, 2, 1], dtype=np.uint32)
        put_texts(workers, "host", ["n1", "node2", ""])
        put_texts(workers, "device", ["d", "", "avx512, 2 threads"])
        for i, name in enumerate(timing.WORKER_NUMBERS):
            kind = np.float64 if i < 2 else np.uint64
            workers[name] = np.array([100, 200, 300], dtype=kind) + kind(i)


def test_a_file_without_them_has_the_columns_and_no_rows(path: Path) -> None:
    with Run.open(path) as run:
        assert len(run.timing_sessions) == len(run.timing_workers) == 0
        assert tuple(run.timing_sessions.columns) == timing.SESSION_COLUMNS
        assert tuple(run.timing_workers.columns) == timing.WORKER_COLUMNS
        assert run.chains["row_layers"].tolist() == [0, 0]


def test_sessions_and_workers_are_what_was_written(path: Path) -> None:
    put_timing(path)
    with Run.open(path) as run:
        sessions, workers = run.timing_sessions, run.timing_workers
        assert run.chains["row_layers"].tolist() == [60, 40]
    assert tuple(sessions.columns) == timing.SESSION_COLUMNS
    assert tuple(workers.columns) == timing.WORKER_COLUMNS
    assert sessions["run"].tolist() == ["aa", "aa", "b"]
    assert sessions["number"].tolist() == [0, 2, 0]
    assert sessions["began"][0] == pd.Timestamp("2026-01-01T00:00:00.5Z")
    assert sessions["began"].isna().tolist() == [False, False, True]
    assert sessions["tree_cpu_s"].tolist() == [12, 22, 32]
    assert workers["run"].tolist() == ["aa"] * 3
    assert workers["shard"].tolist() == [1, 1, 1]
    assert workers["number"].tolist() == [0, 0, 2]
    assert workers["host"].tolist() == ["n1", "node2", ""]
    assert workers["device"].tolist() == ["d", "", "avx512, 2 threads"]
    assert workers["state_bytes"].tolist() == [108, 208, 308]
    assert workers["utilisation"].tolist() == [101, 201, 301]


def test_a_worker_of_no_session_and_a_short_column_are_refused(path: Path) -> None:
    put_timing(path)
    with h5py.File(path, "r+") as file:
        file["timing/workers/session"][2] = 3
    with Run.open(path) as run, pytest.raises(RunError, match="timing/workers/session names a row"):
        _ = run.timing_workers
    with h5py.File(path, "r+") as file:
        file["timing/workers/session"][2] = 1
        del file["timing/workers/busy_s"]
        file["timing/workers/busy_s"] = np.zeros(2)
    with Run.open(path) as run, pytest.raises(RunError, match="timing/workers/busy_s has 2 rows, expected 3"):
        _ = run.timing_workers
