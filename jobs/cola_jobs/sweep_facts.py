"""Where every shard of a sweep stands, from its files and the queue together: what submit and status share.

Also takes jobs of ours into the state that it does not know, should a submit have died after sbatch.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from cola_jobs import sweep_results, sweep_slurm
from cola_jobs.progress import JobError
from cola_jobs.sweep_file import Run, Sweep
from cola_jobs.sweep_results import Shard
from cola_jobs.sweep_slurm import Queued
from cola_jobs.sweep_state import Job, RunState, State

DONE, ABSENT, DEAD, UNKNOWN = "done", "not submitted", "dead", "unknown"


@dataclass
class Facts:
    """One run."""

    run: Run
    state: RunState
    merged: Shard | None  # the run's own file, where there are several shards
    shards: list[Shard]
    where: list[str]  # of each shard: one of the words above, or a state of squeue while it may go on
    merge_active: Queued | None = None

    @property
    def finished(self) -> bool:
        """The run's file is there, whole."""
        return self.merged.complete if self.merged else self.shards[0].complete

    def missing(self) -> list[int]:
        """Shards that no job will do."""
        return [i for i, where in enumerate(self.where) if where in (ABSENT, DEAD)]

    def active(self) -> list[int]:
        """Shards that a job does, or will do."""
        return [i for i, where in enumerate(self.where) if where not in (DONE, ABSENT, DEAD, UNKNOWN)]


@dataclass
class Queue:
    """squeue's answer; empty, with `there` false, without Slurm or while it does not answer."""

    there: bool = False
    why: str = ""
    jobs: dict[str, Queued] = field(default_factory=dict)

    def of(self, job: Job, shard: int, comment: str) -> Queued | None:
        """A shard's line, if it is ours: a job's id may have been given to another one since."""
        line = self.jobs.get(job.task_id(shard))
        return line if line and line.comment == comment else None


def look() -> Queue:
    """The queue now, if there is one to ask."""
    try:
        return Queue(True, jobs=sweep_slurm.queue())
    except JobError as error:
        return Queue(why=str(error).splitlines()[0])


def adopt(sweep: Sweep, state: State, queue: Queue) -> int:
    """Takes over jobs that carry this sweep's mark and that the state does not have. Returns how many."""
    known = {job.id for run in state.runs.values() for job in run.jobs}
    found: dict[str, Job] = {}
    for line in queue.jobs.values():
        parsed = state.parse_comment(line.comment)
        job_id, _, task = line.id.partition("_")
        if not parsed or job_id in known:
            continue
        kind, run_id = parsed
        run = next((r for r in sweep.runs if r.id == run_id), None)
        if run is None:
            continue
        log = str(log_pattern(sweep, run, kind, array=bool(task)))
        job = found.setdefault(job_id, Job(kind, job_id, [], log, ""))
        if kind == "search":
            job.shards.append(int(task) if task.isdigit() else 0)
        if job not in state.runs.setdefault(run_id, _fresh(run)).jobs:
            state.runs[run_id].jobs.append(job)
    return len(found)


def _fresh(run: Run) -> RunState:
    return RunState(shards=run.slurm.shards, options=list(run.options))


def log_pattern(sweep: Sweep, run: Run, kind: str, array: bool) -> Path:
    """sbatch --output: one file a shard; a requeued job and the next submit each write on or anew."""
    name = run.id.replace("/", ".")
    end = "%A_%a" if array else "%j"
    return sweep.logs / f"{name}.{kind}-{end}.log"


def as_submitted(run: Run, state: State) -> Run:
    """With the number of shards that its jobs have, should the sweep file say another one since."""
    before = state.runs.get(run.id)
    if before is None or not before.jobs or before.shards == run.slurm.shards:
        return run
    return replace(run, slurm=replace(run.slurm, shards=before.shards))


def gather(sweep: Sweep, run: Run, state: State, queue: Queue) -> Facts:
    """Reads this run's files."""
    run_state = state.runs.get(run.id) or _fresh(run)
    n = run.slurm.shards
    merged = sweep_results.read(sweep.cola, run.out) if n > 1 else None
    if merged and merged.complete:
        return Facts(run, run_state, merged, [], [DONE] * n)
    shards = [sweep_results.read(sweep.cola, run.shard_path(i)) for i in range(n)]
    where = []
    for i, shard in enumerate(shards):
        job = run_state.job_of(i)
        line = queue.of(job, i, state.comment("search", run.id)) if job else None
        if line and line.active:
            where.append(line.state.lower())
        elif shard.complete:
            where.append(DONE)
        else:
            where.append(ABSENT if job is None else DEAD if queue.there else UNKNOWN)
    facts = Facts(run, run_state, merged, shards, where)
    merge = run_state.merge_job()
    line = queue.of(merge, 0, state.comment("merge", run.id)) if merge else None
    facts.merge_active = line if line and line.active else None
    return facts
