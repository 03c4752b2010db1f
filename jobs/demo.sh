#!/usr/bin/env bash
# The main job in one command, from a fresh clone: set up, build, fetch a model, prepare questions, search the
# chains of layers of every question over MPI, search once more for a wrong answer as control, print findings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

simulations=${COLA_DEMO_SIMULATIONS:-28}
rows=${COLA_DEMO_ROWS:-40}
ranks=${COLA_DEMO_RANKS:-3}
out=runs/demo
model=models/SmolLM2-135M-Instruct
resume=no

usage() {
    cat <<TEXT
usage: jobs/demo.sh [--resume]

Sets up this machine (Debian 12), builds build/release/cola, fetches SmolLM2-135M-Instruct into models/, prepares
ARC-Easy questions, runs mpirun -n $ranks cola search twice (for the right answer; then for a wrong one, as control)
and prints findings. What is already there is not made again, except $out: it is removed and searched anew.

  --resume   continue the interrupted searches of $out instead

Variables: COLA_DEMO_ROWS questions [$rows], COLA_DEMO_SIMULATIONS a question [$simulations], COLA_DEMO_RANKS: a
master and its workers [$ranks].
TEXT
}

while (($#)); do
    case $1 in
        --resume) resume=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

n_steps=7
step_number=0
step() {
    step_number=$((step_number + 1))
    printf '\n== %d/%d  %s   (%d s since the start)\n' "$step_number" "$n_steps" "$*" "$SECONDS"
}
failed() {
    if (($1 == 75)); then
        printf '\ndemo: stopped; go on with jobs/demo.sh --resume\n' >&2
    else
        printf '\ndemo: step %d/%d failed, see above\n' "$step_number" "$n_steps" >&2
    fi
}
trap 'failed $?' ERR

# mpirun refuses root unless told; two cores carry three ranks (the master sleeps most of the time)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpi() { mpirun -n "$ranks" --oversubscribe --bind-to none "$@"; }

# the build's output is long: shown only if it fails
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; return 1; }
}

step "setting up: Debian packages, .venv"
jobs/setup.sh demo

step "building build/release/cola"
mkdir -p build
quietly build/demo-configure.log cmake --preset release
quietly build/demo-build.log cmake --build --preset release
cola=build/release/cola

step "model: $model"
.venv/bin/python jobs/fetch_model.py --out "$model"

step "tasks: $rows questions of ARC-Easy, asked by log-likelihood"
mkdir -p "$out"
if [[ $resume == no ]]; then
    rm -f "$out"/{run,control}.h5 "$out"/{run,control}.h5.journal "$out"/tasks.h5 "$out"/findings.*
fi
if [[ ! -f $out/tasks.h5 ]]; then
    .venv/bin/python jobs/prepare.py --model "$model" --task arc_easy --rows jobs/data/arc_easy.jsonl \
        --score loglik --limit "$rows" --out "$out/tasks.h5"
fi

search_options=(--model "$model" --preset cola --simulations "$simulations")
if [[ $resume == yes ]]; then search_options+=(--resume); fi

step "search: $simulations simulations a question, for the right answer"
mpi "$cola" search "$out/tasks.h5" "${search_options[@]}" --out "$out/run.h5"

step "control: the same search, for a wrong answer drawn at random"
mpi "$cola" search "$out/tasks.h5" "${search_options[@]}" --control wrong-answer --memo "$out/run.h5" \
    --out "$out/control.h5"

step "findings"
.venv/bin/cola-findings "$out/run.h5" --control "$out/control.h5" --figure "$out/findings.png"

sample=$(env PYTHONPATH=jobs .venv/bin/python -m cola_jobs.example_sample "$out/run.h5")
printf '\n-- one question: %s show %s --sample %s\n\n' "$cola" "$out/run.h5" "$sample"
"$cola" show "$out/run.h5" --sample "$sample"

cat <<TEXT

== done after $SECONDS s. What is where:
   $out/run.h5, control.h5   every chain tried, with the scores of all choices (docs/format-run.md)
   $out/findings.png         the figure
   $out/tasks.h5             the questions as token ids (docs/format-tasks.md)
   $cola --help    the program; try: $cola show $out/run.h5
TEXT
