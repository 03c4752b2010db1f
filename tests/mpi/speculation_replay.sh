#!/usr/bin/env bash
# speculation_replay.sh COLA MAKE_TASKS - one tree of a real ARC-Easy question (tests/data/recorded), replayed against 8
# workers of 10 ms latency: at least 3 times as fast with 8 chains out at once as with one, and the same labels.
#
# With one chain out every chain must be in the recording, so that run shows that the recording has the whole tree. With
# eight, guesses may ask for chains that nobody recorded: those stay unknown, and a tree that came to one would fail.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT

tasks=$data/recorded/arc_easy.tasks.h5
recording=$data/recorded/arc_easy.journal
least=3 # times as fast
tries=3 # other processes may hold the cores for a moment; sleeping workers do not need them, messages do

replay() { # replay NAME OPTIONS...
    local name=$1
    shift
    rm -f "$work/$name".*
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 60 $(launcher 9) "$cola" search "$tasks" --samples 3:4 --evaluator "recorded=$recording" --latency-ms 10 \
        --in-flight 1 --simulations 150 --out "$work/$name.h5" --events "$work/$name.events" --quiet "$@"
}

for ((try = 1; ; try++)); do
    replay one --speculate 1
    replay eight --speculate 8
    want=$("$cola" show "$work/one.h5" --digest)
    got=$("$cola" show "$work/eight.h5" --digest)
    [[ $got == "$want" ]] || die "with --speculate 8 the digest is $got, without $want"
    grep -q '"n_chains": *150\b' "$work/eight.events" || die "not the 150 chains of the recorded tree"
    one=$(search_seconds "$work/one.events") eight=$(search_seconds "$work/eight.events")
    ratio=$(awk -v a="$one" -v b="$eight" 'BEGIN { printf "%.2f", a / b }')
    echo "150 simulations against 8 workers of 10 ms: $one s, with --speculate 8 $eight s: $ratio times as fast; $want"
    if awk -v r="$ratio" -v l="$least" 'BEGIN { exit !(r >= l) }'; then break; fi
    if ((try == tries)); then die "not $least times as fast in $tries tries"; fi
done

# Half of the recording is refused, with one chain out and with eight.
head -c 30000 "$recording" >"$work/first-half.journal"
recording=$work/first-half.journal
for width in 1 8; do
    if replay half --speculate "$width" 2>"$work/error"; then die "a search was replayed from half of its recording"; fi
    grep -q 'chain .*: not in .*first-half.journal' "$work/error" ||
        die "half of a recording failed for another reason: $(cat "$work/error")"
done
echo "noticed  half of the recording"
