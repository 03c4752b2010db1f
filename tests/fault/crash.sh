#!/usr/bin/env bash
# crash.sh COLA MAKE_TASKS CRASH_RANK - a chain that crashes its worker (the library CRASH_RANK, by LD_PRELOAD)
# ends the job three times; then it is set aside, alone, and the search ends with the same digest whatever the
# ranks. Requests that were out beside it are evaluated.
. "$(dirname "${BASH_SOURCE[0]}")/../mpi/common.sh"
crash_rank=$(realpath "$3")
trap 'rm -rf "$work"' EXIT
tasks=$work/tasks.h5 out=$work/run.h5 log=$work/log crashes=$work/crashes
"$make_tasks" "$tasks" loglik 12 "$vocabulary" 4
options=(--model "$model" --out "$out" --seed 2 --threads 1 --simulations 16 --resume)

# journal COMMAND...: of the records of the run's journal (docs/format-journal.md)
#   chain SAMPLE N: the N-th chain sent of it, as it stands in a REQUEST too: sample, count, layers
#   crashed: how many results are crashes
journal() {
    python3 - "$out.journal" "$@" <<'PYTHON'
import struct
import sys

data, command, arguments = open(sys.argv[1], "rb").read(), sys.argv[2], [int(a) for a in sys.argv[3:]]
sent, crashed, at = [], 0, 16
while at < len(data):
    (n,) = struct.unpack_from("<I", data, at)
    payload = data[at + 12 : at + 12 + n]
    at += 12 + n
    if payload[0] == 2 and command == "chain" and struct.unpack_from("<I", payload, 9)[0] == arguments[0]:
        sent.append(payload[9:].hex())
    if payload[0] == 3:
        crashed += payload[17 + 2 * struct.unpack_from("<I", payload, 13)[0]] == 2
print(sent[arguments[1]] if command == "chain" else crashed)
PYTHON
}

"$cola" search "$tasks" "${options[@]}" --quiet
whole=$("$cola" show "$out" --digest)
bytes=$(journal chain 5 7)
echo "crashing $bytes"

# crash_through RANKS OPTIONS...: from nothing to the end, with three deaths on the way
crash_through() {
    local ranks=$1 status deaths=0
    shift
    rm -f "$out" "$out.journal" "$crashes"
    while true; do
        status=0
        # shellcheck disable=SC2046 # the launcher's words are words
        timeout 100 $(launcher "$ranks") -x LD_PRELOAD="$crash_rank" -x COLA_CRASH_BYTES="$bytes" \
            -x COLA_CRASH_LOG="$crashes" "$cola" search "$tasks" "${options[@]}" "$@" >"$log" 2>&1 || status=$?
        [[ $status == 0 ]] && break
        deaths=$((deaths + 1))
        ((deaths <= 3)) || { cat "$log" >&2; die "$ranks ranks: still dying after $deaths deaths"; }
    done
    [[ $deaths == 3 && $(wc -l <"$crashes") == 3 ]] ||
        { cat "$log" >&2; die "$ranks ranks: $deaths deaths, $(cat "$crashes" 2>/dev/null)"; }
    grep -q "sample .*: chain .* is set aside: the job died 3 times" "$log" || die "nothing is said: $(cat "$log")"
    grep -q "1 chain is set aside" "$log" || die "the summary does not say it: $(cat "$log")"
    [[ $(journal crashed) == 1 ]] || die "$ranks ranks: $(journal crashed) chains were set aside"
    got=$("$cola" show "$out" --digest)
    [[ $got != "$whole" ]] || die "the crash left no trace"
    echo "through  $ranks ranks $*: $got"
}

crash_through 3 --speculate 1
want=$got
crash_through 2 --speculate 4
[[ $got == "$want" ]] || die "2 ranks: $got, 3 ranks: $want"
crash_through 5 --speculate 16
[[ $got == "$want" ]] || die "5 ranks: $got, 3 ranks: $want"
echo "passed"
