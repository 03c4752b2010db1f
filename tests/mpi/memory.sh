#!/usr/bin/env bash
# memory.sh COLA MAKE_TASKS MAKE_MODEL PEAK - no process holds more than --memory, with a tiny model and with one of
# SmolLM2's sizes, alone and as ranks; less memory changes no label; what is too little is said, and nothing is
# written. The workers of a node hold one copy of the weights, which the second one does not pack.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
make_model=$(realpath "$3") peak=$(realpath "$4")
session=
finish() {
    [[ -z $session ]] || for pid in $(ps -o pid= -s "$session"); do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
"$make_model" "$work/model"
log=$work/log

# bounded MIB RANKS TASKS MODEL OPTIONS...: a search with --memory MIB; prints its digest
bounded() {
    local mib=$1 ranks=$2 tasks=$3 dir=$4 out=$work/run.h5 kib
    shift 4
    rm -f "$out" "$out.journal"
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 250 "$peak" "$work/peak" $(launcher "$ranks") "$cola" search "$tasks" --model "$dir" --out "$out" \
        --memory "$mib" --threads 1 --seed 4 "$@" >"$log" 2>&1 || { cat "$log" >&2; die "exit status $?: $*"; }
    kib=$(cat "$work/peak")
    echo "peak     $((kib / 1024)) MiB of $mib, $ranks ranks, $(basename "$tasks") $*" >&2
    [[ $mib == 0 ]] || ((kib <= mib * 1024)) || die "$kib KiB are held with --memory $mib: $*"
    "$cola" show "$out" --digest
}

same() { # same MIB RANKS TASKS MODEL OPTIONS...: within the bound, and $want
    local got
    got=$(bounded "$@")
    [[ $got == "$want" ]] || die "$*: $got, expected $want"
}

# 68 MiB: 65 of the program and one thread, 3 of a model that has 2.3 with its smallest batch
for rule in loglik generate-number; do
    "$make_tasks" "$work/$rule.h5" "$rule" 9 "$vocabulary" 11
    want=$(bounded 0 0 "$work/$rule.h5" "$model" --simulations 30)
    for ranks in 0 3; do
        same 68 "$ranks" "$work/$rule.h5" "$model" --simulations 30
        same 100 "$ranks" "$work/$rule.h5" "$model" --simulations 30
    done
    echo "bounded  $rule, a tiny model"
done

# Of a model of SmolLM2's sizes: what the program takes, the weights, and 24 MiB for batch, requests and states.
for rule in loglik generate-number; do
    "$make_tasks" "$work/large-$rule.h5" "$rule" 3 49152 11
    want=$(bounded 0 0 "$work/large-$rule.h5" "$work/model" --simulations 40)
    weights=$(sed -n 's/.*: weights \([0-9]*\)\.[0-9] MiB, .*/\1/p' "$log")
    ((weights > 200)) || die "the start line does not say what the weights take"
    same $((65 + weights + 25)) 0 "$work/large-$rule.h5" "$work/model" --simulations 40
    want=$(bounded 0 0 "$work/large-$rule.h5" "$work/model" --simulations 4)
    same $((65 + weights + 40)) 3 "$work/large-$rule.h5" "$work/model" --simulations 4
    grep -q "shared by 2 workers, packed here" "$log" || die "no worker packed the weights for both"
    [[ $(grep -c "shared by 2 workers, packed by another" "$log") == 1 ]] || die "both workers packed the weights"
    same $((65 + weights + 40)) 3 "$work/large-$rule.h5" "$work/model" --simulations 4 --no-share-weights
    ! grep -q "shared by" "$log" || die "--no-share-weights shares them"
    echo "bounded  $rule, a model of $weights MiB"
done

# The library and the code that it makes are beside the engine's account, too.
if "$cola" info | grep -q '^onednn products *bf16-onednn'; then
    want=$(bounded 0 0 "$work/large-loglik.h5" "$work/model" --simulations 4 --dtype bf16 --bf16-products onednn)
    same $((65 + 64 + weights + 25)) 0 "$work/large-loglik.h5" "$work/model" --simulations 4 --dtype bf16 --bf16-products onednn
    echo "bounded  products by oneDNN"
else
    echo "without oneDNN"
fi

# too_little MIB WORDS
too_little() {
    local status=0
    rm -f "$work"/run.h5*
    "$cola" search "$work/large-loglik.h5" --model "$work/model" --out "$work/run.h5" --memory "$1" --threads 1 \
        >"$log" 2>&1 || status=$?
    [[ $status == 1 ]] && grep -q "$2" "$log" || { cat "$log" >&2; die "--memory $1: exit status $status"; }
    [[ ! -e $work/run.h5 && ! -e $work/run.h5.journal ]] || die "something was written with --memory $1"
    echo "refused  --memory $1: $(grep -o "$2" "$log")"
}
too_little 65 "65.0 MiB is too little: program, libraries and threads alone take up to 65.0 MiB"
too_little $((65 + weights)) "memory of $weights.0 MiB is too little: the weights take $weights\.[0-9] MiB, the smallest batch"

# held RANKS OPTIONS...: MiB that all processes of a running job hold together, what they share counted once
held() {
    local ranks=$1 pid
    shift
    rm -f "$work"/run.h5*
    : >"$log" # what the job before said must not be taken for this one's
    # shellcheck disable=SC2046 # the launcher's words are words
    setsid $(launcher "$ranks") "$cola" search "$work/large-loglik.h5" --model "$work/model" --out "$work/run.h5" \
        --threads 1 --simulations 100000 "$@" >"$log" 2>&1 &
    session=$!
    for _ in $(seq 600); do
        [[ $(grep -c "is ready" "$log") == $((ranks - 1)) ]] && break
        kill -0 "$session" 2>/dev/null || { cat "$log" >&2; die "the search ended"; }
        sleep 0.1
    done
    for pid in $(ps -o pid= -s "$session"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null || true; done |
        awk '/^Pss:/ {n += $2} END {print int(n / 1024)}'
    for pid in $(ps -o pid= -s "$session"); do kill -KILL "$pid" 2>/dev/null || true; done
    { wait "$session" || true; } 2>/dev/null
    session=
}
one=$(held 2) three=$(held 4) apart=$(held 4 --no-share-weights)
echo "held     $one MiB by one worker, $three by three, $apart without sharing"
((three < one + weights / 2 + 150 && apart > one + 3 * weights / 2)) || die "three workers hold more than one copy of the weights"

# The first worker is killed while it packs, or just after: the job ends, says so, and leaves no process behind.
rm -f "$work"/run.h5*
# shellcheck disable=SC2046 # the launcher's words are words
setsid $(launcher 3) "$cola" search "$work/large-loglik.h5" --model "$work/model" --out "$work/run.h5" --threads 1 \
    --simulations 100000 >"$log" 2>&1 &
session=$! killed='' status=0
for _ in $(seq 2000); do
    for pid in $(ps -o pid= -s "$session"); do
        grep -q "rw-s.*memfd:cola-weights" "/proc/$pid/maps" 2>/dev/null && killed=$pid && break 2
    done
    sleep 0.01
done
[[ -n $killed ]] || { cat "$log" >&2; die "no process packs shared weights"; }
# the name that it waits at for the others; searches of other people have names of their own
inodes=$(ls -l "/proc/$killed/fd" | grep -o 'socket:\[[0-9]*' | tr -dc '0-9\n')
name=$(awk -v inodes="$inodes" 'BEGIN {split(inodes, of); for (i in of) own[of[i]]} $7 in own && $8 ~ /cola-/ {print $8}' /proc/net/unix)
[[ -n $name ]] || die "the process that packs the weights has no socket"
kill -KILL "$killed"
{ wait "$session" || status=$?; } 2>/dev/null
[[ $status != 0 ]] && grep -q "Killed\|signal 9" "$log" || { cat "$log" >&2; die "exit status $status after a kill"; }
for _ in $(seq 100); do # a moment; and zombies are nobody's
    left=$(ps -o stat=,pid=,args= -s "$session" | grep -v "^Z" || true)
    [[ -z $left ]] && break
    sleep 0.1
done
[[ -z $left ]] || die "processes are left: $left"
! grep -qF "$name" /proc/net/unix || die "a socket is left"
session=
echo "ended    after the first worker was killed, exit status $status"
echo "passed"
