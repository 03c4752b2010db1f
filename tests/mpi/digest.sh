#!/usr/bin/env bash
# digest.sh COLA MAKE_TASKS - the labels of a search are the same, byte for byte, without mpirun and with 2, 3
# and 5 ranks, with the back ends ref and cpu, 1 and 2 threads, any number of requests in flight, in two halves;
# with chains of a sample guessed ahead, also resumed; and they are not the same for another seed, so that the
# comparison can fail. Scores and generated answers alike.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT

n=0
digest() { # digest TASKS RANKS OPTIONS...: runs a search, prints its digest
    local tasks=$1 ranks=$2 out
    shift 2
    n=$((n + 1))
    out=$work/run-$BASHPID-$n.h5
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 200 $(launcher "$ranks") "$cola" search "$tasks" --model "$model" --out "$out" --quiet "$@" >&2 ||
        die "search with $ranks ranks, $*: exit status $?"
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
    tasks=$work/$rule.h5
    "$make_tasks" "$tasks" "$rule" 9 "$vocabulary" 11
    common=(--simulations 30 --seed 4)
    want=$(digest "$tasks" 0 "${common[@]}" --backend ref --threads 1)
    echo "digest   $rule $want"
    for ranks in 0 2 3 5; do
        expect "$want" "$tasks" "$ranks" "${common[@]}" --backend cpu --threads 1
    done
    expect "$want" "$tasks" 3 "${common[@]}" --backend ref --threads 1
    expect "$want" "$tasks" 0 "${common[@]}" --backend cpu --threads 2
    expect "$want" "$tasks" 2 "${common[@]}" --backend cpu --threads 2
    expect "$want" "$tasks" 3 "${common[@]}" --in-flight 1
    expect "$want" "$tasks" 0 "${common[@]}" --state-memory 0
    expect "$want" "$tasks" 0 "${common[@]}" --speculate 64 --in-flight 2
    for width in 4 16; do
        expect "$want" "$tasks" 2 "${common[@]}" --threads 1 --speculate $width
        expect "$want" "$tasks" 3 "${common[@]}" --threads 1 --speculate $width
    done
    other=$(digest "$tasks" 0 --simulations 30 --seed 5)
    [[ $other != "$want" ]] || die "another seed gave the same digest"
    echo "differs  $rule another seed"
done

tasks=$work/loglik.h5
for options in "--preset random" "--preset polar" "--preset drllm" "--preset drllm-code" "--preset exhaustive" "--space skip" "--control wrong-answer" "--samples 2:7"; do
    # shellcheck disable=SC2206 # two words each
    words=($options --simulations 30 --seed 4 --threads 1)
    want=$(digest "$tasks" 0 "${words[@]}")
    expect "$want" "$tasks" 4 "${words[@]}"
    expect "$want" "$tasks" 3 "${words[@]}" --speculate 4
    expect "$want" "$tasks" 2 "${words[@]}" --speculate 16
done

# A search that is stopped again and again goes on with another width and other ranks each time, and what was guessed
# in vain before shows nowhere.
tasks=$work/loglik-long.h5
"$make_tasks" "$tasks" loglik 80 "$vocabulary" 11
words=(--simulations 60 --seed 4 --threads 1)
began=$EPOCHREALTIME
want=$(digest "$tasks" 0 "${words[@]}")
whole=$(awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN {print to - from}') # seconds without a stop, on this machine
limit() { # limit ROUND: seconds, later and later
    awk -v whole="$whole" -v round="$1" 'BEGIN {printf "%.2f", whole * (0.4 + 0.2 * (round % 5)) + int(round / 5)}'
}
out=$work/stopped.h5
widths=(16 4 1 64 2 16 1)
resumed=0 status=75
for ((round = 0; status == 75 && round < 40; round++)); do
    width=${widths[round % 7]} ranks=$((round % 3 ? round % 3 + 1 : 0)) status=0
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 200 $(launcher "$ranks") "$cola" search "$tasks" --model "$model" --out "$out" "${words[@]}" --resume \
        --speculate "$width" --time-limit "$(limit "$round")" >"$work/log" 2>&1 ||
        status=$?
    [[ $status == 0 || $status == 75 ]] || die "round $round, --speculate $width: exit status $status: $(<"$work/log")"
    if grep -q "resuming: [1-9]" "$work/log"; then resumed=$((resumed + 1)); fi
done
got=$("$cola" show "$out" --digest)
[[ $status == 0 && $got == "$want" ]] || die "stopped and resumed with other widths: $got, expected $want"
((resumed >= 1)) || die "no stop came while the search ran: nothing was resumed"
echo "same     --speculate ${widths[*]}, resumed $resumed times"

# What was found is counted in the trees: not in what was guessed in vain, and not twice.
found() { # found WIDTH: the summary's line
    rm -f "$out" "$out.journal"
    "$cola" search "$tasks" --model "$model" --out "$out" "${words[@]}" --samples 0:20 --speculate "$1" >"$work/log" 2>&1
    grep -o "found in .*" "$work/log"
}
plain=$(found 1)
[[ $(found 16) == "$plain" ]] || die "--speculate 16: $(grep "found in" "$work/log"), expected $plain"
grep -q "of them [1-9].* in no tree: guessed in vain" "$work/log" || die "nothing was guessed in vain: $(<"$work/log")"
echo "same     --speculate 16: $plain"

tasks=$work/generate-number.h5
for options in "--control wrong-answer" "--preset polar" "--samples 2:7"; do
    # shellcheck disable=SC2206 # two words each
    words=($options --simulations 30 --seed 4 --threads 1)
    want=$(digest "$tasks" 0 "${words[@]}")
    expect "$want" "$tasks" 4 "${words[@]}"
done

# What a control looks for is drawn over the whole file, whichever rows this run searches.
targets() { # targets OPTIONS...: "row target" of rows 2 .. 6
    local out=$work/control.h5
    "$cola" search "$tasks" --model "$model" --out "$out" --quiet --simulations 2 --seed 4 --threads 1 \
        --control wrong-answer "$@"
    "$cola" show "$out" | awk '$2 ~ /^row-[2-6]$/ {print $1, $4}'
    rm -f "$out" "$out.journal"
}
whole=$(targets)
[[ $(wc -l <<<"$whole") == 5 ]] || die "the control's targets: $whole"
for options in "--samples 2:7" "--samples 2:"; do
    # shellcheck disable=SC2086 # two words each
    [[ $(targets $options) == "$whole" ]] || die "$options changes the control's targets"
done
awk '$1 == $2 {exit 1}' <<<"$whole" || die "a control looks for its own answer: $whole"
echo "same     the control's targets of rows 2 to 6: $(tr '\n' ',' <<<"$whole")"

# A run of an older version goes on as the present one, which is said; its labels are those of a run from the start.
tasks=$work/older.h5
"$make_tasks" "$tasks" loglik 2 320 1
cp "$(dirname "$model")/../runs/run-1.0.h5" "$work/older-run.h5"
chmod u+w "$work/older-run.h5"
"$cola" search "$tasks" --model "$model" --out "$work/older-run.h5" --resume --simulations 12 --threads 1 2>"$work/log"
grep -q "is of version 1.0: it is written as 1" "$work/log" || die "a run of version 1.0 is rewritten unsaid: $(<"$work/log")"
expect "$("$cola" show "$work/older-run.h5" --digest)" "$tasks" 0 --simulations 12 --threads 1
echo "passed"
