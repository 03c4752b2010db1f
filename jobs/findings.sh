#!/usr/bin/env bash
# The whole way from questions to findings on one machine: ARC-Easy and ARC-Challenge, the three search spaces, the
# control, the same questions in other words, found chains on other samples; then tables, figures, text and report.
# What is finished is not made again, and what was interrupted goes on: the same command is the repair.
set -eEuo pipefail # E: the trap below holds inside functions too
cd "$(dirname "${BASH_SOURCE[0]}")/.."

easy=60 challenge=40 simulations=100 dtype=bf16 top=20 all_controls=no
model=models/SmolLM2-135M-Instruct cola=build/release/cola out=
ranks=$(($(nproc) + 1))

usage() {
    cat <<TEXT
usage: jobs/findings.sh [--quick] [--out DIR] [option...]

Searches chains for $easy questions of ARC-Easy and $challenge of ARC-Challenge, $simulations simulations each, by log-likelihood
of the choices: all edits, skips only, repeats only, and all edits for a wrong answer as control. Then runs what was
found on every question, and on the same questions in other words (the template 'second'), and writes

  DIR/findings/findings.md   what may be concluded, tables/, figures/
  DIR/report.html            the same with every tree, for a browser

Interrupted, the same command goes on; what is finished is not made again. Some 20 minutes on two cores.

  --quick              5 and 3 questions, 6 simulations: two minutes, to see that all of it works
  --out DIR            [runs/findings; with --quick runs/findings-quick]
  --easy N             questions of ARC-Easy [$easy]; 0: none
  --challenge N        questions of ARC-Challenge [$challenge]; 0: none
  --simulations N      a question [$simulations]
  --dtype f32 | bf16   arithmetic [$dtype]
  --all-controls       a control for skips only and for repeats only, too
  --top K              besides the found chains, K of each run for the menu [$top]
  --ranks N            MPI ranks, of which one is the master [$ranks: a worker for each core]; 1: one process
  --model DIR          [$model]
  --cola PROGRAM       [$cola]

Needs $cola, .venv and the model: jobs/setup.sh; cmake --preset release && cmake --build --preset release;
jobs/fetch_model.py.
TEXT
}

while (($#)); do
    case $1 in
        --quick) easy=5 challenge=3 simulations=6 top=3 out=${out:-runs/findings-quick} ;;
        --all-controls) all_controls=yes ;;
        --out | --easy | --challenge | --simulations | --dtype | --top | --ranks | --model | --cola)
            if (($# < 2)); then usage >&2; exit 2; fi
            name=${1#--}
            printf -v "$name" '%s' "$2"
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
out=${out:-runs/findings}

die() { printf 'findings: %s\n' "$*" >&2; exit 1; }
for name in easy challenge simulations top ranks; do
    [[ ${!name} =~ ^[0-9]+$ ]] || die "--$name ${!name}: not a number"
done
[[ $dtype == f32 || $dtype == bf16 ]] || die "--dtype $dtype: not f32 or bf16"
((easy + challenge && simulations && ranks)) || die "nothing to do: questions, simulations and ranks must be 1 or more"
[[ -x $cola ]] || die "$cola is not there: cmake --preset release && cmake --build --preset release, or --cola PROGRAM"
[[ -x .venv/bin/cola-findings ]] || die ".venv is not there: jobs/setup.sh"
[[ -f $model/config.json ]] || die "$model holds no model: .venv/bin/python jobs/fetch_model.py --out $model"
mkdir -p "$out/done"

# One directory holds the parts of one setting: parts of two would make tables of neither.
settings="easy=$easy challenge=$challenge simulations=$simulations dtype=$dtype top=$top model=$model"
if [[ -f $out/settings ]]; then
    [[ $(<"$out/settings") == "$settings" ]] ||
        die "$out was made with other settings ($(<"$out/settings")); now $settings: give another --out, or remove it"
fi
printf '%s\n' "$settings" >"$out/settings"

benchmarks=() spaces=(both skip repeat)
if ((easy)); then benchmarks+=(arc_easy); fi
if ((challenge)); then benchmarks+=(arc_challenge); fi
controlled=(both)
if [[ $all_controls == yes ]]; then controlled=("${spaces[@]}"); fi
n_parts=$((${#benchmarks[@]} * (2 + ${#spaces[@]} + ${#controlled[@]} + 3) + 2)) part_number=0 part_name=

failed() {
    if (($1 == 75 || $1 > 128)); then
        printf '\nfindings: stopped; the same command goes on\n' >&2
    else
        printf '\nfindings: part %d/%d, %s, failed, see above; the same command tries it again\n' "$part_number" "$n_parts" \
            "$part_name" >&2
    fi
}
trap 'failed $?' ERR
trap 'failed 130; exit 130' INT TERM

# part NAME COMMAND...: once; DIR/done/NAME says that it was
part() {
    part_name=$1
    local mark=$out/done/$1
    shift
    part_number=$((part_number + 1))
    if [[ -e $mark ]]; then
        printf '== %d/%d  %s: done before\n' "$part_number" "$n_parts" "$part_name"
        return
    fi
    printf '\n== %d/%d  %s   (%d s since the start)\n' "$part_number" "$n_parts" "$part_name" "$SECONDS"
    "$@"
    : >"$mark"
}

# mpirun refuses root unless told; the master sleeps most of the time, so it needs no core
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
launch() {
    if ((ranks > 1)); then mpirun -n "$ranks" --oversubscribe --bind-to none "$@"; else "$@"; fi
}

# going OUT: --resume where a session was there before
going() { if [[ -e $1 || -e $1.journal ]]; then echo --resume; fi; }

prepare() { # prepare BENCHMARK TEMPLATE ROWS OUT
    .venv/bin/python jobs/prepare.py --model "$model" --task "$1" --rows "jobs/data/$1.jsonl" --score loglik \
        --template "$2" --limit "$3" --out "$4"
}

search() { # search TASKS OUT OPTION...
    # shellcheck disable=SC2046 # one word or none
    launch "$cola" search "$1" --model "$model" --dtype "$dtype" --preset cola --simulations "$simulations" --out "$2" \
        $(going "$2") "${@:3}"
}

cross() { # cross TASKS CHAINS OUT
    # shellcheck disable=SC2046 # one word or none
    launch "$cola" cross --tasks "$1" --model "$model" --dtype "$dtype" --chains "$2" --out "$3" $(going "$3")
}

runs=() controls=() tables=() asked=()
for benchmark in "${benchmarks[@]}"; do
    at=$out/$benchmark
    if [[ $benchmark == arc_easy ]]; then n=$easy; else n=$challenge; fi
    part "$benchmark-tasks" prepare "$benchmark" plain "$n" "$at.h5"
    part "$benchmark-tasks-second" prepare "$benchmark" second "$n" "$at-second.h5"
    found=()
    for space in "${spaces[@]}"; do
        memo=()
        if [[ $space != both ]]; then memo=(--memo "$at-both.h5"); fi
        part "$benchmark-$space" search "$at.h5" "$at-$space.h5" --space "$space" "${memo[@]}"
        runs+=("$at-$space.h5") found+=("$at-$space.h5")
    done
    for space in "${controlled[@]}"; do
        part "$benchmark-$space-control" search "$at.h5" "$at-$space-control.h5" --space "$space" --control wrong-answer \
            --memo "$at-$space.h5"
        controls+=("$at-$space-control.h5") found+=("$at-$space-control.h5")
    done
    part "$benchmark-chains" .venv/bin/cola-chains "${found[@]}" --top "$top" -o "$at-chains.jsonl" --force
    part "$benchmark-cross" cross "$at.h5" "$at-chains.jsonl" "$at-x.h5"
    part "$benchmark-cross-second" cross "$at-second.h5" "$at-chains.jsonl" "$at-x-second.h5"
    tables+=("$at-x.h5") asked+=("$at-x-second.h5")
done

files=("${runs[@]}" --control "${controls[@]}" --cross "${tables[@]}" --robustness "${asked[@]}"
    --config "$model/config.json")
rm -f "$out/done"/{findings,report} # cheap, and of the program that is there now
part findings .venv/bin/cola-findings "${files[@]}" --out "$out/findings"
part report .venv/bin/cola-report "${files[@]}" -o "$out/report.html"

cat <<TEXT

== done after $SECONDS s. What is where:
   $out/*.h5                    tasks, runs, controls and tables of cola cross
   $out/findings/findings.md    what may be concluded, with tables/ and figures/
   $out/report.html             the report: open file://$(realpath "$out")/report.html in a browser
TEXT
