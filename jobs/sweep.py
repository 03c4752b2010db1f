#!/usr/bin/env python3
"""Runs a whole table of searches on a Slurm cluster: models x benchmarks x presets, from one TOML file.

plan says what would be submitted and what it costs. submit prepares the tasks and submits what is missing, so
a second submit after a failure is the repair. status is one table; collect merges what is complete; cancel
ends this sweep's jobs and no others. docs/sweeps.md has an example from beginning to end.
"""

import argparse
import sys
from pathlib import Path

from cola_jobs.venv import ensure

ensure("numpy", "h5py", "xxhash", "transformers")

from cola_jobs import (  # noqa: E402  (needs the packages just ensured)
    sweep_check,
    sweep_collect,
    sweep_facts,
    sweep_file,
    sweep_plan,
    sweep_results,
    sweep_slurm,
    sweep_state,
    sweep_status,
    sweep_submit,
)
from cola_jobs.progress import JobError  # noqa: E402
from cola_jobs.sweep_facts import Facts, Queue  # noqa: E402
from cola_jobs.sweep_file import Run, Sweep  # noqa: E402
from cola_jobs.sweep_state import State  # noqa: E402


def say_error(error: Exception) -> None:
    """What went wrong with one run; the others go on."""
    print(f"sweep.py: {error}", file=sys.stderr, flush=True)


def chosen(sweep: Sweep, wanted: list[str]) -> list[Run]:
    """The runs whose ids begin with one of the words; all without words."""
    runs = [run for run in sweep.runs if not wanted or any(run.id.startswith(word) for word in wanted)]
    for word in wanted:
        if not any(run.id.startswith(word) for run in sweep.runs):
            raise JobError(f"no run {word}: there are {', '.join(run.id for run in sweep.runs)}")
    return runs


def check_program(sweep: Sweep) -> None:
    """Every verb asks cola: it must be there, and have the options that the file sets."""
    if not sweep.cola.exists():
        raise JobError(
            f"{sweep.cola}: not built; cmake --preset release && cmake --build --preset release, or cola ="
        )
    sweep_file.check_search_options(sweep, sweep_results.search_options(sweep.cola))


def plan(sweep: Sweep, options: argparse.Namespace) -> int:
    """Prints; changes nothing. Exit status 1 if submit would refuse something, with the same words."""
    state = sweep_state.load(sweep.directory)
    queue = sweep_facts.look()
    sweep_facts.adopt(sweep, state, queue)
    runs = chosen(sweep, options.runs)
    sweep_check.check_options(sweep, runs)
    files = {run.memo for run in runs} | {run.out for run in runs}  # a control waits for its run
    needed = [run for run in sweep.runs if run.out in files]
    facts = {run.id: sweep_facts.gather(sweep, run, state, queue) for run in needed}
    refused = {run.id: sweep_check.refusal(run, state) for run in runs}
    rates: dict[str, float] = {}
    for run in runs:
        tasks = run.tasks
        if options.rate:
            rates[tasks.id] = options.rate
        elif options.bench and tasks.id not in rates:
            rates[tasks.id] = sweep_plan.bench(sweep.cola, tasks, run.slurm.threads)
    shown = {run_id for run_id, words in refused.items() if words}
    shown |= {run.id for run in runs if sweep_check.too_many_shards(run, state)}
    print(sweep_plan.report(sweep, state, runs, facts, rates, shown, options.commands))
    for words in dict.fromkeys(words for words in refused.values() if words):
        say_error(JobError(words))
    sweep_check.check_shards(runs, state)
    return 1 if shown else 0


def prepared(sweep: Sweep, state: State, runs: list[Run]) -> tuple[set[str], int]:
    """Ids of the tasks that are there, and how many could not be made."""
    good: set[str] = set()
    failed = 0
    for tasks in sweep.tasks:
        if not any(run.tasks is tasks for run in runs):
            continue
        try:
            sweep_submit.prepare(tasks, state)
            good.add(tasks.id)
        except (JobError, OSError) as error:
            failed += 1
            say_error(error)
        state.save()
    return good, failed


def submit(sweep: Sweep, options: argparse.Namespace) -> int:
    """What fails for one run is said, and the others are submitted all the same."""
    with sweep_state.locked(sweep.directory):
        state = sweep_state.load(sweep.directory)
        queue = Queue(True, jobs=sweep_slurm.queue())
        adopted = sweep_facts.adopt(sweep, state, queue)
        runs = chosen(sweep, options.runs)
        sweep_check.check_options(sweep, runs)
        sweep_check.check_shards(runs, state)  # before the preparation, which may take long ..
        good, failed = prepared(sweep, state, runs)
        sweep_check.check_shards(runs, state)  # .. and after it, which may have left rows out
        facts = {run.id: sweep_facts.gather(sweep, run, state, queue) for run in sweep.runs}
        fresh: dict[str, str] = {}
        n_jobs = 0
        for run in runs:
            if run.tasks.id not in good:
                continue
            try:
                n_jobs += sweep_submit.submit_run(sweep, state, facts, run, queue, fresh)
            except (JobError, OSError) as error:
                failed += 1
                say_error(error)
        state.save()
    also = f"; {adopted} jobs of an earlier submit taken over" if adopted else ""
    print(f"{n_jobs} jobs submitted, {failed} failures{also}")
    return 1 if failed else 0


def status(sweep: Sweep, options: argparse.Namespace) -> int:
    """Exit status 1 if something is dead or damaged."""
    state = sweep_state.load(sweep.directory)
    queue = sweep_facts.look()
    sweep_facts.adopt(sweep, state, queue)
    lines = []
    for run in chosen(sweep, options.runs):
        facts = sweep_facts.gather(sweep, sweep_facts.as_submitted(run, state), state, queue)
        comments = (state.comment("search", run.id), state.comment("merge", run.id))
        line = sweep_status.line_of(facts, queue, *comments)
        try:
            sweep_submit.check_same(run, state.runs.get(run.id))
        except JobError as error:
            line.failures.insert(0, str(error))
        lines.append(line)
    print(sweep_status.report(lines, queue))
    return 1 if any(line.failures for line in lines) else 0


def collect(sweep: Sweep, options: argparse.Namespace) -> int:
    """Exit status 1 if a file is refused; 75 if some runs are not complete yet."""
    with sweep_state.locked(sweep.directory):
        state = sweep_state.load(sweep.directory)
        queue = sweep_facts.look()
        sweep_facts.adopt(sweep, state, queue)
        failed, waiting = 0, []
        for run in chosen(sweep, options.runs):
            facts: Facts = sweep_facts.gather(sweep, run, state, queue)
            try:
                digest = sweep_collect.collect_run(facts, state, sweep.cola)
            except (JobError, OSError) as error:
                failed += 1
                say_error(error)
                continue
            if digest is None:
                waiting.append(run.id)
            else:
                print(f"{digest}  {run.out}", flush=True)
        state.save()
    if waiting:
        print(f"not complete yet: {', '.join(waiting)}", file=sys.stderr)
    return 1 if failed else 75 if waiting else 0


def cancel(sweep: Sweep, options: argparse.Namespace) -> int:
    """Only jobs that carry this sweep's mark: ids alone may have been given out again."""
    with sweep_state.locked(sweep.directory):
        state = sweep_state.load(sweep.directory)
        ids = {run.id for run in chosen(sweep, options.runs)}
        ours = []
        for line in sweep_slurm.queue().values():
            parsed = state.parse_comment(line.comment)
            if parsed and line.state not in sweep_slurm.ENDED and (not options.runs or parsed[1] in ids):
                ours.append(line.id)
        sweep_slurm.cancel(ours)
    print(f"{len(ours)} jobs cancelled{': ' + ' '.join(ours) if ours else ''}; submit goes on from there")
    return 0


def positive(text: str) -> float:
    """For argparse."""
    value = float(text)
    if not 0 < value < 1e12:
        raise ValueError(text)
    return value


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", 1)[0], epilog="The file: docs/sweeps.md."
    )
    verbs = parser.add_subparsers(required=True, metavar="plan|submit|status|collect|cancel")
    for name, verb, words in (
        ("plan", plan, "what would be submitted, evaluations, hours; changes nothing"),
        ("submit", submit, "prepare tasks and submit what is missing"),
        ("status", status, "one table, then what failed and the last lines of its log"),
        ("collect", collect, "merge what is complete, check digests; exit status 75: some are not complete"),
        ("cancel", cancel, "cancel this sweep's jobs"),
    ):
        one = verbs.add_parser(name, help=words, description=words)
        one.add_argument("sweep", type=Path, metavar="SWEEP.toml")
        one.add_argument("runs", nargs="*", metavar="RUN", help="only runs whose names begin so [all]")
        one.set_defaults(verb=verb)
        if name == "plan":
            rate = one.add_mutually_exclusive_group()
            rate.add_argument("--rate", type=positive, metavar="R", help="evaluations/s of one worker")
            rate.add_argument("--bench", action="store_true", help="measure that here with cola bench")
            one.add_argument("--commands", action="store_true", help="also print every command")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    options = parse_arguments(arguments)
    try:
        sweep = sweep_file.load(options.sweep)
        check_program(sweep)
        return options.verb(sweep, options)
    except (JobError, OSError) as error:
        print(f"sweep.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
