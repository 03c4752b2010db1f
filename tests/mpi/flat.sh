#!/usr/bin/env bash
# flat.sh COLA MAKE_TASKS PEAK - the master's memory does not grow with the samples that are finished: not while it
# searches, not with guesses that come back late, not while it replays the journal of a finished search. The tasks are
# the same whatever the number of samples that are searched, so peaks may differ by the table of samples alone.
# COLA_TESTS_FULL=1: 20,000 samples x 200 simulations.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
peak=$(realpath "$3")
trap 'rm -rf "$work"' EXIT

few=500 many=6000 simulations=30
[[ ${COLA_TESTS_FULL:-0} == 1 ]] && few=2000 many=20000 simulations=200
# Bytes a sample: 24 of the record, some 70 of the master, twice that for what an allocation rounds up. And what the
# journal's thread holds at the moment, two batches of 1 MiB that grow by half.
most=200 slack_kib=4096

"$make_tasks" "$work/tasks.h5" loglik "$many" "$vocabulary" 5

# One process: the evaluator keeps nothing, so its memory is the master's. One arena, so that what another thread freed
# is not counted. Prints KiB.
measured() { # measured N OPTIONS...
    local n=$1
    shift
    MALLOC_ARENA_MAX=1 timeout 550 "$peak" "$work/kib" "$cola" search "$work/tasks.h5" --out "$work/run-$n.h5" \
        --samples "0:$n" --simulations "$simulations" --seed 3 --evaluator synthetic --quiet "$@" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; die "exit status $?: $n $*"; }
    cat "$work/kib"
}

flat() { # flat OPTIONS...
    local low high
    low=$(measured "$few" "$@") high=$(measured "$many" "$@")
    echo "peak     $low KiB with $few samples, $high KiB with $many, $(((high - low) * 1024 / (many - few))) bytes a sample: $*"
    (((high - low) * 1024 <= (many - few) * most + slack_kib * 1024)) || die "memory grows with finished samples: $*"
}

flat
want=$("$cola" show "$work/run-$few.h5" --digest)
flat --resume
[[ $("$cola" show "$work/run-$few.h5" --digest) == "$want" ]] || die "replayed: another digest"
rm "$work"/run-*
flat --speculate 8 --in-flight 32
[[ $("$cola" show "$work/run-$few.h5" --digest) == "$want" ]] || die "with --speculate 8: another digest"
flat --speculate 8 --resume
[[ -z $(find "$work" -name '*.tmp.*') ]] || die "temporaries stayed"
echo "passed"
