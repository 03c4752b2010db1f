#!/usr/bin/env bash
# term.sh COLA MAKE_TASKS - somebody who ends a job by TERM or INT to mpirun, again and again before one evaluation is done,
# sets no chain aside: all workers live, so none of them crashed. (A worker that did: crash.sh.)
. "$(dirname "${BASH_SOURCE[0]}")/../mpi/common.sh"
trap 'rm -rf "$work"' EXIT

tasks=$work/tasks.h5 out=$work/run.h5 log=$work/log
"$make_tasks" "$tasks" letter 4 "$vocabulary" 7
search=("$cola" search "$tasks" --evaluator synthetic --seed 11 --simulations 6)
"${search[@]}" --out "$work/whole.h5" --quiet
want=$("$cola" show "$work/whole.h5" --digest)

for ((i = 1; i <= 4; i++)); do
    : >"$log"
    # shellcheck disable=SC2046 # the launcher's words are words
    $(launcher 3) "${search[@]}" --latency-ms 600000 --out "$out" --resume >"$log" 2>&1 &
    pid=$!
    for ((wait = 0; wait < 300; wait++)); do
        if grep -q "worker 2 of 2 is ready" "$log"; then break; fi
        sleep 0.1
    done
    sleep 2 # requests are out, and in the journal
    if ((i % 2)); then kill -TERM "$pid"; else kill -INT "$pid"; fi
    status=0
    wait "$pid" || status=$?
    [[ $status != 0 ]] || die "the search was over before the signal"
done
"${search[@]}" --out "$out" --resume >"$log" 2>&1 || die "exit status $?: $(<"$log")"
! grep -q "set aside" "$log" || die "healthy chains are set aside: $(<"$log")"
got=$("$cola" show "$out" --digest)
[[ $got == "$want" ]] || die "$got after four signals, $want without"
echo "passed"
