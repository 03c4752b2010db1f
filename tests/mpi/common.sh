# common.sh - sourced by the scripts here and in tests/fault: paths, MPI's settings, a private directory.
#   cola, make_tasks: the programs ($1, $2); data: tests/data; work: a directory that goes at exit.
set -euo pipefail
if [[ $# -lt 2 ]]; then
    echo "usage: $0 COLA MAKE_TASKS" >&2
    exit 2
fi
cola=$(realpath "$1") make_tasks=$(realpath "$2")
data=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data")
model=$data/models/llama_gqa_tied
vocabulary=320
work=$(mktemp -d "${TMPDIR:-/tmp}/cola-cluster-XXXXXX")

# Several ranks on one machine, as root or not, whatever its network cards; `self,vader` is shared memory.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_btl=self,vader
export OMPI_MCA_plm=isolated OMPI_MCA_ras=^slurm TMPDIR=$work

launcher() { # launcher RANKS: the words before `cola`; 0: none
    if [[ $1 == 0 ]]; then
        echo ""
    else
        echo "mpirun --oversubscribe --bind-to none -n $1"
    fi
}

# search_seconds EVENTS: of a file of `cola search --events`: from the workers' being ready to the last sample's end
search_seconds() {
    local time='s/.*"time": *"\([^"]*\)".*/\1/p'
    {
        grep '"event": *"start"' "$1" | head -n 1
        grep '"event": *"sample"' "$1" | tail -n 1
    } | sed -n "$time" | date -f - +%s.%N | awk 'NR == 1 { began = $1 } NR == 2 { printf "%.3f", $1 - began }'
}

die() {
    echo "FAILED: $*" >&2
    exit 1
}
