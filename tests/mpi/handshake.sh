#!/usr/bin/env bash
# handshake.sh COLA MAKE_TASKS - workers that do not belong together end the job before any work, with both
# values; usage errors and a missing model end all ranks with one message and the right exit status.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT
tasks=$work/tasks.h5 out=$work/run.h5 log=$work/log
"$make_tasks" "$tasks" loglik 3 "$vocabulary" 1

expect() { # expect STATUS COUNT WORDS COMMAND...: exit status, and how many lines of stderr have the words
    local status=$1 count=$2 words=$3 got=0
    shift 3
    timeout 100 "$@" 2>"$log" || got=$?
    [[ $got == "$status" ]] || { cat "$log" >&2; die "exit status $got instead of $status: $*"; }
    [[ $(grep -c -- "$words" "$log" || true) == "$count" ]] ||
        { cat "$log" >&2; die "'$words' is not said $count times: $*"; }
    [[ ! -e $out && ! -e $out.journal ]] || die "something was written: $*"
    echo "refused  $words"
}

mpi=(mpirun --oversubscribe --bind-to none)
rest=(--simulations 5 --out "$out" --threads 1)
expect 1 1 "workers differ in their model fingerprint: worker [12] (.*) has xxh3:[0-9a-f]*, worker [12] (.*) has xxh3:" \
    "${mpi[@]}" -n 2 "$cola" search "$tasks" --model "$model" "${rest[@]}" : \
    -n 1 "$cola" search "$tasks" --model "$data/models/llama3_rope_scaling" "${rest[@]}"
expect 1 1 "no-such-model" "${mpi[@]}" -n 2 "$cola" search "$tasks" --model "$work/no-such-model" "${rest[@]}"
expect 2 1 "error: --model DIR is needed" "${mpi[@]}" -n 3 "$cola" search "$tasks" --out "$out"
expect 2 1 "is asked for\|are asked for" "${mpi[@]}" -n 3 "$cola" search "$tasks" --model "$model" --samples 2:9 "${rest[@]}"
# a journal left by a wrong --memo would stand in the way of the right command
expect 1 1 "no-such-run.h5: No such file" "${mpi[@]}" -n 2 "$cola" search "$tasks" --model "$model" --memo "$work/no-such-run.h5" "${rest[@]}"
expect 1 1 "tasks.h5: attribute filetype: expected cola-run" "$cola" search "$tasks" --model "$model" --memo "$tasks" "${rest[@]}"
expect 1 1 "workers differ in their numerics id: worker [12] (.*) has bf16-2, worker [12] (.*) has f32-1\|has f32-1, worker [12] (.*) has bf16-2" \
    "${mpi[@]}" -n 2 "$cola" search "$tasks" --model "$model" "${rest[@]}" : \
    -n 1 "$cola" search "$tasks" --model "$model" --dtype bf16 --bf16-products exact "${rest[@]}"
"$cola" search "$tasks" --model "$model" "${rest[@]}" --quiet
cp "$out" "$work/before.h5"
status=0
"${mpi[@]}" -n 3 "$cola" search "$tasks" --model "$model" "${rest[@]}" 2>"$log" || status=$?
[[ $status == 2 ]] && grep -q -- --resume "$log" || die "an existing result was not refused (exit status $status)"
cmp "$out" "$work/before.h5" || die "an existing result was changed"
echo "refused  an existing result"
echo "passed"
