"""`sweep.py plan`: what submit would do, and what it costs; needs neither Slurm nor prepared tasks."""

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cola_jobs.progress import JobError
from cola_jobs.sweep_check import expected_samples
from cola_jobs.sweep_facts import Facts
from cola_jobs.sweep_file import Run, Sweep, Tasks
from cola_jobs.sweep_state import State
from cola_jobs.sweep_status import shard_rows, table
from cola_jobs.sweep_submit import Wanted, jobs_for, memo_ids, prepare_command, ranges


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


def _command(job: Wanted, after: list[str]) -> str:
    variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in job.variables.items())
    return f"{variables} {shlex.join(job.full(after))}"


def _after(sweep: Sweep, all_facts: dict[str, Facts], job: Wanted, searched: dict[str, str]) -> list[str]:
    """Jobs that it waits for, as submit_run has them. JOB: the search printed just before; JOB_OF_RUN:
    another search printed before. `searched`: runs with such a search, by their file."""
    after = list(job.after)
    if job.kind == "search":
        after += memo_ids(sweep, job.run, all_facts)
        after += [f"JOB_OF_{searched[str(job.run.memo)]}"] if str(job.run.memo) in searched else []
    elif job.after_search:
        after.append("JOB")
    return list(dict.fromkeys(after))


def report(
    sweep: Sweep,
    state: State,
    runs: list[Run],
    all_facts: dict[str, Facts],
    rates: dict[str, float],
    refused: set[str],
    commands: bool,
) -> str:
    """The table; with `commands` every command that submit would give. refused: runs that submit refuses."""
    searched: dict[str, str] = {}
    rows = [["run", "samples", "simulations", "evaluations", "job hours", "core hours", "to submit"]]
    total = Cost(0, 0.0, 0.0)
    n_jobs, text = 0, []
    for tasks in sweep.tasks:
        if not tasks.path.exists() and any(run.tasks is tasks and run.id not in refused for run in runs):
            text.append(shlex.join(prepare_command(tasks)))
    for run in runs:
        facts = all_facts[run.id]
        price = cost(facts, rates.get(run.tasks.id))
        wanted = [] if run.id in refused else jobs_for(sweep, state, facts)
        n_jobs += len(wanted)
        for job in wanted:
            text.append(_command(job, _after(sweep, all_facts, job, searched)))
            if job.kind == "search":
                searched[str(run.out)] = run.id
        what = " + ".join(
            f"shards {ranges(job.shards)} of {run.slurm.shards}" if job.kind == "search" else "merge"
            for job in wanted
        )
        n = expected_samples(run.tasks)
        evaluations = "?" if price.evaluations is None else str(price.evaluations)
        samples = "?" if n is None else str(n)
        hours = [_hours(price.job_hours), _hours(price.core_hours)]
        rows.append(
            [
                run.id,
                samples,
                str(run.simulations),
                evaluations,
                *hours,
                what or ("refused" if run.id in refused else "nothing"),
            ]
        )
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
