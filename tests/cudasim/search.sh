#!/usr/bin/env bash
# search.sh COLA MAKE_TASKS - a search by two workers with a GPU each, on the stand-in for CUDA: its digest is that of
# the cpu back end, also over shared states and generated answers; a third worker finds no GPU of its own and says so.
. "$(dirname "${BASH_SOURCE[0]}")/../mpi/common.sh"
trap 'rm -rf "$work"' EXIT
export COLA_CUDASIM_MACHINE=$$ ASAN_OPTIONS=detect_leaks=0 # Open MPI keeps memory to the end

run() { # run RANKS TASKS OPTIONS...
    rm -f "$work"/run.h5*
    # shellcheck disable=SC2046 # the launcher's words are words
    timeout 300 $(launcher "$1") "$cola" search "$2" --model "$model" --out "$work/run.h5" --threads 1 --simulations 8 \
        --seed 4 "${@:3}" >"$work/log" 2>&1
}

for rule in loglik generate-letter; do
    tasks=$work/$rule.h5
    "$make_tasks" "$tasks" "$rule" 3 "$vocabulary" 11
    run 0 "$tasks" --backend cpu || die "cpu: $(<"$work/log")"
    want=$("$cola" show "$work/run.h5" --digest)
    run 3 "$tasks" --backend cuda || die "cuda, 3 ranks: $(<"$work/log")"
    got=$("$cola" show "$work/run.h5" --digest)
    [[ $got == "$want" ]] || die "$rule: cuda gave $got, cpu $want"
    [[ $(grep -o "GPU-[0-9a-f-]*" "$work/log" | sort -u | wc -l) == 2 ]] || die "not two GPUs: $(<"$work/log")"
    echo "same     $rule $want"
done
if run 4 "$work/loglik.h5" --backend cuda; then die "three workers took two GPUs"; fi
grep -q "ranks-per-gpu 2" "$work/log" || die "a worker without a GPU does not say what to do: $(<"$work/log")"
run 4 "$work/loglik.h5" --backend cuda --ranks-per-gpu 2 || die "--ranks-per-gpu 2: $(<"$work/log")"
echo "passed"
