"""Options of sbatch that a sweep file may set: their names, and what a time means.

The names are those of Slurm 20 to 25, since `plan` works where there is no sbatch to ask. An option that a
plugin of the site adds is none of them: it goes into the list `sbatch`, word for word.
"""

import re
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# options that the sweep gives itself
TAKEN = _names(
    """
    array job-name comment output error dependency kill-on-invalid-dep signal ntasks cpus-per-task
    export parsable requeue no-requeue open-mode wait wrap test-only help usage version
    """
)
KNOWN = _names(
    """
    account acctg-freq batch bb bbf begin chdir cluster-constraint clusters consolidate-segments
    constraint container container-id contiguous core-spec cores-per-socket cpu-freq cpus-per-gpu
    deadline delay-boot distribution exclude exclusive export-file external-launcher extra
    extra-node-info get-user-env gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket
    gpus-per-task gres gres-flags hint hold ignore-pbs input licenses mail-type mail-user mcs-label
    mem mem-bind mem-per-cpu mem-per-gpu mincpus network nice no-kill nodefile nodelist nodes
    ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket oom-kill-step overcommit
    oversubscribe partition power prefer priority profile propagate qos quiet reboot reservation
    resv-ports segment sockets-per-node spread-job spread-segments stepmgr switches thread-spec
    threads-per-core time time-min tmp tres-bind tres-per-task uid use-min-nodes verbose
    wait-all-nodes wckey
    """
)
TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def seconds(time: Any) -> int | None:
    """Of M, M:S, H:M:S, D-H, D-H:M or D-H:M:S; None: no limit. ValueError: it is none of these."""
    text = str(time)
    if text.upper() in ("", "0", "-1", "INFINITE", "UNLIMITED"):
        return None
    match = TIME.fullmatch(text)
    if match is None or isinstance(time, bool):
        raise ValueError(text)
    days, *parts = (int(part) if part is not None else None for part in match.groups())
    given = [part for part in parts if part is not None]
    if days is not None:
        hours, minutes, secs = [*given, 0, 0][:3]
    elif len(given) == 3:
        hours, minutes, secs = given
    else:
        hours, minutes, secs = 0, given[0], given[1] if len(given) == 2 else 0
    return (((days or 0) * 24 + hours) * 60 + minutes) * 60 + secs
