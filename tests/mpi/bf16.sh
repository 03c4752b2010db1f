#!/usr/bin/env bash
# bf16.sh COLA MAKE_TASKS - the bf16 mode as a whole: labels are the same, byte for byte, for any number of ranks and
# threads; with oneDNN (where it can be used) and with the defined products; a run of one is neither gone on with nor
# taken as a memo by the other, and by f32.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap 'rm -rf "$work"' EXIT

tasks=$work/tasks.h5
"$make_tasks" "$tasks" loglik 6 "$vocabulary" 11
common=("$tasks" --model "$model" --simulations 20 --seed 4 --quiet)

search() { # search RANKS OUT OPTIONS...
    local ranks=$1 out=$2
    shift 2
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 100 $(launcher "$ranks") "$cola" search "${common[@]}" --out "$work/$out.h5" "$@"
}

refused() { # refused OPTIONS...: must fail, naming the numerics
    if search 0 "$@" 2>"$work/error"; then die "$*: was not refused"; fi
    grep -q 'numerics_id: there' "$work/error" || die "$*: refused for another reason: $(cat "$work/error")"
    echo "refused  $*"
}

kinds=(exact)
if "$cola" info | grep -q '^onednn products *bf16-onednn'; then kinds+=(onednn); else echo "without oneDNN"; fi
for kind in "${kinds[@]}"; do
    bf16=(--dtype bf16 --bf16-products "$kind")
    search 0 "$kind" "${bf16[@]}" --threads 1
    want=$("$cola" show "$work/$kind.h5" --digest)
    for ranks in 0 2 3; do
        search "$ranks" "$kind-$ranks" "${bf16[@]}" --threads 2
        got=$("$cola" show "$work/$kind-$ranks.h5" --digest)
        [[ $got == "$want" ]] || die "$kind, $ranks ranks: $got, expected $want"
        echo "same     $kind, $ranks ranks"
    done
    refused "$kind" --dtype f32 --resume
    refused "memo-$kind" --dtype f32 --memo "$work/$kind.h5"
done
if ((${#kinds[@]} == 2)); then
    refused onednn --dtype bf16 --bf16-products exact --resume
    refused memo --dtype bf16 --bf16-products onednn --memo "$work/exact.h5"
fi
