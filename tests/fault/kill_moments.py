"""kill_moments.py COLA MAKE_TASKS KILL_AT MODEL [SEED]: SIGKILL at exact places, and of single ranks.

The whole job is killed at any byte of the journal, inside a fold, before and after the rename of run.h5
(the library KILL_AT, by LD_PRELOAD), each time in what the kill before left; single ranks of 3 are
killed at random moments. After every kill the next process must know every evaluation whose record is
whole in the journal, and after some kills the search ends with the uninterrupted digest. 30 kills and 10
of ranks; in full: 300 and 100. SEED repeats the places.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

COLA, MAKE_TASKS, KILL_AT, MODEL = (str(Path(argument).resolve()) for argument in sys.argv[1:5])
SEED = int(sys.argv[5]) if len(sys.argv) > 5 else random.randrange(2**30)
MANY = 10 if os.environ.get("COLA_TESTS_FULL") == "1" else 1
JOURNAL_BYTES = 20_000  # less than a whole search writes: 400 evaluations of some 80 bytes
KILLS_TO_THE_END = 8  # then the search goes to its end, and a new one begins
MPI_SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_oob_tcp_if_include": "lo",
    "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_plm": "isolated",
    "OMPI_MCA_ras": "^slurm",
}


class Failure(Exception):
    """What went wrong, for the last line."""


class Search:
    """One run in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.tasks, self.run, self.log = directory / "tasks.h5", directory / "run.h5", directory / "log"
        self.journal = directory / "run.h5.journal"
        self.environment = os.environ | MPI_SETTINGS | {"TMPDIR": str(directory)}
        self.resumes = 0
        subprocess.run([MAKE_TASKS, self.tasks, "loglik", "20", "320", "3"], check=True)

    def start(self, ranks: int, kill_at: str | None = None) -> subprocess.Popen[bytes]:
        launcher = f"mpirun --oversubscribe --bind-to none -n {ranks}".split() if ranks else []
        environment = self.environment
        if kill_at:
            environment = environment | {"LD_PRELOAD": KILL_AT, "COLA_KILL_AT": kill_at}
        command = [*launcher, COLA, "search", self.tasks, "--model", MODEL, "--out", self.run, "--resume"]
        command += ["--seed", "2", "--threads", "1", "--simulations", "20"]
        command += ["--speculate", str(random.choice([1, 2, 8]))]
        with self.log.open("wb") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def evaluated(self) -> int:
        """Different evaluations whose record is whole in the journal."""
        data = self.journal.read_bytes() if self.journal.exists() else b""
        seen, at = set(), 16
        while at + 12 <= len(data):
            (n,) = struct.unpack_from("<I", data, at)
            payload = data[at + 12 : at + 12 + n]
            if len(payload) < n or zlib.crc32(payload) != struct.unpack_from("<I", data, at + 8)[0]:
                break
            if payload[0] == 3:
                seen.add(payload[9 : 17 + 2 * struct.unpack_from("<I", payload, 13)[0]])
            at += 12 + n
        return len(seen)

    def check_known(self, expected: int) -> None:
        """What the process that has just run said it knew at its start."""
        found = re.search(rb"resuming: (\d+)", self.log.read_bytes())
        self.resumes += found is not None
        if found and int(found.group(1)) != expected:
            raise Failure(f"{found.group(1).decode()} evaluations known, {expected} were in the journal")

    def check_run(self) -> None:
        if self.run.exists():
            subprocess.run([COLA, "show", self.run, "--digest"], check=True, capture_output=True)

    def to_the_end(self, ranks: int) -> str:
        before = self.evaluated()
        if self.start(ranks).wait(timeout=100) != 0:
            raise Failure(f"resume with {ranks} ranks: {self.log.read_text()}")
        self.check_known(before)
        shown = subprocess.run([COLA, "show", self.run, "--digest"], check=True, capture_output=True)
        return shown.stdout.decode().strip()

    def remove(self) -> None:
        self.run.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)


def ranks_of(job: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of the job's ranks: the session's processes that run COLA."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(job.pid)], capture_output=True, text=True)
    lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, arguments in lines if arguments.startswith(COLA)]


def kill_at_places(search: Search, want: str) -> None:
    places = ["search"] * 8 * 3 * MANY + ["fold", "rename-before", "rename-after"] * 2 * MANY
    random.shuffle(places)
    for i, place in enumerate(places):
        before = search.evaluated()
        kill_at = f"journal:{random.randrange(1, JOURNAL_BYTES)}" if place == "search" else place
        status = search.start(0, kill_at).wait(timeout=100)
        search.check_known(before)
        if status == 0 and place == "search":
            search.remove()  # it had fewer records left: the kill counts in a fresh search
            status = search.start(0, kill_at).wait(timeout=100)
        if status != -signal.SIGKILL:
            raise Failure(f"{kill_at}: exit status {status}: {search.log.read_text()}")
        search.check_run()
        if i % KILLS_TO_THE_END == KILLS_TO_THE_END - 1 or i == len(places) - 1:
            if (got := search.to_the_end(0)) != want:
                raise Failure(f"after {i + 1} kills, the last at {kill_at}: {got} instead of {want}")
            search.remove()
    counts = {place: places.count(place) for place in sorted(set(places))}
    print(f"killed   the whole job {len(places)} times: {counts}")


def kill_ranks(search: Search, want: str) -> None:
    hit, began = 0, time.monotonic()
    search.to_the_end(3)
    whole_s = time.monotonic() - began  # on this machine, mpirun's start included
    search.remove()
    while hit < 10 * MANY:
        before = search.evaluated()
        job = search.start(3)
        time.sleep(whole_s * random.random())
        ranks = ranks_of(job)
        if ranks and job.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(random.choice(ranks), signal.SIGKILL)
        status = job.wait(timeout=100)
        search.check_known(before)
        search.check_run()
        hit += status != 0
        if status == 0 or hit % KILLS_TO_THE_END == 0:
            if (got := search.to_the_end(3)) != want:
                raise Failure(f"after {hit} kills of ranks: {got} instead of {want}")
            search.remove()
    print(f"killed   single ranks {hit} times")


def main() -> int:
    random.seed(SEED)
    print(f"seed     {SEED}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cola-kill-") as name:
        search = Search(Path(name))
        want = search.to_the_end(0)
        search.remove()
        try:
            kill_at_places(search, want)
            kill_ranks(search, want)
            if search.resumes < 20:
                raise Failure(f"only {search.resumes} processes found anything to resume")
            print(f"resumed  {search.resumes} times with known results, none lost")
        except Failure as failure:
            print(f"FAILED: seed {SEED}: {failure}", file=sys.stderr)
            return 1
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
