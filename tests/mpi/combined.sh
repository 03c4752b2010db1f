#!/usr/bin/env bash
# combined.sh COLA MAKE_TASKS - everything that must not change labels, at once: 1, 2, 3, 5 and 8 ranks, 1, 4 and 16 chains
# of a sample at once, one shard and three, stopped and resumed with other ranks and widths, merged; in f32 and bf16, scores
# and generated answers. The digest is the undivided, uninterrupted search's in one process.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT

search() { # search OUT RANKS WIDTH OPTIONS...; returns its exit status
    local out=$1 ranks=$2 width=$3
    shift 3
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 200 $(launcher "$ranks") "$cola" search "$tasks" --model "$model" --out "$out" --quiet --resume --threads 1 \
        "${words[@]}" --speculate "$width" "$@" >>"$work/log" 2>&1
}

whole() { # whole OUT RANKS WIDTH OPTIONS...: to the end
    search "$@" || { tail -5 "$work/log" >&2; die "$*: exit status $?"; }
}

# divided SHARDS: each stopped once, with other ranks and another width before and after; merged where there are several
divided() {
    local n=$1 i parts=() status stops=0 ranks=(8 2 5 1 3 8) widths=(16 1 4)
    for ((i = 0; i < n; i++)); do
        local out=$work/part$i.h5 options=()
        if ((n > 1)); then options=(--shard "$i/$n"); fi
        status=0
        search "$out" "${ranks[i]}" "${widths[i % 3]}" "${options[@]}" --time-limit "$limit" || status=$?
        if [[ $status == 75 ]]; then stops=$((stops + 1)); fi
        [[ $status == 75 || $status == 0 ]] || { tail -5 "$work/log" >&2; die "part $i of $n: exit status $status"; }
        whole "$out" "${ranks[i + 1]}" "${widths[(i + 1) % 3]}" "${options[@]}"
        parts+=("$out")
    done
    if ((n > 1)); then
        "$cola" merge "$work/whole.h5" "${parts[@]}" --quiet >>"$work/log" 2>&1 || die "merge: $(tail -3 "$work/log")"
    else
        mv "${parts[0]}" "$work/whole.h5"
    fi
    got=$("$cola" show "$work/whole.h5" --digest)
    [[ $got == "$want" ]] || die "$rule, ${words[*]}: $n shards give $got, expected $want"
    echo "same     $rule ${words[*]:4} in $n, stopped $stops times"
    stopped=$((stopped + stops))
    rm -f "$work"/{part?,whole}.h5*
}

stopped=0
for rule in loglik generate-letter; do
    tasks=$work/$rule.h5
    "$make_tasks" "$tasks" "$rule" 24 "$vocabulary" 11
    for dtype in f32 bf16; do
        words=(--simulations 40 --seed 4 --dtype "$dtype")
        began=$EPOCHREALTIME
        whole "$work/direct.h5" 0 1
        limit=$(awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN {printf "%.2f", (to - from) * 0.4}')
        want=$("$cola" show "$work/direct.h5" --digest)
        rm -f "$work"/direct.h5*
        divided 1
        divided 3
    done
done
((stopped > 0)) || die "no search was stopped in its midst"
