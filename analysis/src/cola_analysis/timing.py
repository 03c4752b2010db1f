"""Who searched and what it cost: timing/sessions/ and timing/workers/ of run.h5 as data frames.

    run.timing_sessions      one row a process that searched
    run.timing_workers       one row a worker of a process

Files before version 1.2 do not tell: their frames have the same columns and no rows. Knows the format
(docs/format-run.md), not what the numbers mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cola_analysis.error import RunError
from cola_analysis.frames import Array, text_rows

if TYPE_CHECKING:
    from cola_analysis.read import Run

SESSION_NUMBERS = ("began", "search_s", "master_cpu_s", "tree_cpu_s", "n_evaluations")
WORKER_NUMBERS = (
    *("busy_s", "utilisation", "n_evaluations", "layers_asked", "layers_executed"),
    *("row_layers_asked", "row_layers_executed", "memory_bytes", "state_bytes"),
)
SESSION_COLUMNS = ("run", "shard", "number", *SESSION_NUMBERS)
WORKER_COLUMNS = ("session", "run", "shard", "number", "rank", "host", "device", *WORKER_NUMBERS)


def session_frame(run: Run) -> pd.DataFrame:
    """One row a process that searched, in the file's order; began is a time in UTC.

    run is the run_id that it wrote, number its place among the processes of that run. shard is -1 where the
    run is no shard.
    """
    group = "timing/sessions"
    if not run.has(f"{group}/number"):
        return pd.DataFrame(columns=list(SESSION_COLUMNS))
    n = run.length(f"{group}/number")
    frame = pd.DataFrame({name: _column(run, f"{group}/{name}", n) for name in ("shard", "number")})
    frame.insert(0, "run", pd.Series(text_rows(run, f"{group}/run", n), dtype=object))
    for name in SESSION_NUMBERS:
        frame[name] = _column(run, f"{group}/{name}", n)
    frame["began"] = pd.to_datetime(frame["began"], unit="s", utc=True, errors="coerce")
    return frame


def worker_frame(run: Run) -> pd.DataFrame:
    """One row a worker of a process: session is its row of session_frame, whose names it repeats.

    utilisation is busy_s of the session's search_s. What was shared between chains of a sample is
    1 - row_layers_executed / row_layers_asked. memory_bytes counts weights that the workers of a node share
    in each of them.
    """
    group = "timing/workers"
    if not run.has(f"{group}/session"):
        return pd.DataFrame(columns=list(WORKER_COLUMNS))
    sessions = session_frame(run)
    n = run.length(f"{group}/session")
    session = _column(run, f"{group}/session", n).astype(np.int64)
    if n and int(session.max()) >= len(sessions):
        raise RunError(f"{run.path}: data set {group}/session names a row that timing/sessions has not")
    frame = pd.DataFrame({"session": session})
    for name in ("run", "shard", "number"):
        frame[name] = sessions[name].to_numpy()[session]
    frame["rank"] = _column(run, f"{group}/rank", n)
    for name in ("host", "device"):
        frame[name] = pd.Series(text_rows(run, f"{group}/{name}", n), dtype=object)
    for name in WORKER_NUMBERS:
        frame[name] = _column(run, f"{group}/{name}", n)
    return frame


def _column(run: Run, path: str, n: int) -> Array:
    found = run.dataset(path)
    if len(found) != n:
        raise RunError(f"{run.path}: data set {path} has {len(found)} rows, expected {n}")
    return found
