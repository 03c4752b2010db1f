#!/usr/bin/env bash
# digest.sh COLA MAKE_TASKS - the labels of a search are the same, byte for byte, without mpirun and with 2, 3
# and 5 ranks, with the back ends ref and cpu, 1 and 2 threads, any number of requests in flight, in two halves;
# and they are not the same for another seed, so that the comparison can fail. Scores and generated answers alike.
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
done

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
echo "passed"
