#!/usr/bin/env bash
# cross.sh COLA MAKE_TASKS - the table of `cola cross` is the same, byte for byte, without mpirun and with 2, 3 and 5
# ranks, with any back end, threads, requests in flight and order of the chains, stopped, killed and resumed; its verdicts are
# those of the search that found the chains; it is not the same for other chains, and what does not belong together is refused.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
session= # of the job that runs
trap 'kill_job; rm -rf "$work"' EXIT

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

n=0
digest() { # digest TASKS RANKS OPTIONS...: makes a table, prints its digest
    local tasks=$1 ranks=$2 out
    shift 2
    n=$((n + 1))
    out=$work/x-$BASHPID-$n.h5
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 200 $(launcher "$ranks") "$cola" cross --tasks "$tasks" --model "$model" --out "$out" --quiet "$@" >&2 ||
        die "cross with $ranks ranks, $*: exit status $?"
    "$cola" show "$out" --digest
    rm -f "$out" "$out.journal"
}

expect() { # expect EXPECTED TASKS RANKS OPTIONS...
    local expected=$1 got
    shift
    got=$(digest "$@")
    [[ $got == "$expected" ]] || die "$(basename "$1"), $2 ranks, ${*:3}: $got, expected $expected"
    echo "same     $(basename "$1") $2 ranks ${*:3}"
}

for rule in loglik letter generate-letter generate-number; do
    tasks=$work/$rule.h5 run=$work/run-$rule.h5
    "$make_tasks" "$tasks" "$rule" 9 "$vocabulary" 11
    "$cola" search "$tasks" --model "$model" --out "$run" --quiet --simulations 12 --seed 4 --threads 1
    want=$(digest "$tasks" 0 --from "$run" --details --backend ref --threads 1)
    echo "digest   $rule $want"
    for ranks in 0 2 3 5; do
        expect "$want" "$tasks" "$ranks" --from "$run" --details --backend cpu --threads 1
    done
    expect "$want" "$tasks" 3 --from "$run" --details --in-flight 1
    expect "$want" "$tasks" 0 --from "$run" --details --state-memory 0 --threads 2
    other=$(digest "$tasks" 0 --from "$run" --details --top 7)
    [[ $other != "$want" ]] || die "fewer chains gave the same digest"
    # The chains of the table as text, turned round and some of them twice.
    x=$work/x-$rule.h5
    "$cola" cross --tasks "$tasks" --model "$model" --out "$x" --quiet --from "$run" --details
    "$cola" show "$x" --json | sed -n '/"by_right"/,/"menu"/s/.*"chain": "\(.*\)",.*/\1/p' >"$work/chains"
    [[ $(wc -l <"$work/chains") -ge 20 ]] || die "the table has few chains: $(wc -l <"$work/chains")"
    { tac "$work/chains"; echo; echo "# again"; shuf -n 9 "$work/chains"; } >"$work/shuffled"
    expect "$want" "$tasks" 0 --chains "$work/shuffled" --details
    expect "$want" "$tasks" 2 --chains "$work/shuffled" --details --threads 1
done

# A long one, stopped by its time limit, by signals and killed, at other ranks each time.
tasks=$work/long.h5 run=$work/run-long.h5 out=$work/long-x.h5
"$make_tasks" "$tasks" loglik 60 "$vocabulary" 11
"$cola" search "$tasks" --model "$model" --out "$run" --quiet --simulations 60 --samples 0:20 --seed 4 --threads 1
began=$(date +%s%3N)
want=$(digest "$tasks" 0 --from "$run" --threads 1)
whole=$(($(date +%s%3N) - began)) # ms without a stop, on this machine

start() { # start RANKS OPTIONS...: in a session of its own
    local ranks=$1
    shift
    # shellcheck disable=SC2046 # the launcher's words are words
    setsid $(launcher "$ranks") "$cola" cross --tasks "$tasks" --model "$model" --out "$out" --from "$run" --threads 1 \
        --resume "$@" >"$work/log" 2>&1 &
    session=$!
}

wait_ms() { sleep "$(awk -v ms="$1" 'BEGIN {printf "%.3f", ms / 1000}')"; }

resumed=0 killed=0 stopped=0 status=75
for ((round = 0; status != 0 && round < 40; round++)); do
    ranks=$((round % 3 ? round % 3 + 1 : 0)) status=0
    share=$((round < 12 ? whole * (3 + round % 4) / 10 : whole * 3))
    case $((round % 4)) in
    0) start "$ranks" && wait_ms "$share" && kill_job && status=137 && killed=$((killed + 1)) ;;
    1) start 0 && wait_ms "$share" && kill -USR1 "$session" 2>/dev/null && wait "$session" || status=$? ;;
    2) start 0 && wait_ms "$share" && kill -TERM "$session" 2>/dev/null && wait "$session" || status=$? ;;
    3) start "$ranks" --time-limit "$(awk -v ms="$share" 'BEGIN {printf "%.2f", ms / 1000}')" && wait "$session" || status=$? ;;
    esac
    if [[ $status == 1 ]] && ! ps -p "$session" >/dev/null 2>&1; then # it had ended before the signal
        wait "$session" && status=0 || status=$?
    fi
    [[ $status == 0 || $status == 75 || $status == 137 ]] || die "round $round: exit status $status: $(<"$work/log")"
    [[ $status != 75 ]] || stopped=$((stopped + 1))
    session=
    if grep -q "resuming: [1-9]" "$work/log"; then resumed=$((resumed + 1)); fi
    if [[ -f $out ]]; then "$cola" show "$out" --digest >/dev/null || die "round $round: $out does not open"; fi
done
[[ $status == 0 ]] || die "never finished in $round rounds: $(<"$work/log")"
got=$("$cola" show "$out" --digest)
[[ $got == "$want" ]] || die "killed, stopped and resumed: $got, expected $want"
((resumed >= 2 && killed >= 1 && stopped >= 1)) || die "resumed $resumed, killed $killed, stopped $stopped: too few"
echo "same     killed $killed times, stopped $stopped times, resumed $resumed times"

refuse() { # refuse STATUS WORD OPTIONS...: of an existing table
    local expected=$1 word=$2 status=0
    shift 2
    "$cola" cross --out "$out" "$@" >"$work/log" 2>&1 || status=$?
    [[ $status == "$expected" ]] || die "$*: exit status $status, expected $expected: $(<"$work/log")"
    grep -q "$word" "$work/log" || die "$*: not told why ($word): $(<"$work/log")"
    echo "refused  $word"
}
these=(--tasks "$tasks" --model "$model")
refuse 2 "resume" "${these[@]}" --from "$run"
refuse 1 "chains_fingerprint" "${these[@]}" --from "$run" --top 3 --resume
refuse 1 "tasks_fingerprint" --tasks "$work/loglik.h5" --model "$model" --from "$run" --resume
refuse 1 "numerics_id" "${these[@]}" --from "$run" --resume --dtype bf16
refuse 1 "model_fingerprint\|is none of this model\|vocabulary" --tasks "$tasks" --model "$data/models/qwen3" --from "$run" --resume
refuse 1 "metric" "${these[@]}" --from "$run" --resume --metric acc_norm
refuse 2 "one of the two" "${these[@]}" --resume
echo "0-3,99" >"$work/bad"
rm -f "$out" "$out.journal"
refuse 1 "is none of this model" "${these[@]}" --chains "$work/bad"
printf '0-1\n0-1,x\n' >"$work/bad"
refuse 1 "line 2" "${these[@]}" --chains "$work/bad"
[[ ! -e $out && ! -e $out.journal ]] || die "a refused table left a file"
"$cola" search "$tasks" --model "$model" --out "$work/control.h5" --quiet --simulations 2 --control wrong-answer --samples 0:3
refuse 2 "control" "${these[@]}" --from "$work/control.h5"
echo "passed"
