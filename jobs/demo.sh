#!/usr/bin/env bash
# The main job in one command, from a fresh clone: set up, build, fetch a model, prepare questions, search the
# chains of layers of every question over MPI, search once more for a wrong answer as control, print findings,
# make the report.
set -eEuo pipefail # E: the trap below holds inside functions too
cd "$(dirname "${BASH_SOURCE[0]}")/.."

simulations=${COLA_DEMO_SIMULATIONS:-28}
rows=${COLA_DEMO_ROWS:-}
ranks=${COLA_DEMO_RANKS:-3}
benchmark=arc_easy
model=models/SmolLM2-135M-Instruct
resume=no

usage() {
    cat <<TEXT
usage: jobs/demo.sh [--benchmark NAME] [--resume]

Sets up this machine (Debian 12), builds build/release/cola, fetches SmolLM2-135M-Instruct into models/, prepares
questions of a benchmark, runs mpirun -n $ranks cola search twice (for the right answer; then for a wrong one, as
control), prints findings and makes the report. What is already there is not made again, except runs/demo (runs/demo-NAME for another
benchmark than arc_easy): it is removed and searched anew.

  --benchmark NAME   arc_easy | arc_challenge, by log-likelihood of the choices;
                     dart_math | gsm8k, by generated answers of a few tokens [arc_easy]
  --resume           continue the interrupted searches instead

Variables: COLA_DEMO_ROWS questions [40; of generated answers 12], COLA_DEMO_SIMULATIONS a question [$simulations],
COLA_DEMO_RANKS: a master and its workers [$ranks].
TEXT
}

while (($#)); do
    case $1 in
        --benchmark) benchmark=${2:-}; if (($# > 1)); then shift; fi ;;
        --benchmark=*) benchmark=${1#*=} ;;
        --resume) resume=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

stored="generated answer" how="by generated answers"
case $benchmark in
    arc_easy | arc_challenge)
        asked=(--score loglik) rows=${rows:-40}
        stored="scores of all choices" how="by log-likelihood"
        ;;
    # DART-Math's easiest level; the template asks for the answer at once, without steps on the way
    dart_math) asked=(--score generate --template short --level 1) rows=${rows:-12} ;;
    gsm8k) asked=(--score generate --template short) rows=${rows:-12} ;;
    *)
        printf "demo: no benchmark '%s', expected arc_easy, arc_challenge, dart_math or gsm8k\n" "$benchmark" >&2
        exit 2
        ;;
esac
if [[ $benchmark == arc_easy ]]; then out=runs/demo; else out=runs/demo-$benchmark; fi

n_steps=8
step_number=0
step() {
    step_number=$((step_number + 1))
    printf '\n== %d/%d  %s   (%d s since the start)\n' "$step_number" "$n_steps" "$*" "$SECONDS"
}
failed() {
    if (($1 == 75)); then
        printf '\ndemo: stopped; go on with jobs/demo.sh --benchmark %s --resume\n' "$benchmark" >&2
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

step "tasks: $rows questions of $benchmark, asked $how"
mkdir -p "$out"
if [[ $resume == no ]]; then
    rm -f "$out"/{run,control}.h5 "$out"/{run,control}.h5.journal "$out"/tasks.h5 "$out"/findings.* "$out"/report.html
    rm -rf "$out"/findings
fi
if [[ ! -f $out/tasks.h5 ]]; then
    .venv/bin/python jobs/prepare.py --model "$model" --task "$benchmark" --rows "jobs/data/$benchmark.jsonl" \
        "${asked[@]}" --limit "$rows" --out "$out/tasks.h5"
fi

search_options=(--model "$model" --preset cola --simulations "$simulations")
if [[ $resume == yes ]]; then search_options+=(--resume); fi

step "search: $simulations simulations a question, for the right answer"
mpi "$cola" search "$out/tasks.h5" "${search_options[@]}" --out "$out/run.h5"

step "control: the same search, for a wrong answer drawn at random"
mpi "$cola" search "$out/tasks.h5" "${search_options[@]}" --control wrong-answer --memo "$out/run.h5" \
    --out "$out/control.h5"

step "findings"
.venv/bin/cola-findings "$out/run.h5" --control "$out/control.h5" --figure "$out/findings.png" --out "$out/findings"

step "report"
.venv/bin/cola-report "$out/run.h5" --control "$out/control.h5" --out "$out/report.html"

sample=$(env PYTHONPATH=jobs .venv/bin/python -m cola_jobs.example_sample "$out/run.h5")
printf '\n-- one question: %s show %s --sample %s\n\n' "$cola" "$out/run.h5" "$sample"
"$cola" show "$out/run.h5" --sample "$sample"

cat <<TEXT

== done after $SECONDS s. What is where:
   $out/run.h5, control.h5   every chain tried, with its $stored (docs/format-run.md)
   $out/findings/            what may be concluded (findings.md), tables/, figures/ (docs/findings.md)
   $out/findings.png         one figure
   $out/tasks.h5             the questions as token ids (docs/format-tasks.md)
   $cola --help    the program; try: $cola show $out/run.h5

   The report with every figure and tree, for a browser (docs/report.md):
   file://$(realpath "$out/report.html")
TEXT
