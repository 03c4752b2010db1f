#!/usr/bin/env bash
# All tests in one command, from a fresh clone: sets up, builds every preset, runs the C and Python tests, the
# sanitizers, the format checks and the fuzz targets. Exit status 0 only if every step passed.
# Each step's output is in build/test-logs/; it is shown where the step failed. The time of each step is printed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--full]

  --full   also the whole model under AddressSanitizer, 10 minutes instead of 10 seconds a fuzz target, and all of the faults
           (kills, crashes at every call, changed files) of which else a tenth is tried

Sets itself up: Debian packages, .venv and the model of the demo (jobs/setup.sh tests, jobs/fetch_model.py).
TEXT
}

full=no
case ${1:-} in
    '') ;;
    --full) full=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac
if [[ $full == yes ]]; then fuzz_seconds=600; else fuzz_seconds=10; fi
if [[ $full == yes ]]; then export COLA_TESTS_FULL=1; fi # tests that are a sample otherwise

logs=build/test-logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
summary=()
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# record NAME STATUS SECONDS: counts a finished step, shows its log if it failed
record() {
    if [[ $2 == 0 ]]; then
        passed=$((passed + 1))
        printf 'passed   %-28s %4d s\n' "$1" "$3"
    else
        failed=$((failed + 1))
        printf 'FAILED   %-28s %4d s   exit status %d, the end of %s:\n' "$1" "$3" "$2" "$logs/$1.log"
        tail -n 120 "$logs/$1.log" | sed 's/^/    /'
        summary+=("FAILED $1: see $logs/$1.log")
    fi
}

# step NAME COMMAND...: runs it, returns its status
step() {
    local name=$1 began=$SECONDS status
    shift
    "$@" >"$logs/$name.log" 2>&1 </dev/null
    status=$?
    record "$name" "$status" $((SECONDS - began))
    return "$status"
}

skip() {
    skipped=$((skipped + 1))
    printf 'skipped: %-28s %s\n' "$1" "$2"
}

# keep NAME PATTERN: lines of a step's log for the end: a runner's own summary, and what it skipped
keep() {
    local line
    while IFS= read -r line; do summary+=("$1: $line"); done < <(grep -E "$2" "$logs/$1.log" 2>/dev/null)
}

build() {
    cmake --preset "$1" && cmake --build --preset "$1"
}

# run_ctest NAME PRESET ARGUMENT...
run_ctest() {
    local name=$1 preset=$2
    shift 2
    step "$name" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j 2 "$@"
    keep "$name" '(tests passed|tests failed|\*\*\*Skipped|\*\*\*Not Run)'
}

# two processes, as ctest -j 2: one a core of the smallest machine this runs on
run_pytest() {
    step "$1" .venv/bin/python -m pytest -q -rs -n 2 --dist worksteal -p no:cacheprovider "${@:2}"
    keep "$1" '(^SKIPPED|[0-9]+ (passed|failed|skipped|error))'
}

check_c_format() {
    find src include tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
}

check_shell() {
    local file
    for file in jobs/*.sh tests/*.sh tests/*/*.sh .ci/run slurm/*.sbatch; do
        if [[ -e $file ]]; then bash -n "$file" || return 1; fi
    done
}

check_python() {
    .venv/bin/ruff check jobs tests analysis && .venv/bin/ruff format --check jobs tests analysis
}

check_types() {
    .venv/bin/python -m mypy --config-file analysis/pyproject.toml analysis/src
}

# fuzz NAME: seeds are only read; new finds and crashes stay under build/
fuzz() {
    local seeds=() finds=build/fuzz-finds/$1
    mkdir -p "$finds"
    if [[ -d tests/fuzz/corpus/$1 ]]; then seeds=("tests/fuzz/corpus/$1"); fi
    "build/fuzz/tests/$1" -max_total_time="$fuzz_seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="$logs/$1-" "$finds" "${seeds[@]}" >"$logs/$1.log" 2>&1 </dev/null
}

# two targets at a time: one a core of the smallest machine this runs on
run_fuzz_targets() {
    local names=() name i began pids
    for name in tests/fuzz/fuzz_*.c; do
        if [[ -e $name ]]; then names+=("$(basename "$name" .c)"); fi
    done
    if ((${#names[@]} == 0)); then skip fuzz "no target in tests/fuzz"; fi
    for ((i = 0; i < ${#names[@]}; i += 2)); do
        pids=() began=$SECONDS
        for name in "${names[@]:i:2}"; do
            fuzz "$name" &
            pids+=($!)
        done
        for name in "${names[@]:i:2}"; do
            wait "${pids[0]}"
            record "$name" $? $((SECONDS - began))
            keep "$name" 'stat::number_of_executed_units'
            pids=("${pids[@]:1}")
        done
    done
}

finish() {
    printf '\n'
    if ((${#summary[@]})); then printf '%s\n' "${summary[@]}"; fi
    printf 'all steps: %d s\n' "$SECONDS"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0 && passed > 0))
    exit
}

step setup jobs/setup.sh tests || finish
step fetch-model .venv/bin/python jobs/fetch_model.py --out models/SmolLM2-135M-Instruct

step format-c check_c_format
step format-python check_python
step types-python check_types
step format-shell check_shell

if step build-tests build tests; then
    run_ctest ctest tests
else
    skip ctest "build-tests failed"
fi
run_pytest pytest-jobs tests/python
run_pytest pytest-analysis -c analysis/pyproject.toml --rootdir analysis analysis/tests

if step build-asan build asan; then
    run_ctest ctest-asan asan -L unit
    # the whole model takes minutes under the sanitizers; the small models of the other parity tests do not
    if [[ $full == yes ]]; then whole_model=(); else whole_model=(-E smollm2); fi
    run_ctest ctest-asan-parity asan -L parity "${whole_model[@]}"
else
    skip ctest-asan "build-asan failed"
fi
if [[ $full == no ]]; then
    skip ctest-asan-smollm2 "only with --full"
fi

step build-release build release
step build-no-mpi build no-mpi
step build-bare build bare
if step build-fuzz build fuzz; then run_fuzz_targets; else skip fuzz "build-fuzz failed"; fi

for flag in avx2 avx512bw; do # parity tests of an instruction set that the CPU lacks pass without having run it
    grep -qw "$flag" /proc/cpuinfo || skip "parity-$flag" "this CPU does not have it"
done
if ! command -v nvcc >/dev/null && [[ ! -x /usr/local/cuda/bin/nvcc ]]; then
    skip build-cuda "no nvcc: the kernels were compiled for the stand-in alone"
fi
if [[ ! -e /dev/nvidia0 ]]; then
    skip gpu "no GPU: the cuda back end ran on tests/cudasim alone; tests/gpu/run_all.sh is for a machine with one"
fi
finish
