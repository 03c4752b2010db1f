"""What is certain to fail in a job, found before anything is submitted; `plan` says the same as `submit`.

sweep_file checks what the file alone can tell. Here are the checks that need rows, models, the program or
what was submitted before.
"""

import subprocess
from pathlib import Path

from cola_jobs.progress import JobError
from cola_jobs.sweep_file import Run, Sweep, Tasks
from cola_jobs.sweep_state import State
from cola_jobs.sweep_status import n_samples
from cola_jobs.sweep_submit import check_same, check_tasks

NOWHERE = "/dev/null"  # no directory, so nothing can be in it


def check_options(sweep: Sweep, runs: list[Run]) -> None:
    """Asks `cola search` itself about the values: with tasks that cannot be there it reads its options, says
    with exit status 2 which is wrong, and does nothing."""
    seen: set[tuple[str, ...]] = set()
    for run in runs:
        if run.options in seen:
            continue
        seen.add(run.options)
        files = [f"{NOWHERE}/tasks.h5", "--model", f"{NOWHERE}/model", "--out", f"{NOWHERE}/run.h5"]
        command = [str(sweep.cola), "search", *files, *run.options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 2:
            words = done.stderr.strip().removeprefix("cola: error: ")
            raise JobError(f"{sweep.path}: {run.id}: cola search says: {words}")


def refusal(run: Run, state: State) -> str:
    """Why `submit` would not submit this run, though others; empty if it would."""
    try:
        check_tasks(run.tasks, state)
        check_same(run, state.runs.get(run.id))
    except JobError as error:
        return str(error)
    return ""


def expected_samples(tasks: Tasks) -> int | None:
    """Of tasks.h5; before it is made, at most: by limit, and by the lines of JSONL files. None: unknown."""
    n = n_samples(tasks)
    if n is not None:
        return n
    bounds = [] if tasks.limit is None else [tasks.limit]
    if all(row.endswith((".jsonl", ".json")) and Path(row).exists() for row in tasks.rows):
        lines = 0
        for row in tasks.rows:
            with Path(row).open("rb") as file:
                lines += sum(1 for line in file if line.strip())
        bounds.append(max(0, lines - tasks.skip))
    return min(bounds) * (1 + tasks.reorder) if bounds else None


def check_shards(runs: list[Run], state: State) -> None:
    """Refuses runs with more shards than rows: `cola search` fails on a shard without a row, and the merge
    waits for it for ever. All are named together, since all come from the same few lines of the file."""
    wrong = [text for text in (too_many_shards(run, state) for run in runs) if text]
    if wrong:
        raise JobError("\n".join([*wrong, "until this is put right, nothing is submitted"]))


def too_many_shards(run: Run, state: State) -> str:
    """Why this run has too many shards; empty if it has not, or if that is not known yet."""
    before = state.runs.get(run.id)
    has_jobs = before is not None and bool(before.jobs)
    if before is not None and has_jobs and before.shards != run.slurm.shards:
        return ""  # refused anyway, with other words
    n = expected_samples(run.tasks)
    if n is None or run.slurm.shards <= max(n, 1):
        return ""
    most = "" if run.tasks.path.exists() else "at most "
    also = " and, as this run has jobs already, use another directory" if has_jobs else ""
    return (
        f"{run.id}: {run.slurm.shards} shards of {most}{n} rows: some would have none, and fail; set "
        f"slurm.shards to {n} or less{also}"
    )
