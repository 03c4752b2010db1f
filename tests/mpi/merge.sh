#!/usr/bin/env bash
# merge.sh COLA MAKE_TASKS - three shards of a search, with different numbers of ranks, one of them stopped and
# resumed, merge to the digest of the undivided search, in any order; a merged run is an input of show, --memo and
# merge; and shards that are missing, unfinished or of another search are refused by name.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT

search() { # search TASKS OUT RANKS OPTIONS...
    local tasks=$1 out=$2 ranks=$3
    shift 3
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 200 $(launcher "$ranks") "$cola" search "$tasks" --model "$model" --out "$out" --quiet --threads 1 \
        --simulations 120 --seed 4 "$@" 2>>"$work/log"
}

must() { # must WHAT COMMAND...
    local what=$1
    shift
    "$@" || { tail -5 "$work/log" >&2; die "$what: exit status $?"; }
}

refused() { # refused WORDS COMMAND...: exit status 1, the words in the message, and no output file
    local words=$1 status=0 text
    shift
    text=$("$@" 2>&1) || status=$?
    [[ $status == 1 ]] || die "not refused ($words): exit status $status"
    [[ $text == *"$words"* ]] || die "'$words' is not in: $text"
    [[ ! -e $work/out.h5 ]] || die "refused ($words), but there is an output"
    echo "refused  ${text#cola: error: }" | sed "s|$work/||g"
}

expect() { # expect DIGEST INPUTS...: merged, shown, gone
    local want=$1 got
    shift
    must "merge $*" "$cola" merge "$work/out.h5" "$@" --quiet
    got=$("$cola" show "$work/out.h5" --digest)
    [[ $got == "$want" ]] || die "merge $*: $got, expected $want"
    rm "$work/out.h5"
    echo "same     $*" | sed "s|$work/||g"
}

first_line() { # of cola show: samples, finished ones, chains
    local text
    text=$("$cola" show "$1")
    echo "${text%%$'\n'*}"
}

# stop_and_resume TASKS OUT: stopped with some chains of some samples, refused, then resumed with other ranks.
stop_and_resume() {
    local tasks=$1 out=$2 limit status about=
    for limit in 0.1 0.15 0.2 0.3 0.45 0.7 1 1.5 2.2; do # starting takes a time that the machine decides
        rm -f "$out" "$out.journal"
        status=0
        search "$tasks" "$out" 0 --shard 2/3 --time-limit "$limit" || status=$?
        [[ $status == 75 ]] || die "a search with $limit s: exit status $status, expected 75"
        [[ -e $out ]] && about=$(first_line "$out") && [[ $about != *" 0 chains" ]] && break
    done
    echo "stopped  $about" | sed "s|$work/||g"
    [[ -n $about && $about != *" 0 chains" ]] || die "no search was stopped in its midst"
    refused "c.h5 (" "$cola" merge "$work/out.h5" "$work"/{a,b,c}.h5
    "$cola" merge "$work/part.h5" "$work"/{a,b,c}.h5 --allow-unfinished --quiet
    [[ $(first_line "$work/part.h5") == *"(not complete)"* ]] || die "a merge of unfinished runs says it is complete"
    rm "$work/part.h5"
    must "resume" search "$tasks" "$out" 3 --shard 2/3 --resume
}

a=$work/a.h5 b=$work/b.h5 c=$work/c.h5
for rule in loglik letter generate-number; do
    tasks=$work/$rule.h5 control=()
    [[ $rule == letter ]] && control=(--control wrong-answer)
    rm -f "$work"/{a,b,c,whole}.h5*
    "$make_tasks" "$tasks" "$rule" 60 "$vocabulary" 11
    must "the undivided search" search "$tasks" "$work/whole.h5" 0 "${control[@]}"
    want=$("$cola" show "$work/whole.h5" --digest)
    echo "whole    $rule $want"
    must "shard 0" search "$tasks" "$a" 0 --shard 0/3 --backend ref "${control[@]}"
    must "shard 1" search "$tasks" "$b" 3 --shard 1/3 "${control[@]}"
    if [[ $rule == letter ]]; then
        must "shard 2" search "$tasks" "$c" 5 --shard 2/3 "${control[@]}"
    else
        stop_and_resume "$tasks" "$c"
    fi
    expect "$want" "$a" "$b" "$c"
    expect "$want" "$c" "$a" "$b"
    expect "$want" "$work/whole.h5" "$b" --allow-duplicates
done

# A merged run is a run: it can be merged, and another search takes its results.
"$cola" merge "$work/ca.h5" "$c" "$a" --allow-missing --quiet
expect "$want" "$b" "$work/ca.h5"
"$cola" merge "$work/all.h5" "$a" "$b" "$c" --quiet
must "a memo" search "$tasks" "$work/memo.h5" 2 --memo "$work/all.h5"
[[ $("$cola" show "$work/memo.h5" --digest) == "$want" ]] || die "a merged memo changes the digest"
must "show --json" "$cola" show "$work/all.h5" --json >"$work/all.json"
must "show --sample" "$cola" show "$work/all.h5" --sample row-59 >/dev/null

refused "missing: rows 20:40" "$cola" merge "$work/out.h5" "$a" "$c"
refused "is shard 1 of 3, and nothing is behind it" "$cola" merge "$work/out.h5" "$a" "$b"
refused "row 20 is in " "$cola" merge "$work/out.h5" "$work/whole.h5" "$b"
must "another seed" search "$tasks" "$work/seed.h5" 0 --shard 1/3 --seed 5
refused "seed '4' and '5'" "$cola" merge "$work/out.h5" "$a" "$work/seed.h5" "$c"
must "another number" search "$tasks" "$work/more.h5" 0 --shard 1/3 --simulations 121
refused "n_simulations '120' and '121'" "$cola" merge "$work/out.h5" "$a" "$work/more.h5" "$c"
must "a control" search "$tasks" "$work/control.h5" 0 --shard 1/3 --control wrong-answer
refused "control 'none' and 'wrong-answer'" "$cola" merge "$work/out.h5" "$a" "$work/control.h5" "$c"
"$make_tasks" "$work/other.h5" generate-number 60 "$vocabulary" 12
must "other tasks" search "$work/other.h5" "$work/foreign.h5" 0 --shard 1/3
refused "tasks_fingerprint '" "$cola" merge "$work/out.h5" "$a" "$work/foreign.h5" "$c"

status=0
text=$("$cola" merge "$work/all.h5" "$a" "$b" "$c" 2>&1) || status=$?
[[ $status == 2 && $text == *"exists: nothing is overwritten"* ]] || die "an output that exists: $status, $text"
[[ $("$cola" merge --help) == *--allow-duplicates* ]] || die "--help does not name --allow-duplicates"
echo "passed"
