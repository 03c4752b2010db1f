#!/usr/bin/env bash
# run_all.sh [--out DIR] [--cola PROGRAM --shapes LIST] - everything that needs a GPU, in one call on a machine with CUDA and
# neither MPI nor HDF5: build, tests of the cuda back end, compute-sanitizer, bytes against the cpu back end on random
# weights, timings. Writes one report, DIR/report.txt (default: build/gpu-report), and ends with 0 if all passed.
#
#   --cola PROGRAM   a program that is there already; nothing is built, and no test programs run
#   --shapes LIST    of tests/gpu/make_inputs.py; default: "smollm2-135m llama-3.2-3b llama-3-8b"
#
# Needs CMake, a C compiler, jansson, xxhash and cmocka with pkg-config, Python with NumPy. Under 10 minutes on an H100.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
out=build/gpu-report cola='' shapes="smollm2-135m llama-3.2-3b llama-3-8b" build=build/gpu
while (($#)); do
    case $1 in
        --out) out=$2; shift 2 ;;
        --cola) cola=$2; shift 2 ;;
        --shapes) shapes=$2; shift 2 ;;
        *) sed -n '2,10p' "$0" >&2; exit 2 ;;
    esac
done
mkdir -p "$out"
report=$out/report.txt
: >"$report"
failed=0

say() { echo "$*" | tee -a "$report"; }
step() { # step NAME SECONDS COMMAND...: its output goes to DIR/NAME.log
    local name=$1 limit=$2 began=$SECONDS status
    shift 2
    timeout "$limit" "$@" >"$out/$name.log" 2>&1
    status=$?
    if [[ $status == 0 ]]; then
        say "passed   $name $((SECONDS - began)) s"
    else
        say "FAILED   $name $((SECONDS - began)) s, exit status $status: $(tail -n 3 "$out/$name.log" | tr '\n' ' ')"
        failed=1
    fi
    return "$status"
}

say "card: $(nvidia-smi --query-gpu=name,uuid,driver_version,clocks.max.sm --format=csv,noheader 2>&1 | head -n 1)"
say "commit: $(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)"

build() {
    cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCOLA_MPI=OFF -DCOLA_HDF5=OFF -DCOLA_CUDA=ON -DCOLA_TESTS=ON &&
        cmake --build "$build" -j "$(nproc)" --target cola test_cuda test_cuda_goldens
}

if [[ -z $cola ]]; then
    step build 400 build || exit 1
    cola=$build/cola
    tests=$build/tests/cuda
    step operations 120 env COLA_TESTS_FULL=1 "$tests/test_cuda"
    step goldens 200 "$tests/test_cuda_goldens"
    if command -v compute-sanitizer >/dev/null; then
        for tool in memcheck racecheck initcheck synccheck; do
            step "sanitizer-$tool" 60 compute-sanitizer --tool "$tool" --error-exitcode 9 "$tests/test_cuda"
        done
    else
        say "skipped  compute-sanitizer is not on this machine"
    fi
fi
step info 20 "$cola" info

for shape in $shapes; do
    model=$out/$shape
    step "make-$shape" 200 python3 tests/gpu/make_inputs.py "$shape" "$model" || continue
    if step "cuda-$shape" 100 "$cola" eval --model "$model" --backend cuda "$model/requests.jsonl"; then
        if [[ $shape != llama-3-8b ]]; then # the CPU takes too long over that one
            step "cpu-$shape" 200 "$cola" eval --model "$model" --backend cpu "$model/requests.jsonl" &&
                step "bytes-$shape" 10 cmp "$out/cuda-$shape.log" "$out/cpu-$shape.log"
        fi
        for score in loglik generate; do
            options=(--model "$model" --backend cuda --engine-only --score "$score" --prompt 144 --samples 64 --in-flight 64
                --simulations 2)
            if [[ $score == generate ]]; then options+=(--max-new-tokens 50); fi
            step "bench-$shape-$score" 90 "$cola" bench "${options[@]}" --state-memory 0 &&
                say "$(grep -E 'evaluations|memory' "$out/bench-$shape-$score.log")"
            step "bench-$shape-$score-shared" 90 "$cola" bench "${options[@]}" &&
                say "$(grep -E 'evaluations|memory' "$out/bench-$shape-$score-shared.log")"
        done
    fi
    rm -f "$model/model.safetensors"
done
say "report: $report"
exit "$failed"
