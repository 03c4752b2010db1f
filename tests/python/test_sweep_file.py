"""Sweep files: what runs they make, what is refused with which words; and journals as status counts them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cola_jobs import (
    sweep_check,
    sweep_file,
    sweep_results,
    sweep_sbatch,
    sweep_status,
    sweep_submit,
)
from cola_jobs.progress import JobError

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
[search]
simulations = 10
[models.m]
path = "m"
[benchmarks.b]
rows = ["rows.jsonl"]
[presets.cola]
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "s.toml"
        path.write_text(text)
        return path

    return write


def test_runs_are_a_product(write: Write) -> None:
    text = 'spaces = ["both", "skip"]\ncontrols = ["wrong-answer", "none"]\n' + GOOD
    text += '[presets.random]\nspaces = ["both"]\ncontrols = ["none"]\nsimulations = 20\nmax_skip = 2\n'
    runs = {run.id: run for run in sweep_file.load(write(text)).runs}
    assert list(runs) == [
        "m/b/cola-both",
        "m/b/cola-both-wrong-answer",
        "m/b/cola-skip",
        "m/b/cola-skip-wrong-answer",
        "m/b/random-both",
    ]
    assert runs["m/b/random-both"].simulations == 20
    assert "--max-skip 2" in " ".join(runs["m/b/random-both"].options)
    assert all(run.memo is None for run in runs.values())


def test_later_tables_change_earlier_ones(write: Write) -> None:
    text = GOOD.replace("[presets.cola]", "search.metric = 'acc_norm'\nslurm.time = '9:00'\n[presets.cola]\n")
    text += "preset = 'random'\nslurm.shards = 3\n"
    text += "[slurm]\nshards = 2\ntime = '1:00'\nexclusive = true\nmem = ''\n"
    (run,) = sweep_file.load(write(text)).runs
    assert run.slurm.shards == 3 and run.slurm.sbatch == ("--time=9:00", "--exclusive")
    assert "--metric acc_norm" in " ".join(run.options) and "--preset random" in " ".join(run.options)
    assert run.shard_path(1).name == "cola-both-1-of-3.h5"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("simulations = 10", "", "simulations is None: a sweep says how many"),
        (
            "simulations = 10",
            "simulations = 10\nresume = true",
            "resume is the sweep's own option of cola search",
        ),
        ("[models.m]\npath = 'm'".replace("'", '"'), "", "models: none is there"),
        ('path = "m"', "", "models.m: path is missing"),
        ('path = "m"', 'path = "m"\ndtype = "f32"', "models.m: unknown key dtype"),
        ('rows = ["rows.jsonl"]', "", "benchmarks.b: rows is missing"),
        ('rows = ["rows.jsonl"]', 'rows = "rows.jsonl"', "rows is 'rows.jsonl', expected a list"),
        ("[presets.cola]", '[presets."a/b"]', "a name has letters, digits"),
        ("[presets.cola]", '[presets.cola]\nspaces = ["all"]', "spaces is ['all'], expected a list of both"),
        ("[search]", "[slurm]\nshards = 0\n[search]", "slurm.shards is 0, expected 1 or more"),
        ("[search]", "[slurm]\narray = '0-3'\n[search]", "array is the sweep's own option of sbatch"),
        ("[search]", "[slurm]\nlaunch = 'ssh'\n[search]", "slurm.launch is 'ssh'"),
        (
            "[search]",
            "[slurm]\nlaunch = 'none'\nworkers = 2\n[search]",
            "launch is none, which has one worker",
        ),
        ("[search]", "[slurm]\nparition = 'x'\n[search]", "unknown key parition; is partition meant?"),
        ("[search]", "[slurm]\nshard = 2\n[search]", "unknown key shard; is shards meant?"),
        ("[search]", "[slurm]\nmerge = {tme = 2}\n[search]", "slurm.merge: unknown key tme"),
        ('path = "m"', 'path = "m"\nslurm = {parition = "x"}', "unknown key parition"),
        ('path = "m"', 'path = "m"\nslurm = 3', "slurm: expected a table"),
        ('rows = ["rows.jsonl"]', 'rows = ["r"]\nsearch = 3', "benchmarks.b.search: expected a table"),
        ("[search]", "[slurm]\nsbatch = ['--array=1']\n[search]", "sbatch: --array is the sweep's own"),
        ("[search]", "[slurm]\nsbatch = ['array']\n[search]", "expected a list of words that begin with --"),
        ("[search]", "[slurm]\ntime = '5:00'\n[search]", "slurm.stop_before is 300 s (300 if"),
        ("[search]", "[slurm]\ntime = 1\nstop_before = 60\n[search]", "and slurm.time only 60 s"),
        ("[search]", "[slurm]\ntime = 'long'\n[search]", "slurm.time is 'long', expected MINUTES"),
        ('rows = ["rows.jsonl"]', 'rows = ["r"]\nlimit = 0', "limit is 0, expected 1 or more"),
        ('rows = ["rows.jsonl"]', 'rows = ["r"]\nlimit = -1', "limit is -1, expected 1 or more"),
        ('rows = ["rows.jsonl"]', 'rows = ["r"]\nskip = -1', "skip is -1, expected 0 or more"),
        ('rows = ["rows.jsonl"]', "rows = []", "rows is [], expected a list of files"),
        ('rows = ["rows.jsonl"]', "rows = [3]", "rows is [3], expected a list of files"),
        ("[presets.cola]", "[presets.cola]\nevaluator = 'synthetic'", "evaluator: a sweep searches with its"),
        ("[search]", "[search]\nlatency_ms = 3", "latency_ms: a sweep searches with its models"),
        ("[search]", "[search]\nevents = 'e.jsonl'", "events is 'e.jsonl', one file for all jobs"),
        (
            "[search]",
            "[slurm]\nthreads = 2\n[search]\nthreads = 3",
            "threads is in [search] (3) and in [slurm]",
        ),
        ("[search]", "[serach]\n[search]", "unknown key serach"),
        ("[search]", "[search", "s.toml: "),
    ],
)
def test_what_is_wrong_is_named(write: Write, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(JobError, match=re.escape(words)):
        sweep_file.load(write(GOOD.replace(old, new)))


def test_two_runs_of_one_name_are_refused(write: Write) -> None:
    text = 'controls = ["none", "wrong-answer"]\n' + GOOD
    text += "[presets.cola-both]\n[presets.cola-both-wrong-answer]\n"
    assert sweep_file.load(write(text))
    text += '[presets."x"]\n[presets."x-both"]\nspaces=["both"]\n'
    assert len({run.id for run in sweep_file.load(write(text)).runs}) == 10


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="cannot be read: No such file"):
        sweep_file.load(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "jobs" / "sweeps").glob("*.toml")), ids=lambda p: p.name)
def test_examples_load(path: Path) -> None:
    sweep = sweep_file.load(path)
    assert sweep.runs
    for tasks in sweep.tasks:
        rows = tasks.options[tasks.options.index("--rows") + 1]
        assert rows.startswith("hf:") or Path(rows).exists()


def test_options_are_the_programs(write: Write, program: Path) -> None:
    known = sweep_results.search_options(program)
    assert known >= {"preset", "simulations", "seed", "in-flight"} and known >= sweep_file.TAKEN_SEARCH
    sweep = sweep_file.load(write(GOOD + "in_flight = 3\n"))
    sweep_file.check_search_options(sweep, known)
    sweep = sweep_file.load(write(GOOD + "in_fligth = 3\n"))
    with pytest.raises(JobError, match=r"m/b/cola-both: .* search has no option --in-fligth"):
        sweep_file.check_search_options(sweep, known)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "simulations = 10",
            'simulations = 10\ndtype = "bf17"',
            "m/b/cola-both: cola search says: --dtype: 'bf17'",
        ),
        ("simulations = 10", "simulations = 10\nspeculate = 5000", "--speculate: 5000 is outside 1 .. 1024"),
        ("simulations = 10", "simulations = 10\nseed = 1.5", "--seed: '1.5' is not a whole number"),
        ("[presets.cola]", "[presets.colla]", "--preset: 'colla' is none of cola|"),
        ("[presets.cola]", "[presets.cola]\nmin_length = 3\nmax_length = 2", "must be within these bounds"),
    ],
)
def test_values_are_the_programs(write: Write, program: Path, old: str, new: str, words: str) -> None:
    cola = f"cola = '{program}'\n"
    sweep = sweep_file.load(write(cola + GOOD))
    sweep_check.check_options(sweep, sweep.runs)
    sweep = sweep_file.load(write(cola + GOOD.replace(old, new)))
    with pytest.raises(JobError, match=re.escape(words)):
        sweep_check.check_options(sweep, sweep.runs)


def test_a_job_asks_for_the_threads_of_its_search(write: Write) -> None:
    def made(text: str) -> tuple[int, str]:
        (run,) = sweep_file.load(write(text)).runs
        return run.slurm.threads, run.options[run.options.index("--threads") + 1]

    assert made(GOOD) == (1, "1")
    assert made(GOOD + "[slurm]\nthreads = 2\n") == (2, "2")
    assert made(GOOD + "threads = 3\n") == (3, "3")
    assert made(GOOD + "threads = 0\n") == (1, "0")  # what cola finds


def test_options_of_the_site_and_events(write: Write) -> None:
    text = GOOD + "events = '-'\n[slurm]\nsbatch = ['--bell=1', '--whistle']\nmerge = {sbatch = ['--m']}\n"
    (run,) = sweep_file.load(write(text)).runs
    assert run.slurm.sbatch == ("--bell=1", "--whistle") and run.slurm.merge_sbatch == ("--m",)
    assert "--events -" in " ".join(run.options)


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (5, 300),
        ("5", 300),
        ("5:30", 330),
        ("1:05:30", 3930),
        ("1-2", 93600),
        ("1-2:30", 95400),
        ("1-2:30:10", 95410),
        ("UNLIMITED", None),
        ("", None),
        (0, None),
    ],
)
def test_times_of_slurm(time: str | int, seconds: int | None) -> None:
    assert sweep_sbatch.seconds(time) == seconds


@pytest.mark.parametrize("time", ["soon", "1:2:3:4", "1h", True, 1.5])
def test_what_is_no_time(time: object) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(str(time))}$"):
        sweep_sbatch.seconds(time)


def test_ranges() -> None:
    assert sweep_submit.ranges([5, 0, 1, 2, 7, 8]) == "0-2,5,7-8"


def test_shards_have_the_rows_of_cola_search() -> None:
    """rows n*i/N .. n*(i+1)/N, as src/cli/search_setup_hdf5.c cuts them."""
    assert [sweep_status.shard_rows(10, i, 4) for i in range(4)] == [2, 3, 2, 3]


def test_a_real_journal_and_its_run_agree(program: Path, tmp_path: Path) -> None:
    make_tasks = program.parent / "tests" / "mpi" / "make_tasks"
    if not make_tasks.exists():
        pytest.skip("make_tasks is not built")
    tasks, out = tmp_path / "t.h5", tmp_path / "r.h5"
    subprocess.run([make_tasks, tasks, "loglik", "5", "320", "1"], check=True)
    model = ROOT / "tests" / "data" / "models" / "llama_gqa_tied"
    command = [program, "search", tasks, "--model", model, "--out", out, "--simulations", "6", "--quiet"]
    subprocess.run(command, check=True)
    shard = sweep_results.read(program, out)
    assert shard.complete and shard.n_finished == 5 and shard.n_samples == 5 and shard.found[1] == 5
    n_evaluated = shard.n_evaluated
    out.unlink()  # as before the first fold
    shard = sweep_results.read(program, out)
    assert not shard.complete and not shard.error
    assert (shard.n_finished, shard.n_samples, shard.n_evaluated) == (5, 5, n_evaluated)
    journal = tmp_path / "r.h5.journal"
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])  # as in the middle, torn
    shard = sweep_results.read(program, out)
    assert not shard.error
    assert 0 < shard.n_evaluated < n_evaluated and shard.n_finished < 5
    journal.write_bytes(b"no journal at all" * 9)
    assert "journal" in sweep_results.read(program, out).error
