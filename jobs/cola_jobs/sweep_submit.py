"""Decides which jobs a sweep still needs and submits them: missing shards as one array a run, then the merge.

`jobs_for` is a function of what files and queue say, so that `plan` prints exactly what `submit` would do.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cola_jobs import sweep_slurm
from cola_jobs.progress import JobError, say
from cola_jobs.row_source import HUB
from cola_jobs.sweep_facts import DONE, Facts, Queue, log_pattern
from cola_jobs.sweep_file import Run, Slurm, Sweep, Tasks
from cola_jobs.sweep_state import Job, RunState, State
from cola_jobs.venv import ROOT


@dataclass
class Wanted:
    """A job to submit; `after` are jobs of Slurm that must end well before."""

    kind: str
    run: Run
    shards: list[int]
    command: list[str]  # without the dependency, script and its arguments last
    script_at: int  # where in command the script stands
    variables: Mapping[str, str]
    log: str
    after: list[str] = field(default_factory=list)
    after_search: bool = False  # of this run, submitted just before

    def full(self, after: list[str]) -> list[str]:
        """The command with its dependency."""
        if not after:
            return self.command
        depends = [f"--dependency=afterok:{':'.join(after)}", "--kill-on-invalid-dep=yes"]
        return [*self.command[: self.script_at], *depends, *self.command[self.script_at :]]


def prepare_command(tasks: Tasks) -> list[str]:
    """jobs/prepare.py for one tasks.h5."""
    script = str(ROOT / "jobs" / "prepare.py")
    return [sys.executable, script, "--model", str(tasks.model), *tasks.options, "--out", str(tasks.path)]


def _prepare_options(tasks: Tasks) -> list[str]:
    return ["--model", str(tasks.model), *tasks.options]


def check_tasks(tasks: Tasks, state: State) -> None:
    """Refuses a tasks.h5 made with other options, and models and rows that are not there."""
    options, before = _prepare_options(tasks), state.tasks.get(tasks.id)
    if tasks.path.exists() and before not in (None, options):
        raise JobError(
            f"{tasks.path} was prepared with other options:\n  then {' '.join(before)}\n"
            f"  now  {' '.join(options)}\nput the sweep file back, or use another directory"
        )
    if not tasks.model.is_dir():
        raise JobError(f"{tasks.model}: no such model directory: fetch the model, or correct its path")
    if not tasks.path.exists():
        for path in (Path(row) for row in tasks.rows if not row.startswith(HUB)):
            if not path.is_file():
                raise JobError(f"{tasks.id}: no file {path}: correct rows, or put the file there")


def prepare(tasks: Tasks, state: State) -> None:
    """Makes tasks.h5 unless it is there."""
    check_tasks(tasks, state)
    if not tasks.path.exists():
        say(f"preparing {tasks.id}")
        tasks.path.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(prepare_command(tasks), stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise JobError(f"{tasks.id}: prepare.py failed:\n  " + "\n  ".join(done.stderr.splitlines()[-5:]))
    state.tasks[tasks.id] = _prepare_options(tasks)


def check_same(run: Run, before: RunState | None) -> None:
    """A run keeps its options and its number of shards as long as it has jobs or files."""
    if before is None or not before.jobs:
        return
    if before.shards != run.slurm.shards:
        raise JobError(
            f"{run.id}: has {before.shards} shards, now the sweep file says {run.slurm.shards}: put it back, "
            "or use another directory"
        )
    changed = set(before.options) ^ set(run.options)
    if changed:
        raise JobError(
            f"{run.id}: was submitted with other options of cola search ({' '.join(sorted(changed))}): "
            "put them back, rename the preset, or use another directory"
        )


def _variables(sweep: Sweep, slurm: Slurm) -> dict[str, str]:
    variables = {"COLA": str(sweep.cola)}
    for name, value in (
        ("COLA_LAUNCH", slurm.launch),
        ("COLA_LAUNCH_OPTIONS", slurm.launch_options),
        ("COLA_SETUP", slurm.setup),
    ):
        if value:
            variables[name] = value
    return variables


def _common(sweep: Sweep, state: State, run: Run, kind: str, log: str) -> list[str]:
    return [
        "sbatch",
        "--parsable",
        "--export=ALL",
        f"--job-name={sweep.name}:{run.id}" + (":merge" if kind == "merge" else ""),
        f"--comment={state.comment(kind, run.id)}",
        f"--output={log}",
    ]


def _search(sweep: Sweep, state: State, run: Run, shards: list[int]) -> Wanted:
    slurm = run.slurm
    array = slurm.shards > 1
    log = str(log_pattern(sweep, run, "search", array))
    command = [
        *_common(sweep, state, run, "search", log),
        f"--ntasks={slurm.workers}",
        f"--cpus-per-task={slurm.threads}",
        f"--signal=B:USR1@{slurm.stop_before}",
        *slurm.sbatch,
    ]
    variables = _variables(sweep, slurm)
    if array:
        limit = f"%{slurm.array_limit}" if slurm.array_limit else ""
        command.append(f"--array={ranges(shards)}{limit}")
        variables["COLA_SHARDS"] = str(slurm.shards)
    if run.memo:
        variables["COLA_MEMO"] = str(run.memo)
    script = [str(ROOT / "slurm" / "search.sbatch"), str(run.tasks.path), str(run.tasks.model), str(run.out)]
    return Wanted("search", run, shards, [*command, *script, *run.options], len(command), variables, log)


def _merge(sweep: Sweep, state: State, run: Run) -> Wanted:
    log = str(log_pattern(sweep, run, "merge", array=False))
    command = [*_common(sweep, state, run, "merge", log), *run.slurm.merge_sbatch]
    files = [str(run.out), *(str(run.shard_path(i)) for i in range(run.slurm.shards))]
    script = [str(ROOT / "slurm" / "merge.sbatch"), *files]
    return Wanted("merge", run, [], [*command, *script], len(command), _variables(sweep, run.slurm), log)


def ranges(numbers: list[int]) -> str:
    """0,1,2,5 as 0-2,5."""
    parts: list[list[int]] = []
    for n in sorted(numbers):
        if parts and n == parts[-1][1] + 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _active_ids(facts: Facts) -> list[str]:
    """Jobs that do what is not done yet, each once."""
    jobs = [facts.state.job_of(i) for i in facts.active()]
    return list(dict.fromkeys(job.id for job in jobs if job))


def jobs_for(sweep: Sweep, state: State, facts: Facts) -> list[Wanted]:
    """What this run needs now: nothing, a search of the missing shards, a merge, or both."""
    run = facts.run
    if facts.finished:
        return []
    wanted = []
    missing = facts.missing()
    if missing:
        search = _search(sweep, state, run, missing)
        wanted.append(search)
    if run.slurm.shards > 1 and (missing or not facts.merge_active):
        merge = _merge(sweep, state, run)
        merge.after, merge.after_search = _active_ids(facts), bool(missing)
        wanted.append(merge)
    return wanted


def memo_ids(sweep: Sweep, run: Run, all_facts: dict[str, Facts]) -> list[str]:
    """A control with a memo waits for the jobs of the run that it is the control of."""
    if run.memo is None:
        return []
    plain = next(facts for facts in all_facts.values() if facts.run.out == run.memo)
    return _active_ids(plain)


def submit_run(
    sweep: Sweep, state: State, all_facts: dict[str, Facts], run: Run, queue: Queue, fresh: dict[str, str]
) -> int:
    """Submits what one run needs; each job is in the state as soon as sbatch has answered. Returns how many.
    `fresh`: searches submitted by this call, by the run's file."""
    facts = all_facts[run.id]
    check_same(run, state.runs.get(run.id))
    wanted = jobs_for(sweep, state, facts)
    if not wanted:
        return 0
    entry = state.runs.setdefault(run.id, RunState())
    entry.shards, entry.options = run.slurm.shards, list(run.options)
    _end_old_merge(facts, entry, state, queue)
    sweep.logs.mkdir(parents=True, exist_ok=True)
    run.out.parent.mkdir(parents=True, exist_ok=True)
    for job in wanted:
        after = list(job.after)
        if job.kind == "search":
            after += memo_ids(sweep, run, all_facts)
            after += [fresh[str(run.memo)]] if run.memo and str(run.memo) in fresh else []
        elif job.after_search:
            after.append(fresh[str(run.out)])
        job_id = sweep_slurm.submit(job.full(list(dict.fromkeys(after))), job.variables)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry.jobs.append(Job(job.kind, job_id, job.shards, job.log, now))
        state.save()
        if job.kind == "search":
            fresh[str(run.out)] = job_id
        what = f"shards {ranges(job.shards)} of {run.slurm.shards}" if run.slurm.shards > 1 else "the search"
        say(f"{run.id}: job {job_id}, {what if job.kind == 'search' else 'the merge'}")
    return len(wanted)


def _end_old_merge(facts: Facts, entry: RunState, state: State, queue: Queue) -> None:
    """A merge that waits for shards that died would never start; the new one takes its place."""
    old = entry.merge_job()
    line = queue.of(old, 0, state.comment("merge", facts.run.id)) if old else None
    if line and line.state == "PENDING":
        sweep_slurm.cancel([line.id])


def is_done(facts: Facts) -> bool:
    """Nothing is left to search, whether merged or not."""
    return facts.finished or all(where == DONE for where in facts.where)
