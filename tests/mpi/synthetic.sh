#!/usr/bin/env bash
# synthetic.sh COLA MAKE_TASKS - `cola search` without a model: the same labels for any ranks, --speculate, latency,
# stops and shards; a recording answers as what it was made of; what does not belong together is refused; the master's
# CPU time is told; a latency is kept.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT

tasks=$work/tasks.h5 words=(--simulations 40 --seed 3)
"$make_tasks" "$tasks" loglik 60 "$vocabulary" 5

search() { # search RANKS OUT OPTIONS...
    local ranks=$1 out=$2
    shift 2
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 100 $(launcher "$ranks") "$cola" search "$tasks" --out "$out" "$@"
}
digest() { "$cola" show "$1" --digest; }

n=0
expect() { # expect RANKS OPTIONS...
    n=$((n + 1))
    search "$1" "$work/$n.h5" "${words[@]}" --evaluator synthetic "${@:2}" >"$work/log" 2>&1 || die "$*: $(<"$work/log")"
    [[ $(digest "$work/$n.h5") == "$want" ]] || die "$*: another digest than the plain run's"
    echo "same     $*"
}

search 0 "$work/plain.h5" "${words[@]}" --evaluator synthetic >"$work/log" 2>&1 || die "$(<"$work/log")"
grep -Eq "master: [0-9.]+ s of CPU, [0-9.]+ us a new evaluation" "$work/log" || die "no CPU time of the master is told"
want=$(digest "$work/plain.h5")
for ranks in 2 3 5; do expect "$ranks"; done
expect 3 --speculate 8 --in-flight 4
expect 4 --speculate 16 --latency-ms 2 --latency-spread 1
expect 0 --latency-ms 3 --latency-spread 0.3

# stopped, resumed with other ranks and another width
out=$work/stopped.h5 status=75
for ((round = 0; status == 75 && round < 30; round++)); do
    status=0
    search $((round % 2 * 3)) "$out" "${words[@]}" --evaluator synthetic --latency-ms 5 --speculate $((1 + round % 3 * 3)) --resume \
        --time-limit 0.3 >"$work/log" 2>&1 || status=$?
done
[[ $status == 0 && $(digest "$out") == "$want" ]] || die "stopped $round times: status $status, another digest"
((round > 1)) || die "nothing was stopped"
echo "same     stopped and resumed $round times"

# shards and their merge; a memo
for i in 0 1 2; do search 0 "$work/shard$i.h5" "${words[@]}" --evaluator synthetic --shard $i/3 --quiet; done
"$cola" merge "$work/merged.h5" "$work/shard2.h5" "$work/shard0.h5" "$work/shard1.h5" --quiet
[[ $(digest "$work/merged.h5") == "$want" ]] || die "merged shards: another digest"
expect 0 --memo "$work/plain.h5"
grep -q "0 new" "$work/log" || die "--memo: evaluated again what was known"
echo "same     merged"

# other parameters are other searches
for other in "--synthetic-optima 0.9" "--synthetic-layers 31" "--seed 4"; do
    # shellcheck disable=SC2086 # two words
    search 0 "$work/other.h5" "${words[@]}" --evaluator synthetic --quiet $other
    [[ $(digest "$work/other.h5") != "$want" ]] || die "$other changes nothing"
    rm "$work"/other.h5*
done
if search 0 "$work/plain.h5" "${words[@]}" --evaluator synthetic --resume --synthetic-optima 0.5 >"$work/log" 2>&1; then
    die "resumed with another landscape"
fi
grep -q "model_fingerprint" "$work/log" || die "another landscape is not named: $(<"$work/log")"
echo "differs  other parameters"

# recordings
search 0 "$work/replayed.h5" "${words[@]}" --evaluator "recorded=$work/plain.h5" >"$work/replayed.log" 2>&1
recorded=$(digest "$work/replayed.h5")
[[ $recorded != "$want" ]] || die "a replay counts as the run it replays"
search 3 "$work/journal.h5" "${words[@]}" --evaluator "recorded=$work/plain.h5.journal" --speculate 8 --latency-ms 1 --quiet
[[ $(digest "$work/journal.h5") == "$recorded" ]] || die "replayed with --speculate 8: another digest"
cola_chains() { "$cola" show "$1" | awk '$2 ~ /^row-/ {print $2, $4, $5, $6}'; }
[[ $(cola_chains "$work/replayed.h5") == $(cola_chains "$work/plain.h5") ]] || die "a replay finds something else"

# a tree that needs a chain which is not recorded ends the search, whatever the width, now and resumed; none of it is kept
missing() { # missing RANKS OPTIONS...
    local status=0
    search "$1" "$work/missing.h5" --evaluator "recorded=$work/plain.h5" "${@:2}" >"$work/log" 2>&1 || status=$?
    [[ $status == 1 ]] || die "$*: a chain that is not recorded was answered: status $status"
    grep -Eq "sample row-[0-9]+ \(row [0-9]+\), chain .*: not in $work/plain.h5;" "$work/log" ||
        die "$*: a missing chain is not named: $(<"$work/log")"
    id=$(sed -nE 's/.*sample (row-[0-9]+) .*/\1/p' "$work/log")
    "$cola" show "$work/missing.h5" --sample "$id" >"$work/shown" # its tree is not kept
    grep -q "\b0 chains" "$work/shown" || die "$*: run.h5 has the tree of $id: $(<"$work/shown")"
}
for width in 1 8; do
    for ranks in 0 3; do
        for options in "--simulations 60 --seed 3" "--simulations 40 --seed 4" "--simulations 40 --seed 3 --preset random"; do
            # shellcheck disable=SC2086 # words
            missing "$ranks" --speculate "$width" $options
            # shellcheck disable=SC2086 # words
            missing "$ranks" --speculate 4 --resume $options
            rm "$work"/missing.h5*
            echo "refused  $options --speculate $width, $ranks ranks"
        done
    done
done

# what was recorded stays: with a recording that has all, the failed search goes on
longer=(--simulations 60 --seed 3)
search 0 "$work/longer.h5" "${longer[@]}" --evaluator synthetic --quiet
search 0 "$work/whole.h5" "${longer[@]}" --evaluator "recorded=$work/longer.h5" --quiet
missing 3 --speculate 8 "${longer[@]}"
search 3 "$work/missing.h5" "${longer[@]}" --evaluator "recorded=$work/longer.h5.journal" --speculate 8 --resume --quiet
[[ $(digest "$work/missing.h5") == $(digest "$work/whole.h5") ]] || die "resumed with a recording that has all: another digest"
"$make_tasks" "$work/others.h5" loglik 60 "$vocabulary" 6
if "$cola" search "$work/others.h5" --out "$work/o.h5" --evaluator "recorded=$work/plain.h5" >"$work/log" 2>&1; then
    die "other tasks than the recorded ones were searched"
fi
grep -q "recorded with other tasks" "$work/log" || die "other tasks are not named: $(<"$work/log")"
echo "same     recorded"

# a latency is kept: 4 samples in turn, 8 simulations of 20 ms each, one at a time
began=$EPOCHREALTIME
search 0 "$work/slow.h5" --simulations 8 --samples 0:4 --in-flight 4 --evaluator synthetic --latency-ms 20 --quiet
awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN {exit !(to - from >= 0.16)}' || die "8 times 20 ms took less"

if grep -Eq "loading the model|memory" "$work/replayed.log"; then die "a model is told of that is not there"; fi
for bad in "--evaluator nobody" "--evaluator synthetic --model m" "--latency-ms 1 --model m" "--evaluator recorded=" \
    "--evaluator synthetic --latency-spread 1" "--evaluator synthetic --events-interval 1" \
    "--evaluator recorded=$work/plain.h5 --synthetic-layers 32" "--evaluator recorded=$work/plain.h5 --synthetic-optima 0.3"; do
    status=0
    # shellcheck disable=SC2086 # words
    search 0 "$work/bad.h5" $bad >"$work/log" 2>&1 || status=$?
    [[ $status == 2 ]] || die "$bad: status $status, expected a usage error"
done

# no text from a landscape: said before anything is written
"$make_tasks" "$work/texts.h5" generate-letter 5 "$vocabulary" 5
for ranks in 0 3; do
    # shellcheck disable=SC2046 # the launcher's words are words
    if $(launcher "$ranks") "$cola" search "$work/texts.h5" --out "$work/g.h5" --evaluator synthetic >"$work/log" 2>&1; then
        die "a landscape gave texts"
    fi
    grep -q "gives scores, no text" "$work/log" || die "tasks of texts are refused otherwise: $(<"$work/log")"
    [[ ! -e $work/g.h5 && ! -e $work/g.h5.journal ]] || die "refused tasks leave a record"
done
echo "passed"
