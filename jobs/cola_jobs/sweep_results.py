"""What the files of a run say: run.h5 by `cola show --json`, its journal by `cola show --follow --json`.

run.h5 is written when a search stops, and every ten minutes; the journal has every evaluation. So the numbers
of a running search come from the journal, but what was found only from run.h5.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cola_jobs.progress import JobError


@dataclass
class Shard:
    """One result file, perhaps not there yet."""

    path: Path
    there: bool = False
    complete: bool = False
    n_samples: int | None = None  # in the file
    n_finished: int = 0
    n_evaluated: int = 0
    found: tuple[int, int] = (0, 0)  # samples with a right chain, of those finished when run.h5 was written
    rate: float = 0.0  # evaluations/s of the last process that wrote, while it wrote
    error: str = ""  # why the file cannot be used


def follow_once(cola: Path, path: Path) -> dict[str, Any]:
    """The first line of `cola show --follow --json`: it comes at once and disturbs no running search."""
    command = [str(cola), "show", str(path), "--follow", "--json", "--interval", "3600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        _, error = process.communicate()
    if not line:
        raise JobError(error.strip() or f"cola show --follow: exit status {process.returncode}")
    found: dict[str, Any] = json.loads(line)
    return found


def _add_journal(shard: Shard, line: dict[str, Any]) -> None:
    shard.n_finished = max(shard.n_finished, line["n_finished"])
    shard.n_evaluated = max(shard.n_evaluated, line["evaluations"])
    shard.n_samples = shard.n_samples or line["n_samples"] or None
    shard.rate = line["evaluations_per_s_in_all"] or 0.0


def read(cola: Path, path: Path) -> Shard:
    """Everything that the files of one shard (or run) say."""
    shard = Shard(path)
    journal = path.with_name(f"{path.name}.journal")
    shard.there = path.exists() or journal.exists()
    if path.exists():
        command = [str(cola), "show", str(path), "--json", "--limit", "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shard.error = done.stderr.strip() or f"cola show: exit status {done.returncode}"
        else:
            page = json.loads(done.stdout)
            found = page["finished_samples"]["target_found"]
            shard.complete, shard.n_samples = page["complete"], page["n_samples"]
            shard.n_finished, shard.n_evaluated = page["n_finished"], page["n_chains"]
            shard.found = (found["count"], found["of"])
    if not shard.complete and journal.exists():
        try:
            _add_journal(shard, follow_once(cola, path))
        except (JobError, ValueError) as error:
            shard.error = shard.error or str(error)
    return shard


def search_options(cola: Path) -> frozenset[str]:
    """The names of the options of `cola search`, as its help lists them."""
    done = subprocess.run([str(cola), "search", "--help"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise JobError(f"{cola} search --help: exit status {done.returncode}: {done.stderr.strip()}")
    return frozenset(re.findall(r"^  --([a-z0-9-]+)", done.stdout, re.MULTILINE))


def digest(cola: Path, path: Path) -> str:
    """Computed from the content, and compared with the stored one."""
    done = subprocess.run(
        [str(cola), "show", str(path), "--digest"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise JobError(done.stderr.strip() or f"{path}: cola show --digest: exit status {done.returncode}")
    return done.stdout.strip()
