"""`sweep.py collect`: merges what is complete and not merged yet, here and now, and checks every digest."""

import subprocess

from cola_jobs import sweep_results
from cola_jobs.progress import JobError, say
from cola_jobs.sweep_facts import DONE, Facts
from cola_jobs.sweep_state import RunState, State


def merge(facts: Facts, cola: str) -> None:
    """The shards into the run's file; nothing if a merge is in the queue."""
    run = facts.run
    if facts.merge_active:
        raise JobError(f"{run.id}: a merge is {facts.merge_active.state.lower()} in the queue")
    if facts.merged and facts.merged.there:
        raise JobError(f"{run.out}: is there but not complete; it is no merge of these shards: move it away")
    say(f"{run.id}: merging {run.slurm.shards} shards")
    files = [str(run.shard_path(i)) for i in range(run.slurm.shards)]
    done = subprocess.run(
        [cola, "merge", str(run.out), *files], stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise JobError(f"{run.id}: cola merge failed:\n  " + "\n  ".join(done.stderr.splitlines()[-5:]))


def collect_run(facts: Facts, state: State, cola: str) -> str | None:
    """The digest of a run that is complete; None if it is not yet. A digest seen before must come again."""
    run = facts.run
    if not facts.finished:
        if run.slurm.shards == 1 or any(where != DONE for where in facts.where):
            return None
        merge(facts, cola)
    digest = sweep_results.digest(cola, run.out)
    entry = state.runs.setdefault(run.id, RunState(run.slurm.shards, list(run.options)))
    if entry.digest not in ("", digest):
        raise JobError(f"{run.out}: has {digest}, but had {entry.digest} when it was collected before")
    entry.digest = digest
    return digest
