"""The few commands of Slurm that a sweep needs: sbatch, squeue, scancel. Knows nothing of searches."""

import getpass
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cola_jobs.progress import JobError

# states that a job does not leave again by itself
ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "SPECIAL_EXIT",
        "TIMEOUT",
    }
)
# of slurm/search.sbatch; COLA_MAX_RESTARTS is the user's
VARIABLES = ("COLA", "COLA_SHARDS", "COLA_MEMO", "COLA_LAUNCH", "COLA_LAUNCH_OPTIONS", "COLA_SETUP")
NEVER = "DependencyNeverSatisfied"


@dataclass(frozen=True)
class Queued:
    """One line of squeue: a job, or a task of an array."""

    id: str  # 12, or 12_3 of an array
    state: str
    reason: str
    comment: str

    @property
    def active(self) -> bool:
        """Runs, or may run yet."""
        return self.state not in ENDED and self.reason != NEVER


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    except FileNotFoundError:
        raise JobError(f"{command[0]}: no such program: Slurm's commands are not on PATH here") from None
    except subprocess.TimeoutExpired:
        raise JobError(f"{command[0]}: no answer within 120 s") from None
    if done.returncode:
        raise JobError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def queue() -> dict[str, Queued]:
    """This user's jobs by id, array tasks one by one, and those that ended a few minutes ago."""
    lines = _run(["squeue", "-h", "-r", "-t", "all", "-u", getpass.getuser(), "-o", "%i|%T|%r|%k"])
    found = {}
    for line in lines.splitlines():
        parts = line.strip().split("|", 3)
        if len(parts) == 4:
            found[parts[0]] = Queued(*parts)
    return found


def submit(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """Runs sbatch with these variables of slurm/search.sbatch and no others of them; returns the job's id."""
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    out = _run(command, environment | dict(variables)).strip()
    match = re.fullmatch(r"([0-9]+)(;.*)?", out.splitlines()[-1] if out else "")
    if not match:
        raise JobError(f"sbatch: no job id in its answer {out!r}")
    return match[1]


def cancel(ids: Sequence[str]) -> None:
    """Cancels exactly these."""
    for i in range(0, len(ids), 100):
        _run(["scancel", *ids[i : i + 100]])
