"""What a sweep has submitted: DIRECTORY/sweep.json, written to a temporary and renamed, one writer at a time.

Only what files and Slurm cannot tell is kept: which jobs are ours, what they were asked for, and the digests
seen. What is done is read from the results each time, so a lost or old state costs nothing but names of jobs.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cola_jobs.progress import JobError

VERSION = 1


@dataclass
class Job:
    """One sbatch."""

    kind: str  # search | merge
    id: str  # of Slurm; of the whole array
    shards: list[int]  # those that it searches; of a merge: none
    log: str  # with %A and %a, or %j
    submitted: str

    def log_of(self, shard: int) -> Path:
        """The log of one shard."""
        return Path(self.log.replace("%A", self.id).replace("%j", self.id).replace("%a", str(shard)))

    def task_id(self, shard: int) -> str:
        """Slurm's id of one shard."""
        return f"{self.id}_{shard}" if "%a" in self.log else self.id


@dataclass
class RunState:
    """What was asked for under one run's name, and its jobs, the oldest first."""

    shards: int = 0
    options: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    digest: str = ""

    def job_of(self, shard: int) -> Job | None:
        """The last job that searched this shard."""
        return next((j for j in reversed(self.jobs) if j.kind == "search" and shard in j.shards), None)

    def merge_job(self) -> Job | None:
        """The last merge."""
        return next((j for j in reversed(self.jobs) if j.kind == "merge"), None)


@dataclass
class State:
    """The whole file."""

    path: Path
    id: str  # in the comment of every job of this sweep
    tasks: dict[str, list[str]] = field(default_factory=dict)  # options of prepare.py, by Tasks.id
    runs: dict[str, RunState] = field(default_factory=dict)  # by Run.id

    def comment(self, kind: str, run_id: str) -> str:
        """By which a job in the queue is known as ours."""
        return f"cola-sweep:{self.id}:{kind}:{run_id}"

    def parse_comment(self, comment: str) -> tuple[str, str] | None:
        """(kind, run id) of one of our jobs."""
        parts = comment.split(":", 3)
        if len(parts) != 4 or parts[:2] != ["cola-sweep", self.id] or parts[2] not in ("search", "merge"):
            return None
        return parts[2], parts[3]

    def save(self) -> None:
        """Atomically: a reader, or a crash, sees the old file or the new one."""
        content = {"version": VERSION, "id": self.id, "tasks": self.tasks}
        content["runs"] = {name: asdict(run) for name, run in self.runs.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _run_state(content: dict) -> RunState:
    jobs = [Job(**job) for job in content["jobs"]]
    return RunState(content["shards"], content["options"], jobs, content["digest"])


def load(directory: Path) -> State:
    """The state of a sweep's directory; a new one if there is none."""
    path = directory / "sweep.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise JobError(f"{path}: version {content['version']}, this program knows {VERSION}")
        runs = {name: _run_state(run) for name, run in content["runs"].items()}
        return State(path, content["id"], content["tasks"], runs)
    except FileNotFoundError:
        return State(path, secrets.token_hex(4))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JobError(
            f"{path}: damaged ({error!r}); results do not depend on it: move it away, and look with squeue "
            "for jobs of this sweep that still run before submitting again"
        ) from error


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One writer at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "sweep.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobError(f"{directory}: another sweep.py is at work here") from None
        yield
