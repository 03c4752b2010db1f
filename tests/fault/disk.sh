#!/usr/bin/env bash
# disk.sh COLA MAKE_TASKS - what the command says and leaves when the disk is full, the directory cannot be written or has
# gone, or the journal is another run's: exit status 1, the names of both, nothing overwritten; and with room again
# --resume ends with the digest of the search that nothing disturbed.
. "$(dirname "${BASH_SOURCE[0]}")/../mpi/common.sh"
trap 'rm -rf "$work"' EXIT
tasks=$work/tasks.h5 other=$work/other.h5 log=$work/log
mkdir "$work/a" "$work/b" "$work/c"
"$make_tasks" "$tasks" loglik 20 "$vocabulary" 3
"$make_tasks" "$other" loglik 20 "$vocabulary" 4

search() { # search OUT OPTIONS...
    local out=$1
    shift
    "$cola" search "$tasks" --model "$model" --out "$out" --threads 1 --simulations 20 --seed 2 "$@"
}

sums() { find "$1" -type f -exec md5sum {} + | sort; }

refused() { # refused DIRECTORY WORDS... -- COMMAND...: exit status 1, every word is said, the directory stays
    local directory=$1 words=() before status=0
    shift
    while [[ $1 != -- ]]; do words+=("$1") && shift; done
    shift
    before=$(sums "$directory")
    "$@" >"$log" 2>&1 || status=$?
    [[ $status == 1 ]] || { cat "$log" >&2; die "exit status $status instead of 1: $*"; }
    for word in "${words[@]}"; do
        grep -qF -- "$word" "$log" || { cat "$log" >&2; die "'$word' is not said: $*"; }
    done
    [[ $(sums "$directory") == "$before" ]] || die "something was written: $*"
    echo "refused  ${words[*]}"
}

# From a first limit of files on, a little more each time (a full disk fails a write in the same way): the journal
# ends where there is room, and what is in it is resumed.
search "$work/a/run.h5" --quiet
want=$("$cola" show "$work/a/run.h5" --digest)
fails=0
for kib in 1 4 8 16 20 24; do
    status=0
    # bash's ulimit -f counts 1024 bytes; SIGXFSZ ignored, the write fails with EFBIG
    (trap '' XFSZ && ulimit -f "$kib" && search "$work/b/run.h5" --resume --quiet) >"$log" 2>&1 || status=$?
    [[ $status == 0 || $status == 1 ]] || { cat "$log" >&2; die "$kib KiB: exit status $status"; }
    if [[ $status == 1 ]]; then
        fails=$((fails + 1))
        grep -q "run.h5.* cannot be written: File too large" "$log" || { cat "$log" >&2; die "$kib KiB: no reason is said"; }
    fi
done
((fails >= 4)) || die "only $fails limits were felt"
search "$work/b/run.h5" --resume >"$log" 2>&1 || { cat "$log" >&2; die "with room again"; }
grep -q "resuming: [1-9]" "$log" || die "nothing was kept on the full disk: $(cat "$log")"
grep -q "set aside" "$log" && die "a full disk was taken for a crash: $(cat "$log")"
[[ $("$cola" show "$work/b/run.h5" --digest) == "$want" ]] || die "after a full disk: another digest"
[[ -z $(find "$work/b" -name '*.tmp.*') ]] || die "temporaries stayed"
echo "same     after $fails times without room"

refused "$work/a" "no/such/run.h5" -- search "$work/no/such/run.h5"
if [[ $(id -u) == 0 ]]; then echo "skipped: a directory without permission (root may write anywhere)"; else
    chmod 555 "$work/c"
    refused "$work/c" "$work/c/run.h5" "Permission denied" -- search "$work/c/run.h5"
    chmod 755 "$work/c"
fi

mismatch() { # mismatch FIELD -- COMMAND...
    local field=$1
    shift 2
    refused "$work/a" "run.h5.journal" "$field" " there " ", here " -- "$@"
}
a=(--out "$work/a/run.h5" --threads 1 --simulations 20 --resume)
mismatch seed: -- "$cola" search "$tasks" --model "$model" "${a[@]}" --seed 3
mismatch model_fingerprint: -- "$cola" search "$tasks" --model "$data/models/llama3_rope_scaling" "${a[@]}" --seed 2
mismatch tasks_fingerprint: -- "$cola" search "$other" --model "$model" "${a[@]}" --seed 2
mismatch n_simulations: -- "$cola" search "$tasks" --model "$model" --out "$work/a/run.h5" --threads 1 --simulations 10 --resume --seed 2

# Stopped by TERM with requests out, without mpirun: the journal says that this was no crash.
mkdir "$work/d"
"$cola" search "$tasks" --model "$model" --out "$work/d/run.h5" --threads 1 --simulations 2000 --quiet >"$log" 2>&1 &
job=$!
for _ in $(seq 200); do [[ -e $work/d/run.h5.journal ]] && break || sleep 0.05; done
sleep 0.3
kill -s TERM "$job"
status=0
wait "$job" || status=$?
[[ $status == 75 ]] || { cat "$log" >&2; die "TERM: exit status $status"; }
python3 - "$work/d/run.h5.journal" <<'PYTHON' || die "the journal does not say that the stop was understood"
import struct
import sys

data, at, kinds = open(sys.argv[1], "rb").read(), 16, []
while at < len(data):
    kinds.append(data[at + 12])
    at += 12 + struct.unpack_from("<I", data, at)[0]
sys.exit(kinds.count(2) == kinds.count(3) or kinds.count(5) != 1)
PYTHON
echo "stopped  by TERM: no suspects"

# The directory goes away in the middle: an error that names it; nobody makes it again.
"$cola" search "$tasks" --model "$model" --out "$work/c/run.h5" --threads 1 --simulations 2000 --quiet >"$log" 2>&1 &
job=$!
for _ in $(seq 200); do [[ -e $work/c/run.h5.journal ]] && break || sleep 0.05; done
rm -rf "$work/c"
kill -s TERM "$job"
status=0
wait "$job" || status=$?
[[ $status == 1 ]] && grep -q "$work/c/run.h5" "$log" || { cat "$log" >&2; die "vanished directory: exit status $status"; }
[[ ! -e $work/c ]] || die "the directory was made again"
echo "refused  a directory that went away"
echo "passed"
