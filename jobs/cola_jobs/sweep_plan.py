"""`sweep.py plan`: what submit would do, and what it costs; needs neither Slurm nor prepared tasks."""

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cola_jobs.progress import JobError
from cola_jobs.sweep_check import expected_samples
from cola_jobs.sweep_facts import Facts
from cola_jobs.sweep_file import Sweep, Tasks
from cola_jobs.sweep_state import State
from cola_jobs.sweep_status import shard_rows, table
from cola_jobs.sweep_submit import Wanted, jobs_for, prepare_command, ranges


@dataclass
class Cost:
    """Of what is missing of one run."""

    evaluations: int | None  # at most; None: the number of samples is not known yet
    job_hours: float | None  # of the longest shard
    core_hours: float | None


def bench(cola: Path, tasks: Tasks, threads: int) -> float:
    """Evaluations/s of one worker on this machine; for tasks that are not prepared, of 40 random tokens."""
    command = [
        str(cola),
        "bench",
        "--model",
        str(tasks.model),
        "--threads",
        str(threads),
        "--rounds",
        "1",
        "--json",
    ]
    if tasks.path.exists():
        command += ["--tasks", str(tasks.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JobError(f"cola bench: {done.stderr.strip()}")
    return float(json.loads(done.stdout)["evaluations_per_s"])


def cost(facts: Facts, rate: float | None) -> Cost:
    """rate: evaluations/s of one worker."""
    run, n = facts.run, expected_samples(facts.run.tasks)
    missing = [] if facts.finished else facts.missing()
    if n is None:
        return Cost(None, None, None)
    left = {}
    for i in missing:
        rows = shard_rows(n, i, run.slurm.shards)
        left[i] = max(0, rows * run.simulations - facts.shards[i].n_evaluated)
    evaluations = sum(left.values())
    if rate is None:
        return Cost(evaluations, None, None)
    longest = max(left.values(), default=0) / (rate * run.slurm.workers) / 3600
    cores = evaluations / rate / 3600 * run.slurm.threads
    return Cost(evaluations, longest, cores)


def _hours(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _command(job: Wanted) -> str:
    after = list(job.after) + (["JOB"] if job.after_search else [])
    variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in job.variables.items())
    return f"{variables} {shlex.join(job.full(after))}"


def report(
    sweep: Sweep, state: State, all_facts: list[Facts], rates: dict[str, float], commands: bool
) -> str:
    """The table; with `commands` every command that submit would give."""
    rows = [["run", "samples", "simulations", "evaluations", "job hours", "core hours", "to submit"]]
    total = Cost(0, 0.0, 0.0)
    n_jobs, text = 0, []
    for tasks in sweep.tasks:
        if not tasks.path.exists():
            text.append(shlex.join(prepare_command(tasks)))
    for facts in all_facts:
        run = facts.run
        price = cost(facts, rates.get(run.tasks.id))
        wanted = jobs_for(sweep, state, facts)
        n_jobs += len(wanted)
        text += [_command(job) for job in wanted]
        what = " + ".join(
            f"shards {ranges(job.shards)} of {run.slurm.shards}" if job.kind == "search" else "merge"
            for job in wanted
        )
        n = expected_samples(run.tasks)
        evaluations = "?" if price.evaluations is None else str(price.evaluations)
        samples = "?" if n is None else str(n)
        hours = [_hours(price.job_hours), _hours(price.core_hours)]
        rows.append([run.id, samples, str(run.simulations), evaluations, *hours, what or "nothing"])
        total = Cost(
            None if None in (total.evaluations, price.evaluations) else total.evaluations + price.evaluations,
            None if None in (total.job_hours, price.job_hours) else max(total.job_hours, price.job_hours),
            None if None in (total.core_hours, price.core_hours) else total.core_hours + price.core_hours,
        )
    evaluations = "?" if total.evaluations is None else str(total.evaluations)
    rows.append(
        ["all", "", "", evaluations, _hours(total.job_hours), _hours(total.core_hours), f"{n_jobs} sbatch"]
    )
    out = [table(rows), "evaluations: at most; job hours: of the longest shard, once it runs"]
    if not rates:
        out.append("hours need --rate EVALUATIONS_PER_SECOND of one worker, or --bench to measure it here")
    return "\n".join([*out, *(["", *text] if commands else [])])
