#!/usr/bin/env bash
# local.sh start|stop DIR - a private Slurm of one node on this machine, for the tests beside: munged, slurmctld
# and slurmd as they come from Debian, on loopback, without systemd and without control groups.
#
# start writes DIR/env.sh (to be sourced: SLURM_CONF and what Open MPI needs) and returns when the node is idle;
# exit status 77 and one line if this machine cannot: no root, or programs missing. stop cancels what runs and
# ends the processes that start noted in DIR/daemons, no others. DIR must be short: sockets are in it.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
verb=${1:-} dir=${2:-}
cpus=8 # of the node, whatever the machine has

cannot() {
    echo "skipped: $*"
    exit 77
}

free_port() { # three ports in a row, bound once to see that nobody has them
    python3 - <<'PY'
import random, socket
while True:
    first = random.randrange(18000, 31000)
    try:
        for port in range(first, first + 3):
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(first)
    break
PY
}

# cred_expire is also how long a requeued job waits before it may start again (120 s otherwise; 5 is the least).
# pgid: a job whose batch script was killed takes mpirun along. KillWait: seconds between TERM and KILL.
write_conf() {
    local host=$1 port=$2
    cat >"$dir/slurm.conf" <<CONF
ClusterName=cola-test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
TmpFS=$dir/tmp
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=3
OverTimeLimit=0
MessageTimeout=10
TCPTimeout=2
MailProg=/bin/true
PropagateResourceLimits=NONE
NodeName=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=$cpus RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE DefaultTime=5 State=UP
CONF
    cat >"$dir/env.sh" <<ENV
export SLURM_CONF=$dir/slurm.conf
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_btl=self,vader
ENV
}

# A pid alone may be another process by the time of stop; with its start time (field 22 of stat) it may not.
started_at() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

daemon() { # daemon NAME COMMAND...: without the caller's SLURM_* and OMPI_*, noted in DIR/daemons
    local name=$1 pid
    shift
    setsid env -i PATH="$PATH" SLURM_CONF="$dir/slurm.conf" "$@" </dev/null >"$dir/$name.out" 2>&1 &
    pid=$!
    echo "$pid $(started_at "$pid")" >>"$dir/daemons"
    disown "$pid"
}

until_true() { # until_true SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

idle() { [[ $(timeout 5 sinfo -h -N -o %T) == idle ]]; }
empty() { [[ -z $(timeout 5 squeue -h -o %i) ]]; }
gone() { [[ $(started_at "$1") != "$2" || $(sed 's/^.*) //' "/proc/$1/stat" | cut -c1) == Z ]]; }

start() {
    local name host
    [[ $(id -u) == 0 ]] || cannot "a private Slurm needs root"
    for name in munged slurmctld slurmd sbatch; do
        command -v $name >/dev/null || cannot "no $name: apt-get install slurmctld slurmd slurm-client munge"
    done
    host=$(hostname -s)
    mkdir -p "$dir"/{munge,state,spool,tmp}
    dir=$(cd "$dir" && pwd -P)
    ((${#dir} + ${#host} < 60)) || cannot "$dir is too long for the names of sockets"
    chmod 700 "$dir/munge"
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 600 "$dir/munge/key"
    write_conf "$host" "$(free_port)"
    export SLURM_CONF=$dir/slurm.conf
    # --force: it wants every directory above its socket open to everybody; ours is private
    daemon munged munged -F --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
        --pid-file="$dir/munge/pid" --seed-file="$dir/munge/seed" --log-file="$dir/munge/log"
    until_true 10 munge -n -S "$dir/munge/socket" || give_up "munged did not start"
    daemon slurmctld slurmctld -D -c -f "$dir/slurm.conf"
    daemon slurmd slurmd -D -f "$dir/slurm.conf"
    until_true 20 idle || give_up "the node is not idle"
}

give_up() {
    tail -n 5 "$dir"/*.log "$dir"/*.out >&2 || true
    stop
    cannot "Slurm did not start here: $*"
}

stop() {
    local pid began
    [[ -e $dir/daemons ]] || return 0
    export SLURM_CONF=$dir/slurm.conf
    if idle || ! empty; then
        timeout 5 squeue -h -o %A | sort -u | xargs -r timeout 10 scancel 2>/dev/null || true
        until_true 10 empty || true
    fi
    tac "$dir/daemons" | while read -r pid began; do
        gone "$pid" "$began" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
        until_true 8 gone "$pid" "$began" || kill -KILL "$pid" 2>/dev/null || true
    done
    rm -f "$dir/daemons"
}

[[ -n $dir ]] || verb=
case $verb in
    start) start ;;
    stop) stop ;;
    *)
        echo "usage: $0 start|stop DIR" >&2
        exit 2
        ;;
esac
