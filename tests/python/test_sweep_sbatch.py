"""slurm/search.sbatch and merge.sbatch as plain scripts, with a made-up cola and scontrol: which command they
give, what is requeued and under which id, and when they give up. Slurm itself: tests/slurm."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# says what it was asked; searches until USR1 if `until` is there; exits as the file `exit` says
COLA = """#!/bin/bash
cd {here}
if [[ $1 == show ]]; then
    if [[ $3 == --digest ]]; then [[ ! -e bad ]] && echo xxh3:d; exit; fi
    printf '{{\\n "n_samples": 1,\\n "n_chains": %s,\\n "n_x": 5\\n}}\\n' "$(cat chains)"
    exit
fi
echo "$@" >>asked
if [[ $1 == merge ]]; then touch "$2"; fi
if [[ -e until ]]; then
    trap 'echo USR1 >>asked; touch got; exit 75' USR1
    trap 'echo TERM >>asked; exit 75' TERM
    touch ready
    while :; do sleep 0.05; done
fi
exit "$(cat exit)"
"""
LAUNCHER = '#!/bin/bash\necho "{name} $*" >>{here}/asked\n{run}\n'


class Script:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in (
            ("cola", COLA.format(here=root)),
            ("scontrol", LAUNCHER.format(name="scontrol", here=root, run="")),
            ("mpirun", LAUNCHER.format(name="mpirun", here=root, run='shift 5; exec "$@"')),
            ("srun", LAUNCHER.format(name="srun", here=root, run='shift 5; exec "$@"')),
        ):
            (root / name).write_text(text)
            (root / name).chmod(0o755)
        self.set("exit", "0")
        self.set("chains", "7")
        self.variables = {"PATH": f"{root}:/usr/bin:/bin", "COLA": str(root / "cola"), "SLURM_JOB_ID": "12"}

    def set(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def start(self, *options: str, script: str = "search", **variables: str) -> subprocess.Popen[str]:
        (self.root / "asked").unlink(missing_ok=True)
        words = ["t.h5", "model", str(self.root / "r.h5")] if script == "search" else []
        command = ["bash", str(ROOT / "slurm" / f"{script}.sbatch"), *words, *options]
        environment = self.variables | variables
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=self.root)

    def run(self, *options: str, script: str = "search", **variables: str) -> tuple[int, str]:
        process = self.start(*options, script=script, **variables)
        _, said = process.communicate(timeout=60)
        return process.returncode, said

    def asked(self) -> list[str]:
        path = self.root / "asked"
        return path.read_text().replace(f"{self.root}/", "").splitlines() if path.exists() else []


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


def test_the_command_of_a_whole_search(script: Script) -> None:
    assert script.run("--simulations", "5")[0] == 0
    assert script.asked() == ["search t.h5 --model model --out r.h5 --simulations 5"]
    script.set("r.h5.journal", "")
    assert script.run()[0] == 0
    assert script.asked() == ["search t.h5 --model model --out r.h5 --resume"]


def test_the_command_of_an_array_task(script: Script) -> None:
    array = {"SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "0"}
    whole = array | {"SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_TASK_COUNT": "4"}
    assert script.run(COLA_MEMO="a/m.h5", **whole)[0] == 0
    words = "search t.h5 --model model --out r-1-of-4.h5 --shard 1/4 --memo a/m-1-of-4.h5"
    assert script.asked() == [words]
    partly = array | {"SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_TASK_COUNT": "2"}
    status, said = script.run(**partly)
    assert status == 2 and "COLA_SHARDS must say how many shards there are" in said and not script.asked()
    assert script.run(COLA_SHARDS="8", **partly)[0] == 0
    assert script.asked() == ["search t.h5 --model model --out r-1-of-8.h5 --shard 1/8"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SLURM_NTASKS": "4"}, "mpirun -n 5 --oversubscribe --bind-to none"),
        ({"SLURM_NTASKS": "4", "COLA_LAUNCH": "srun"}, "srun -n 5 --overcommit --mpi=pmix --cpu-bind=none"),
        ({"SLURM_NTASKS": "1", "COLA_LAUNCH": "mpirun"}, "mpirun -n 2 --oversubscribe --bind-to none"),
    ],
)
def test_launchers_start_one_rank_more_than_workers(
    script: Script, variables: dict[str, str], words: str
) -> None:
    assert script.run(**variables)[0] == 0
    assert script.asked()[0].startswith(f"{words} cola search t.h5")
    assert len(script.asked()) == 2


def test_wrong_settings_are_named(script: Script) -> None:
    assert "COLA=/no/cola: no such program" in script.run(COLA="/no/cola")[1]
    assert "COLA_LAUNCH=ssh: expected" in script.run(COLA_LAUNCH="ssh")[1]
    assert "COLA_SETUP=/no/file failed" in script.run(COLA_SETUP="/no/file")[1]
    assert not script.asked()
    script.set("setup.sh", "export EXTRA=$UNSET_NAME\n")
    assert script.run(COLA_SETUP=str(script.root / "setup.sh"))[0] == 0


def test_stopped_is_requeued_and_failed_is_not(script: Script) -> None:
    script.set("exit", "75")
    assert script.run()[0] == 75
    assert script.asked()[1] == "scontrol requeue 12"
    array = {"SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "1"}  # the last task has the array's own id
    assert script.run(COLA_SHARDS="4", **array)[0] == 75
    assert script.asked()[1] == "scontrol requeue 10_1"
    for failed in ("1", "2", "137"):
        script.set("exit", failed)
        status, said = script.run()
        assert status == int(failed) and "not requeued" in said and len(script.asked()) == 1


def test_no_progress_gives_up_and_progress_begins_anew(script: Script) -> None:
    script.set("exit", "75")
    requeued = []
    for chains in ("7", "7", "7", "8", "8", "8", "8"):
        script.set("chains", chains)
        status, said = script.run()
        assert status == 75
        requeued.append(len(script.asked()) == 2)
    assert requeued == [True, True, True, True, True, True, False]
    assert "3 times in a row without one new evaluation" in said
    script.set("exit", "0")
    assert script.run()[0] == 0
    assert not (script.root / "r.h5.restarts").exists()


def until(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_usr1_while_ranks_start_is_passed_on_later(script: Script) -> None:
    script.set("until", "")
    process = script.start()
    until(script.root / "ready")
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate(timeout=30)
    ready, got = ((script.root / name).stat().st_mtime for name in ("ready", "got"))
    assert got - ready > 0.8, "not before the launcher is two seconds old, as bash counts whole ones"
    assert process.returncode == 75 and "USR1 passed on" in said
    assert script.asked()[1:] == ["USR1", "scontrol requeue 12"]


def test_a_rank_that_usr1_killed_before_it_listened_is_requeued(script: Script) -> None:
    script.set("until", "")
    text = (script.root / "cola").read_text()
    (script.root / "cola").write_text(text.replace("echo USR1 >>asked; touch got; exit 75", "exit 138"))
    process = script.start()
    until(script.root / "ready")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(30) == 75 and script.asked()[1:] == ["scontrol requeue 12"]


def test_term_is_passed_on_at_once_and_not_requeued(script: Script) -> None:
    script.set("until", "")
    process = script.start()
    until(script.root / "ready")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 75 and "ended by TERM" in said
    assert script.asked()[1:] == ["TERM"]


def test_merge(script: Script) -> None:
    out, parts = str(script.root / "o.h5"), ["a.h5", "b.h5"]
    status, said = script.run(out, *parts, script="merge")
    assert status == 0 and "has xxh3:d" in said and script.asked() == ["merge o.h5 a.h5 b.h5"]
    status, said = script.run(out, *parts, script="merge")  # requeued after it had written
    assert status == 0 and "is there already" in said and script.asked() == []
    script.set("bad", "")
    status, said = script.run(out, *parts, script="merge")
    assert status == 1 and "its digest is wrong" in said
    os.unlink(out)
    script.set("exit", "1")
    status, said = script.run(out, *parts, script="merge")
    assert status == 1 and "cola merge failed with exit status 1" in said
