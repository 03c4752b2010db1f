#!/usr/bin/env bash
# kill.sh COLA MAKE_TASKS [SEED] - a search that was killed or stopped and resumed has the labels of one that was
# not: SIGKILL of the whole job at five random moments without mpirun, and again with 3 ranks; USR1, TERM and
# --time-limit exit 75; and generated answers, killed three times each. SEED repeats the moments. After every kill
# run.h5, if it is there, opens. Every round guesses ahead with another --speculate.
. "$(dirname "${BASH_SOURCE[0]}")/../mpi/common.sh"
seed=${3:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((seed % 32768))
echo "seed     $seed"
tasks=$work/tasks.h5 out=$work/run.h5 log=$work/log
session= # of the job that runs
trap 'kill_job; rm -rf "$work"' EXIT

# start RANKS OPTIONS...: in a session of its own, so that it and all its children can be found. $! is the job.
start() {
    local ranks=$1
    shift
    # shellcheck disable=SC2046 # the launcher's words are words
    setsid $(launcher "$ranks") "$cola" search "$tasks" --model "$model" --out "$out" --seed 2 --threads 1 \
        --simulations "$simulations" --resume "$@" >"$log" 2>&1 &
    session=$!
}

kill_job() { # every process of the session, which is ours: no name is matched
    local pids
    [[ -n $session ]] || return 0
    while pids=$(ps -o pid= -s "$session" | tr -d ' ') && [[ -n $pids ]]; do
        # shellcheck disable=SC2086 # one word a process
        kill -KILL $pids 2>/dev/null || true
        sleep 0.02
    done
    session=
}

now_ms() { date +%s%3N; }

guess_ahead() { # sets width: --speculate by chance
    local widths=(1 2 4 16 64)
    width=(--speculate "${widths[RANDOM % 5]}")
}

sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

finish() { # finish RANKS: to the end, and the digest is the uninterrupted run's
    local got status=0 width
    guess_ahead
    start "$1" "${width[@]}"
    wait "$session" || status=$?
    session=
    [[ $status == 0 ]] || { cat "$log" >&2; die "resume with $1 ranks: exit status $status"; }
    got=$("$cola" show "$out" --digest)
    [[ $got == "$want" ]] || die "seed $seed, $1 ranks: $got, uninterrupted $want"
}

fresh() { rm -f "$out" "$out.journal"; }

# measure RULE MS SIMULATIONS: tasks for a search of about MS without interruption on this machine (first 20
# samples to learn its speed), its time and its digest.
measure() {
    local rule=$1 ms=$2 began samples
    simulations=$3
    fresh
    "$make_tasks" "$tasks" "$rule" 20 "$vocabulary" 3
    began=$(now_ms)
    start 0 && wait "$session" || die "the first search: $(cat "$log")"
    took=$(($(now_ms) - began))
    samples=$((20 * ms / (took + 1)))
    samples=$((samples < 20 ? 20 : samples > 1500 ? 1500 : samples))
    fresh
    "$make_tasks" "$tasks" "$rule" "$samples" "$vocabulary" 3
    began=$(now_ms)
    start 0 && wait "$session" || die "the uninterrupted search: $(cat "$log")"
    took=$(($(now_ms) - began))
    want=$("$cola" show "$out" --digest)
    echo "whole    $rule, $samples samples in $took ms: $want"
}

# kill_and_resume RANKS KILLS: kills at random moments, each in what the one before left; then to the end.
kill_and_resume() {
    local ranks=$1 kills=$2 landed=0 resumed=0 round delay job width
    fresh
    for ((round = 0; round < kills; round++)); do
        delay=$((100 + RANDOM * (took / kills) / 32768 + (ranks ? 300 : 0)))
        guess_ahead
        start "$ranks" "${width[@]}"
        job=$session
        sleep_ms "$delay"
        if kill -0 "$job" 2>/dev/null; then landed=$((landed + 1)); fi
        { kill_job && wait "$job"; } 2>/dev/null || true # bash would say "Killed"
        if grep -q "resuming: [1-9]" "$log"; then resumed=$((resumed + 1)); fi
        if [[ -e $out ]]; then "$cola" show "$out" --digest >/dev/null || die "seed $seed: run.h5 is damaged"; fi
        echo "killed   $ranks ranks after $delay ms with ${width[*]}, $(grep -c . "$log") lines"
    done
    ((2 * landed > kills)) || die "only $landed kills of $kills hit a running search"
    finish "$ranks"
    if grep -q "resuming: [1-9]" "$log"; then resumed=$((resumed + 1)); fi
    ((resumed >= 1)) || die "no resume found anything to resume"
    echo "same     $ranks ranks after $landed kills, $resumed resumes with known results"
}

measure generate-number 3000 40
kill_and_resume 0 3
kill_and_resume 3 3
# Finished, and resumed without its journal: every answer is graded again from the tokens in run.h5.
rm -f "$out.journal"
finish 0
grep -q ": 0 new" "$log" || { cat "$log" >&2; die "a finished run was evaluated again"; }
echo "same     without the journal, nothing evaluated"

measure loglik 5000 60
kill_and_resume 0 5
kill_and_resume 3 5

stop_with() { # stop_with RANKS SIGNAL
    local status=0
    fresh
    start "$1"
    sleep_ms $((took / 4 + 700))
    kill -s "$2" "$session"
    wait "$session" || status=$?
    [[ $status == 75 ]] || { cat "$log" >&2; die "$2 with $1 ranks: exit status $status instead of 75"; }
    "$cola" show "$out" --digest >/dev/null || die "run.h5 after $2"
    session=
    finish "$1"
    grep -q "resuming: [1-9]" "$log" || die "nothing was known after $2"
    echo "same     $1 ranks after $2"
}
stop_with 0 USR1
stop_with 0 TERM
stop_with 0 INT
stop_with 3 USR1

fresh
status=0
start 3 --time-limit 1
wait "$session" || status=$?
session=
[[ $status == 75 ]] || { cat "$log" >&2; die "--time-limit: exit status $status instead of 75"; }
finish 2 # other ranks than before
echo "same     2 ranks after --time-limit with 3"
echo "passed"
