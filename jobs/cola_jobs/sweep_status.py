"""The table of `sweep.py status`: one line a run, then what failed, with the last lines of its log."""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cola_jobs.sweep_facts import ABSENT, DEAD, DONE, Facts, Queue
from cola_jobs.sweep_file import Tasks
from cola_jobs.sweep_slurm import NEVER

TAIL_BYTES = 8192
DIGITS = re.compile(r"[0-9]+")


@dataclass
class Line:
    """One run, in numbers."""

    id: str
    n_samples: int | None
    n_finished: int
    n_evaluated: int
    found: tuple[int, int]
    rate: float  # evaluations/s of the shards that run
    left_s: float | None
    shards: Counter[str]  # states
    merge: str
    failures: list[str] = field(default_factory=list)


def n_samples(tasks: Tasks) -> int | None:
    """Samples of tasks.h5; None if it is not there."""
    if not tasks.path.exists():
        return None
    import h5py

    with h5py.File(tasks.path) as file:
        return int(file["samples/gold"].shape[0])


def shard_rows(n: int, shard: int, shards: int) -> int:
    """Rows of one shard, as `cola search --shard` cuts them."""
    return n * (shard + 1) // shards - n * shard // shards


def tail(path: Path, n_lines: int = 5) -> list[str]:
    """The last lines of a log that say something; control characters are not passed on."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return [f"no log {path}: the job did not start, or its node cannot write there"]
    lines = ["".join(c if c.isprintable() else " " for c in line).rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip(" -")]
    return lines[-n_lines:] or [f"{path} is empty"]


def _merge_words(facts: Facts, queue: Queue, comment: str) -> str:
    if facts.run.slurm.shards == 1:
        return ""
    if facts.merged and facts.merged.complete:
        return "merged"
    if facts.merge_active:
        return f"merge {facts.merge_active.state.lower()}"
    job = facts.state.merge_job()
    line = queue.of(job, 0, comment) if job else None
    if line and line.reason == NEVER:
        return "merge waits for ever"
    return "merge dead" if job and all(where == DONE for where in facts.where) else "not merged"


def _failures(facts: Facts, queue: Queue, comment: str) -> list[str]:
    """Shards that died; those whose last words differ only in numbers, such as the time, together."""
    groups: dict[tuple[str, ...], list[tuple[int, str, list[str]]]] = {}
    for i, where in enumerate(facts.where):
        if where != DEAD:
            continue
        job = facts.state.job_of(i)
        if job is None:
            continue
        line = queue.of(job, i, comment)
        state = line.state.lower() if line else "not in the queue"
        if line and line.reason == NEVER:
            state = "never starts: what it waits for failed"
        words = tail(job.log_of(i))
        words = [w for w in words if not w.startswith("no log")] if line and line.reason == NEVER else words
        key = tuple(DIGITS.sub("#", word) for word in words)
        groups.setdefault(key, []).append((i, f"job {job.task_id(i)}, {state}, {job.log_of(i)}", words))
    lines = []
    for members in groups.values():
        shard, what, words = members[0]
        others = f" (and {len(members) - 1} shards more that end alike)" if len(members) > 1 else ""
        lines.append(f"{facts.run.id}: shard {shard} of {facts.run.slurm.shards} is dead: {what}{others}")
        lines += [f"    {word}" for word in words]
    return lines


def _merge_failure(facts: Facts, words: str) -> list[str]:
    job = facts.state.merge_job()
    if words != "merge dead" or job is None:
        return []
    log = job.log_of(0)
    return [f"{facts.run.id}: the merge is dead: job {job.id}, {log}", *(f"    {w}" for w in tail(log))]


def line_of(facts: Facts, queue: Queue, comment: str, merge_comment: str) -> Line:
    """Sums of a run's shards."""
    run, n = facts.run, n_samples(facts.run.tasks)
    files = [facts.merged] if facts.merged and facts.merged.complete else facts.shards
    totals = []
    for i, shard in enumerate(files):
        rows = None if n is None else shard_rows(n, i, len(files))
        totals.append(shard.n_samples if shard.n_samples is not None else rows)
    running = [s for s, where in zip(files, facts.where, strict=False) if where == "running"]
    finished, evaluated = sum(s.n_finished for s in files), sum(s.n_evaluated for s in files)
    rate = sum(s.rate for s in running)
    total = None if any(t is None for t in totals) else sum(t for t in totals if t is not None)
    left = None
    if rate > 0 and total is not None and finished < total:
        # samples end early under some presets: what the finished ones needed, once there are some
        each = min(run.simulations, evaluated / finished) if finished * 5 >= total else run.simulations
        left = max(0.0, total * each - evaluated) / rate
    words = _merge_words(facts, queue, merge_comment)
    failures = [
        f"{run.id}: {s.error}" for s in [*files, *([facts.merged] if facts.merged else [])] if s.error
    ]
    failures = list(dict.fromkeys(failures))
    failures += _failures(facts, queue, comment) + _merge_failure(facts, words)
    found = (sum(s.found[0] for s in files), sum(s.found[1] for s in files))
    states = Counter(facts.where)
    return Line(run.id, total, finished, evaluated, found, rate, left, states, words, failures)


def duration(seconds: float | None) -> str:
    """h:mm."""
    if seconds is None:
        return "-"
    minutes = int(seconds / 60 + 0.5)
    return f"{minutes // 60}:{minutes % 60:02}"


def _states(line: Line) -> str:
    """Shards by state, the done first: `3 done, 1 running, merge pending`."""
    order = {DONE: 0, "running": 1, "pending": 2, DEAD: 8, ABSENT: 9}
    items = sorted(line.shards.items(), key=lambda item: (order.get(item[0], 5), item[0]))
    parts = [f"{count} {state}" if sum(line.shards.values()) > 1 else state for state, count in items]
    return ", ".join(parts + ([line.merge] if line.merge else []))


def table(rows: list[list[str]]) -> str:
    """Columns as wide as they must be: the first and the last to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    out = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        out.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(out)


def _row(line: Line) -> list[str]:
    total = "?" if line.n_samples is None else str(line.n_samples)
    found = f"{line.found[0]}/{line.found[1]}" if line.found[1] else "-"
    rate = f"{line.rate:.4g}" if line.rate else "-"
    done = f"{line.n_finished}/{total}"
    return [line.id, done, found, str(line.n_evaluated), rate, duration(line.left_s), _states(line)]


def _sum(lines: list[Line]) -> Line:
    total = (
        None if any(line.n_samples is None for line in lines) else sum(line.n_samples or 0 for line in lines)
    )
    states: Counter[str] = Counter()
    for line in lines:
        states.update(line.shards)
    left = [line.left_s for line in lines if line.left_s is not None]
    found = (sum(line.found[0] for line in lines), sum(line.found[1] for line in lines))
    return Line(
        "all",
        total,
        sum(line.n_finished for line in lines),
        sum(line.n_evaluated for line in lines),
        found,
        sum(line.rate for line in lines),
        max(left) if left else None,
        states,
        "",
    )


def report(lines: list[Line], queue: Queue) -> str:
    """The table and the failures."""
    head = ["run", "samples", "found", "evaluations", "per s", "left", "shards"]
    rows = [head, *(_row(line) for line in lines)]
    if len(lines) > 1:
        rows.append(_row(_sum(lines)))
    parts = [table(rows)]
    if not queue.there:
        parts.append(f"(nothing is known of jobs: {queue.why})")
    failures = [text for line in lines for text in line.failures]
    if failures:
        parts.append("\nstopped or failed:\n" + "\n".join(failures))
    return "\n".join(parts)
