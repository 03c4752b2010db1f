"""Reads a sweep file (docs/sweeps.md): models x benchmarks x presets x spaces x controls, and Slurm's part.

Everything the file says is checked here. What comes out are runs: each one search, whole or in shards, with
the options of `cola search` and of sbatch that belong to it. Knows no results and no jobs that run.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cola_jobs import sweep_sbatch
from cola_jobs.progress import JobError
from cola_jobs.venv import ROOT

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SPACES = ("both", "skip", "repeat")
CONTROLS = ("none", "wrong-answer")
# options of `cola search` that are the sweep's own; which others there are, the program itself says
TAKEN_SEARCH = frozenset(
    {"model", "out", "resume", "space", "samples", "shard", "control", "memo", "time-limit", "quiet", "help"}
)
# options of `cola search` without a model; a sweep always has one
NO_MODEL = frozenset({"evaluator", "latency-ms", "latency-spread", "synthetic-optima", "synthetic-layers"})
# options of prepare.py that a benchmark may set, and their types
PREPARE_KEYS: Mapping[str, type] = {
    "task": str,
    "rows": list,
    "score": str,
    "template": str,
    "level": int,
    "skip": int,
    "limit": int,
    "max_new_tokens": int,
    "reorder": int,
    "skip_bad": bool,
}
# the smallest number that prepare.py takes, or that leaves a row
PREPARE_LEAST: Mapping[str, int] = {"level": 0, "skip": 0, "limit": 1, "max_new_tokens": 1, "reorder": 0}
# keys of [slurm] that mean something to the sweep; every other is handed to sbatch as --KEY=VALUE
OWN_SLURM_KEYS: Mapping[str, type] = {
    "shards": int,
    "workers": int,
    "threads": int,
    "stop_before": int,
    "array_limit": int,
    "launch": str,
    "launch_options": str,
    "setup": str,
    "merge": dict,
}


@dataclass(frozen=True)
class Slurm:
    """How the jobs of one run are asked for."""

    shards: int = 1
    workers: int = 1
    threads: int = 1
    stop_before: int = 300  # seconds before the time limit
    array_limit: int = 0  # most tasks of an array at once; 0: no limit
    launch: str = ""
    launch_options: str = ""
    setup: str = ""
    sbatch: tuple[str, ...] = ()  # --partition=.. and the like
    merge_sbatch: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tasks:
    """One benchmark for one model's tokenizer: a tasks.h5, prepared once."""

    id: str  # MODEL/BENCHMARK
    model: Path
    path: Path
    options: tuple[str, ...]  # of prepare.py
    rows: tuple[str, ...]  # absolute paths, or hf:..
    skip: int
    limit: int | None
    reorder: int


@dataclass(frozen=True)
class Run:
    """One search."""

    id: str  # MODEL/BENCHMARK/PRESET-SPACE[-CONTROL]
    tasks: Tasks
    out: Path
    options: tuple[str, ...]  # of `cola search`
    simulations: int
    slurm: Slurm
    memo: Path | None  # a control's: the run that it is the control of

    def shard_path(self, i: int) -> Path:
        """Where shard i is written: slurm/search.sbatch makes the same name."""
        if self.slurm.shards == 1:
            return self.out
        return self.out.with_name(f"{self.out.stem}-{i}-of-{self.slurm.shards}.h5")


@dataclass(frozen=True)
class Sweep:
    """A whole sweep file."""

    path: Path
    name: str
    directory: Path
    logs: Path
    cola: Path
    tasks: list[Tasks] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)


def _from(base: Path, path: str | Path) -> Path:
    """Absolute; symbolic links stay as they are, for what they point to may change."""
    return Path(os.path.abspath(base / path))


def _table(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise JobError(f"{where}: expected a table")
    return value


def _check(where: str, table: Mapping[str, Any], known: Mapping[str, type]) -> None:
    """Every key known and of the right type."""
    for key, value in table.items():
        if key not in known:
            raise JobError(f"{where}: unknown key {key}, expected {', '.join(known)}")
        if type(value) is not known[key]:
            raise JobError(f"{where}: {key} is {value!r}, expected a {known[key].__name__}")


def _names(where: str, table: Any) -> dict[str, dict[str, Any]]:
    table = _table(where, table)
    if not table:
        raise JobError(f"{where}: none is there")
    for name in table:
        if not NAME.fullmatch(name):
            raise JobError(f"{where}.{name}: a name has letters, digits, '.', '_' and '-'")
    return {name: _table(f"{where}.{name}", value) for name, value in table.items()}


def _choices(where: str, value: Any, allowed: tuple[str, ...]) -> list[str]:
    if not isinstance(value, list) or not value or any(v not in allowed for v in value):
        raise JobError(f"{where} is {value!r}, expected a list of {', '.join(allowed)}")
    return value


def _words(where: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """--key value; a flag for true, nothing for false."""
    words: list[str] = []
    for key, value in options.items():
        name = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words += [name] if value else []
        elif isinstance(value, list):
            words += [name, *(str(v) for v in value)]
        elif isinstance(value, str | int | float):
            words += [name, str(value)]
        else:
            raise JobError(f"{where}: {key} is {value!r}, expected a string or a number")
    return tuple(words)


def _sbatch(where: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """--key=value, as sbatch wants it. An empty value leaves it out. `sbatch`: words as they are."""
    words = []
    for key, value in options.items():
        name = key.replace("_", "-")
        if key == "sbatch":
            words += _site_options(where, value)
            continue
        _check_sbatch_name(where, key, name)
        if isinstance(value, bool):
            words += [f"--{name}"] if value else []
        elif isinstance(value, str | int):
            words += [f"--{name}={value}"] if value != "" else []
        else:
            raise JobError(f"{where}: {key} is {value!r}, expected a string or a whole number")
    return tuple(words)


def _check_sbatch_name(where: str, key: str, name: str) -> None:
    if name in sweep_sbatch.TAKEN:
        raise JobError(f"{where}: {key} is the sweep's own option of sbatch")
    if name not in sweep_sbatch.KNOWN:
        near = difflib.get_close_matches(name, sweep_sbatch.KNOWN | OWN_SLURM_KEYS.keys(), 1)
        hint = f"; is {near[0]} meant?" if near else ""
        site = f'sbatch = ["--{name}=.."]'
        raise JobError(
            f"{where}: unknown key {key}{hint} (an option of sbatch that only this site has goes into {site})"
        )


def _site_options(where: str, value: Any) -> list[str]:
    if not isinstance(value, list) or any(not isinstance(v, str) or not v.startswith("--") for v in value):
        raise JobError(f"{where}: sbatch is {value!r}, expected a list of words that begin with --")
    for word in value:
        name = word[2:].partition("=")[0]
        if name in sweep_sbatch.TAKEN:
            raise JobError(f"{where}: sbatch: --{name} is the sweep's own option of sbatch")
    return value


def _check_stop(where: str, time: Any, stop_before: int) -> None:
    """A job that is told to stop before it has begun is requeued until it gives up."""
    try:
        limit = sweep_sbatch.seconds(time)
    except ValueError:
        raise JobError(f"{where}: slurm.time is {time!r}, expected MINUTES, H:MM:SS or D-HH:MM:SS") from None
    if limit is not None and stop_before >= limit:
        raise JobError(
            f"{where}: slurm.stop_before is {stop_before} s (300 if it is not given), and slurm.time only "
            f"{limit} s: no time is left to search; give more time, or stop later"
        )


def _slurm(where: str, base: Path, tables: list[Mapping[str, Any]]) -> Slurm:
    """From [slurm] and what a model, a benchmark and a preset change of it, the later over the earlier."""
    merged: dict[str, Any] = {}
    merge: dict[str, Any] = {}
    for table in tables:
        merge |= _table(f"{where}: slurm.merge", table.get("merge", {}))
        merged |= {key: value for key, value in table.items() if key != "merge"}
    own = {key: merged.pop(key) for key in OWN_SLURM_KEYS if key in merged}
    _check(f"{where}: slurm", own, OWN_SLURM_KEYS)
    for key, least in (("shards", 1), ("workers", 1), ("threads", 1), ("stop_before", 1), ("array_limit", 0)):
        if own.get(key, least) < least:
            raise JobError(f"{where}: slurm.{key} is {own[key]}, expected {least} or more")
    if own.get("launch", "mpirun") not in ("mpirun", "srun", "none"):
        raise JobError(f"{where}: slurm.launch is {own['launch']!r}, expected mpirun, srun or none")
    if own.get("launch") == "none" and own.get("workers", 1) > 1:
        raise JobError(
            f"{where}: slurm.launch is none, which has one worker, but workers is {own['workers']}"
        )
    _check_stop(where, merged.get("time", ""), own.get("stop_before", Slurm.stop_before))
    if own.get("setup"):
        own["setup"] = str(_from(base, own["setup"]))
    sites = {key: merged[key] for key in ("partition", "account", "qos") if key in merged}
    return Slurm(
        **own,
        sbatch=_sbatch(f"{where}: slurm", merged),
        merge_sbatch=_sbatch(f"{where}: slurm.merge", sites | merge),
    )


def _search_options(where: str, tables: list[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            name = key.replace("_", "-")
            if name in NO_MODEL:
                raise JobError(f"{where}: {key}: a sweep searches with its models, not without one")
            if name in TAKEN_SEARCH:
                raise JobError(f"{where}: {key} is the sweep's own option of cola search")
            merged[name] = value
    n = merged.get("simulations")
    if type(n) is not int or n < 1:
        raise JobError(f"{where}: simulations is {n!r}: a sweep says how many, in [search] or the preset")
    if merged.get("events", "-") != "-":
        raise JobError(
            f"{where}: events is {merged['events']!r}, one file for all jobs of the sweep; only '-', "
            "into the log of each job, goes"
        )
    return merged


def _with_threads(where: str, slurm: Slurm, options: Mapping[str, Any], given: bool) -> Slurm:
    """threads of [search] are what the job asks for, too; `given`: [slurm] has them as well."""
    threads = options.get("threads")
    if threads is None:
        return slurm
    if given:
        raise JobError(
            f"{where}: threads is in [search] ({threads}) and in [slurm]: leave it out of [search] (or of "
            "the search options of the benchmark or preset)"
        )
    return replace(slurm, threads=threads) if type(threads) is int and threads > 0 else slurm


def _without(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


class _Reader:
    """Builds the runs of one file."""

    def __init__(self, path: Path) -> None:
        try:
            self.content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise JobError(f"{path}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise JobError(f"{path}: {error}") from error
        self.path, self.base = path, _from(Path.cwd(), path).parent
        known = {"name": str, "directory": str, "logs": str, "cola": str, "memo": bool, "spaces": list}
        tables = ("slurm", "search", "models", "benchmarks", "presets")
        _check(str(path), self.content, known | {"controls": list} | dict.fromkeys(tables, dict))
        self.models = _names(f"{path}: models", self.content.get("models", {}))
        self.benchmarks = _names(f"{path}: benchmarks", self.content.get("benchmarks", {}))
        self.presets = _names(f"{path}: presets", self.content.get("presets", {}))

    def sweep(self) -> Sweep:
        """The whole file."""
        name = self.content.get("name", self.path.stem)
        if not NAME.fullmatch(name):
            raise JobError(f"{self.path}: name is {name!r}: letters, digits, '.', '_' and '-'")
        directory = _from(self.base, self.content.get("directory", name))
        cola = self.content.get("cola")
        out = Sweep(
            path=self.path,
            name=name,
            directory=directory,
            logs=directory / self.content.get("logs", "logs"),
            cola=_from(self.base, cola) if cola else ROOT / "build" / "release" / "cola",
        )
        for model in self.models:
            for benchmark in self.benchmarks:
                tasks = self._tasks(directory, model, benchmark)
                out.tasks.append(tasks)
                for preset in self.presets:
                    out.runs.extend(self._runs(tasks, model, benchmark, preset))
        ids = [run.id for run in out.runs]
        for run_id in ids:
            if ids.count(run_id) > 1:
                raise JobError(f"{self.path}: two runs would be {run_id}: rename a preset")
        return out

    def _tasks(self, directory: Path, model: str, benchmark: str) -> Tasks:
        where, table = f"{self.path}: models.{model}", self.models[model]
        _check(where, _without(table, "slurm"), {"path": str})
        if "path" not in table:
            raise JobError(f"{where}: path is missing")
        where, options = f"{self.path}: benchmarks.{benchmark}", self.benchmarks[benchmark]
        options = _without(options, "slurm", "search")
        _check(where, options, PREPARE_KEYS)
        if "rows" not in options:
            raise JobError(f"{where}: rows is missing")
        if not options["rows"] or not all(isinstance(row, str) for row in options["rows"]):
            raise JobError(f"{where}: rows is {options['rows']!r}, expected a list of files or hf:..")
        for key, least in PREPARE_LEAST.items():
            if options.get(key, least) < least:
                raise JobError(f"{where}: {key} is {options[key]}, expected {least} or more")
        options = {"task": benchmark} | options
        rows = [row if str(row).startswith("hf:") else _from(self.base, str(row)) for row in options["rows"]]
        options["rows"] = rows
        if str(options["task"]).endswith(".toml"):
            options["task"] = str(_from(self.base, options["task"]))
        return Tasks(
            id=f"{model}/{benchmark}",
            model=_from(self.base, table["path"]),
            path=directory / model / benchmark / "tasks.h5",
            options=_words(where, options),
            rows=tuple(str(row) for row in rows),
            skip=options.get("skip", 0),
            limit=options.get("limit"),
            reorder=options.get("reorder", 0),
        )

    def _runs(self, tasks: Tasks, model: str, benchmark: str, preset: str) -> list[Run]:
        where, table = f"{self.path}: presets.{preset}", self.presets[preset]
        spaces = _choices(
            f"{where}: spaces", table.get("spaces", self.content.get("spaces", ["both"])), SPACES
        )
        default = self.content.get("controls", ["none"])
        controls = _choices(f"{where}: controls", table.get("controls", default), CONTROLS)
        own = {"preset": preset} | _without(table, "spaces", "controls", "slurm")
        of_benchmark = _table(
            f"{self.path}: benchmarks.{benchmark}.search", self.benchmarks[benchmark].get("search", {})
        )
        search = [self.content.get("search", {}), of_benchmark, own]
        options = _search_options(where, search)
        parts = (self.models[model], self.benchmarks[benchmark], table)
        where = f"{self.path}: {tasks.id}/{preset}"
        tables = [self.content.get("slurm", {})]
        tables += [_table(f"{where}: slurm", part.get("slurm", {})) for part in parts]
        slurm = _slurm(where, self.base, tables)
        slurm = _with_threads(where, slurm, options, any("threads" in table for table in tables))
        made = []
        for space in spaces:
            plain = tasks.path.with_name(f"{preset}-{space}.h5")
            for control in sorted(controls, key=CONTROLS.index):
                end = "" if control == "none" else f"-{control}"
                named = options | {
                    "space": space,
                    "control": control,
                    "threads": options.get("threads", slurm.threads),
                }
                memo = bool(end) and self.content.get("memo", False) and "none" in controls
                made.append(
                    Run(
                        id=f"{tasks.id}/{preset}-{space}{end}",
                        tasks=tasks,
                        out=plain.with_name(f"{plain.stem}{end}.h5"),
                        options=_words(where, named),
                        simulations=options["simulations"],
                        slurm=slurm,
                        memo=plain if memo else None,
                    )
                )
        return made


def check_search_options(sweep: Sweep, known: frozenset[str]) -> None:
    """Refuses options that the program does not have, before any job dies of them."""
    for run in sweep.runs:
        for word in run.options:
            if word.startswith("--") and word[2:] not in known:
                raise JobError(f"{sweep.path}: {run.id}: {sweep.cola} search has no option {word}")


def load(path: Path) -> Sweep:
    """The sweep of this file; JobError names what is wrong with it."""
    return _Reader(path).sweep()
