#!/usr/bin/env bash
# cross_scale.sh COLA MAKE_TASKS PEAK [long] - `cola cross` with many chains, without a model: what it holds grows with the
# chains and not with the samples, alone and as ranks; it is killed in the middle and goes on, to the same table.
# long: 10,000 chains on 100 samples and on 400; else 1,500 on 40 and on 160. Prints evaluations/s and MiB.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
peak=$(realpath "$3") session=
finish() {
    [[ -z $session ]] || for pid in $(ps -o pid= -s "$session"); do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
if [[ ${4:-} == long ]]; then n_chains=10000 n_samples=100; else n_chains=1500 n_samples=40; fi

# Of 32 layers: a and b left out, c passed twice, in an order that is not the table's.
awk -v most="$n_chains" 'BEGIN {
    for (c = 31; c >= 0 && n < most; c--)
        for (a = 0; a < 31 && n < most; a++)
            for (b = a + 1; b < 32 && n < most; b++) {
                if (c == a || c == b) continue
                line = ""
                for (i = 0; i < 32; i++)
                    if (i != a && i != b) line = line (line == "" ? "" : ", ") i (i == c ? ", " i : "")
                print "[" line "]"
                n++
            }
}' >"$work/chains"
[[ $(sort -u "$work/chains" | wc -l) == "$n_chains" ]] || die "the list has not $n_chains chains"

words=(--chains "$work/chains" --evaluator synthetic --synthetic-layers 32 --synthetic-optima 0.5)

# table SAMPLES RANKS: makes it, prints milliseconds, MiB that its largest process held at most, and its digest
table() {
    local out=$work/x-$1-$2.h5 began seconds
    began=$(date +%s%3N)
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 500 "$peak" "$work/peak" $(launcher "$2") "$cola" cross --tasks "$work/$1.h5" --out "$out" "${words[@]}" --quiet \
        >"$work/log" 2>&1 || die "$1 samples, $2 ranks: $(<"$work/log")"
    seconds=$(($(date +%s%3N) - began))
    echo "$seconds $(($(<"$work/peak") / 1024)) $("$cola" show "$out" --digest)"
    rm -f "$out" "$out.journal"
}

few=$n_samples many=$((4 * n_samples))
for n in "$few" "$many"; do "$make_tasks" "$work/$n.h5" loglik "$n" "$vocabulary" 11; done
for ranks in 0 3; do
    read -r ms mib digest < <(table "$few" "$ranks")
    read -r ms4 mib4 digest4 < <(table "$many" "$ranks")
    [[ -n $digest && -n $digest4 ]] || die "$ranks ranks: no table"
    echo "$n_chains chains, $ranks ranks: $few samples $((n_chains * few * 1000 / ms))/s, $mib MiB; $many samples" \
        "$((n_chains * many * 1000 / ms4))/s, $mib4 MiB"
    # Of a sample that is done the table keeps its tokens and 4 bytes; a leak of its row alone is 6 bytes a cell.
    ((mib4 <= mib + 8)) || die "$ranks ranks: $mib4 MiB with $many samples, $mib with $few"
    [[ ${whole:=$digest4} == "$digest4" ]] || die "$ranks ranks: another table"
done

# Killed in the middle: what was evaluated is not evaluated again.
out=$work/killed.h5
setsid "$cola" cross --tasks "$work/$many.h5" --out "$out" "${words[@]}" --quiet >"$work/log" 2>&1 &
session=$!
for ((i = 0; i < 600; i++)); do # a third of the journal, which has 200 bytes and more an evaluation
    sleep 0.05
    [[ $(stat -c %s "$out.journal" 2>/dev/null || echo 0) -lt $((n_chains * many * 70)) ]] || break
done
kill -KILL "$session"
{ wait "$session" || true; } 2>/dev/null # bash tells of the kill
session=
[[ ! -e $out ]] || die "it was over before it was killed"
"$cola" cross --tasks "$work/$many.h5" --out "$out" "${words[@]}" --resume >"$work/log" 2>&1 || die "$(<"$work/log")"
known=$(sed -n 's/.*resuming: \([0-9]*\) evaluations are known.*/\1/p' "$work/log")
((known > n_chains * many / 10)) || die "only ${known:-none} of $((n_chains * many)) evaluations were known after the kill"
[[ $("$cola" show "$out" --digest) == "$whole" ]] || die "killed and resumed: another table"
echo "killed   $known evaluations were known"
echo "passed"
