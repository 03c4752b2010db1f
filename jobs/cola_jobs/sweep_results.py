"""What the files of a run say: run.h5 through `cola show --json`, and its journal for what came after.

run.h5 is written when a search stops, and every ten minutes; the journal has every evaluation. So the numbers
of a running search come from the journal (docs/format-journal.md), but what was found only from run.h5.
"""

import json
import mmap
import re
import struct
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cola_jobs.progress import JobError

FINISHED, EVALUATED, SESSION = 4, 3, 1
HEAD = struct.Struct("<IIIBQ")  # length, two checks, kind, sequence number
FIRST = 16  # bytes before the first record


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


@dataclass
class Journal:
    """Counts of a journal's records."""

    n_finished: int = 0
    n_evaluated: int = 0
    n_new: int = 0  # evaluated since the last process took over
    n_samples: int | None = None
    started: str = ""  # of that process, UTC


def _session(payload: bytes) -> tuple[int, str]:
    """Number of samples, and the value of the field `started`."""
    n_samples, n_fields = struct.unpack_from("<II", payload, 4)
    at, started = 12, ""
    for _ in range(n_fields):
        texts = []
        at += 1  # role
        for _ in range(2):
            (n,) = struct.unpack_from("<I", payload, at)
            texts.append(payload[at + 4 : at + 4 + n])
            at += 4 + n
        if texts[0] == b"started":
            started = texts[1].decode(errors="replace")
    return n_samples, started


def read_journal(path: Path) -> Journal:
    """Counts without checking: `cola search` does that. A torn end is no record."""
    counts = Journal()
    finished: set[bytes] = set()
    with path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() <= FIRST:
            return counts
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = FIRST
            while at + HEAD.size <= len(data):
                n, _, _, kind, _ = HEAD.unpack_from(data, at)
                end = at + 12 + n
                if end > len(data):
                    break
                if kind == EVALUATED:
                    counts.n_evaluated += 1
                    counts.n_new += 1
                elif kind == FINISHED:
                    finished.add(data[at + HEAD.size : at + HEAD.size + 4])
                elif kind == SESSION:
                    counts.n_samples, counts.started = _session(data[at + HEAD.size : end])
                    counts.n_new = 0
                at = end
    counts.n_finished = len(finished)
    return counts


def _add_journal(shard: Shard, path: Path) -> None:
    counts = read_journal(path)
    shard.n_finished = max(shard.n_finished, counts.n_finished)
    shard.n_evaluated = max(shard.n_evaluated, counts.n_evaluated)
    shard.n_samples = shard.n_samples or counts.n_samples
    if counts.started:
        try:
            began = datetime.fromisoformat(counts.started).timestamp()
        except ValueError:  # the clock was of no use there: no rate
            return
        seconds = path.stat().st_mtime - began
        shard.rate = counts.n_new / seconds if seconds >= 1 else 0.0


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
            _add_journal(shard, journal)
        except (OSError, ValueError, struct.error) as error:
            shard.error = shard.error or f"{journal}: {error}"
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
