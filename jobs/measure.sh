#!/usr/bin/env bash
# Measures what docs/PERFORMANCE.md shows and prints its tables as Markdown, each row with its command. Run it on a
# machine that does nothing else; ratios and shares are of one run, so compare no times of two runs.
set -eEuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
usage: jobs/measure.sh [--quick] [--model DIR] [--cola PROGRAM] [--out DIR] [--hf-command COMMAND] [PART...]

PART, all of them if none is named:
  products  products by batch size, and whole searches beside the floor; f32 and bf16
  compare   ratio to the Hugging Face loop on the same chains: ARC by generated letters (10 tokens), DART-Math (50
            tokens), ARC by loglik, 40 samples in flight; f32 and bf16. Needs jobs/setup.sh compare
  cost      time against samples (10, 40, 160) and simulations (50, 200, 800)
  reuse     layers left out with the default memory for states, a quarter of what that holds, and none
  master    evaluations/s through one master and its CPU time an evaluation, with 4 worker ranks that evaluate a computed
            landscape at once (docs/search.md, "Without a model"); without, and with --speculate 8
  workers   where adding workers stops helping, simulated; and the simulation beside real searches over 1 to 7 workers

  --quick        a few minutes in all, for a look: fewer samples, simulations and chains, one round
  --model DIR    [models/SmolLM2-135M-Instruct]
  --cola PROGRAM [build/release/cola]
  --hf-command C another Hugging Face loop than .venv/bin/cola-hf-loop
  --out DIR      task files, made if not there, and figures as JSON [runs/measure]

Needs build/release/cola and .venv (jobs/setup.sh). Takes some hours without --quick; most of it is the Hugging Face
loop and the searches of `cost`.
TEXT
}

quick=no model=models/SmolLM2-135M-Instruct cola=build/release/cola out=runs/measure hf=() parts=()
while (($#)); do
    case $1 in
        --quick) quick=yes ;;
        --model | --cola | --out | --hf-command)
            if (($# < 2)); then usage >&2; exit 2; fi
            case $1 in --model) model=$2 ;; --cola) cola=$2 ;; --out) out=$2 ;; *) hf=(--hf-command "$2") ;; esac
            shift
            ;;
        products | compare | cost | reuse | master | workers) parts+=("$1") ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
if ((${#parts[@]} == 0)); then parts=(products compare cost reuse master workers); fi

python=.venv/bin/python
die() { printf 'measure: %s\n' "$*" >&2; exit 1; }
say() { printf 'measure: %s\n' "$*" >&2; }
[[ -x $cola ]] || die "$cola is not there: cmake --preset release && cmake --build --preset release, or --cola PROGRAM"
[[ -x $python ]] || die "$python is not there: jobs/setup.sh"
[[ -f $model/config.json ]] || die "$model holds no model: jobs/fetch_model.py"
mkdir -p "$out"

# the sizes; what is meant to be published stands first
samples=40 simulations=10 rounds=3 chains=60 cost_samples=(10 40 160) cost_simulations=(50 200 800) fixed_samples=10
if [[ $quick == yes ]]; then
    samples=4 simulations=4 rounds=1 chains=4 cost_samples=(2 4) cost_simulations=(5 10) fixed_samples=2
fi

# tasks NAME TASK OPTION...: $out/NAME.h5 of the rows in jobs/data
tasks() {
    local name=$1 task=$2 log=$out/$1.log
    shift 2
    if [[ -e $out/$name.h5 ]]; then return; fi
    say "preparing $out/$name.h5"
    "$python" jobs/prepare.py --model "$model" --task "$task" --rows "jobs/data/$task.jsonl" --out "$out/$name.h5" \
        "$@" >"$log" 2>&1 || { cat "$log" >&2; die "jobs/prepare.py failed"; }
}

# bench NAME OPTION...: figures in $out/NAME.json; the command as people type it, into $command
command=""
bench() {
    local name=$1
    shift
    command="cola bench --model $model $*"
    say "$command"
    "$cola" bench --model "$model" "$@" --json >"$out/$name.json" || die "it failed: $command"
}
head_of() { "$python" jobs/cola_jobs/measure_rows.py head "$1"; }
row() { "$python" jobs/cola_jobs/measure_rows.py "$1" "$2" <"$out/$3.json"; }
commands=()
note() { commands+=("$1: \`$command\`"); } # under the table
end_table() {
    printf '\n'
    printf -- '- %s\n' "${commands[@]}"
    printf '\n'
    commands=()
}

describe_machine() {
    printf 'Measured %s on %s, %s cores, Linux %s; cola %s.\n\n' "$(date -u +%F)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
        "$(git rev-parse --short HEAD 2>/dev/null || echo 'of an unknown commit')"
}

measure_products() {
    local dtype
    tasks arc_loglik arc_easy --score loglik
    tasks arc_letters arc_easy --score generate
    tasks dart dart_math --score generate
    for dtype in f32 bf16; do
        printf '#### Products by batch size, %s\n\n' "$dtype"
        head_of products
        bench "products-$dtype" --tasks "$out/arc_loglik.h5" --dtype "$dtype" --samples "$samples" \
            --simulations "$simulations" --rounds "$rounds"
        row products "" "products-$dtype"
        note "$dtype"
        end_table
    done
    printf '#### Whole searches\n\n'
    head_of search
    for dtype in f32 bf16; do
        for task in arc_loglik arc_letters dart; do
            bench "search-$task-$dtype" --tasks "$out/$task.h5" --dtype "$dtype" --samples "$samples" \
                --simulations "$simulations" --rounds "$rounds"
            row search "$task, $dtype" "search-$task-$dtype"
            note "$task, $dtype"
        done
    done
    end_table
}

measure_compare() {
    local dtype task width
    tasks arc_loglik arc_easy --score loglik
    tasks arc_letters arc_easy --score generate
    tasks dart dart_math --score generate
    printf '#### Beside the Hugging Face loop\n\n'
    head_of compare
    for dtype in f32 bf16; do
        for task in arc_letters dart arc_loglik; do
            for width in 1 4; do # chains of a sample out at once: decoding is bound by memory, more rows read it once
                if [[ $width != 1 && $task == arc_loglik ]]; then continue; fi
                bench "compare-$task-$dtype-w$width" --tasks "$out/$task.h5" --dtype "$dtype" --samples "$samples" \
                    --in-flight $((samples * width)) --speculate "$width" --simulations "$simulations" --rounds "$rounds" \
                    --compare HF --compare-chains "$chains" "${hf[@]}"
                row compare "$task, $dtype, --speculate $width" "compare-$task-$dtype-w$width"
                note "$task, $dtype, --speculate $width"
            done
        done
    done
    end_table
}

measure_cost() {
    local n
    tasks arc_loglik arc_easy --score loglik
    printf '#### Time against samples and simulations\n\n'
    head_of cost
    for n in "${cost_samples[@]}"; do
        bench "cost-samples-$n" --tasks "$out/arc_loglik.h5" --dtype bf16 --samples "$n" --simulations "${cost_simulations[0]}" --rounds 1
        row cost "" "cost-samples-$n"
        note "$n samples"
    done
    for n in "${cost_simulations[@]}"; do
        bench "cost-simulations-$n" --tasks "$out/arc_loglik.h5" --dtype bf16 --samples "$fixed_samples" --simulations "$n" --rounds 1
        row cost "" "cost-simulations-$n"
        note "$n simulations"
    done
    end_table
}

measure_reuse() {
    local quarter how=(--samples "$samples" --simulations "$simulations" --rounds "$rounds")
    tasks arc_loglik arc_easy --score loglik
    printf '#### Layers left out\n\n'
    head_of reuse
    bench reuse-default --tasks "$out/arc_loglik.h5" "${how[@]}"
    row reuse "default" reuse-default
    note default
    quarter=$("$python" jobs/cola_jobs/measure_rows.py quarter <"$out/reuse-default.json")
    bench reuse-quarter --tasks "$out/arc_loglik.h5" "${how[@]}" --state-memory "$quarter"
    row reuse "$quarter MiB, a quarter of that" reuse-quarter
    note quarter
    bench reuse-none --tasks "$out/arc_loglik.h5" "${how[@]}" --state-memory 0
    row reuse none reuse-none
    note none
    end_table
}

measure_master() {
    local width events run=$out/master.h5 simulations=1000
    if [[ $quick == yes ]]; then simulations=50; fi
    tasks arc_loglik arc_easy --score loglik
    printf '#### The master\n\n'
    head_of master
    for width in 1 8; do
        events=$out/master-w$width.json
        rm -f "$run" "$run.journal" "$events"
        local options=("$out/arc_loglik.h5" --evaluator synthetic --simulations "$simulations" --speculate "$width"
            --out "$run" --events "$events" --quiet)
        command="mpirun -n 5 --oversubscribe --bind-to none cola search ${options[*]}"
        say "$command"
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n 5 --oversubscribe --bind-to none \
            "$cola" search "${options[@]}" >&2 || die "it failed: $command"
        row master "4 workers, --speculate $width" "master-w$width"
        note "--speculate $width"
    done
    rm -f "$run" "$run.journal"
    end_table
}

# without the model; the workers sleep, so cores are not what they wait for
measure_workers() {
    local build simulate numbers wide how
    build=$(dirname "$cola")
    simulate=(--samples 570 --simulations 200) numbers="1,8,64,128,256,512,1024,2048,4096" wide="1,4,8,16,32,64,128"
    if [[ $quick == yes ]]; then simulate=(--samples 60 --simulations 50) numbers="1,8,64,512,4096" wide="1,8,64"; fi
    [[ -x $build/tests/mpi/make_tasks ]] || die "$build/tests/mpi/make_tasks is not there: build with COLA_TESTS=ON"
    printf '#### Adding workers, simulated: useful evaluations/s (efficiency)\n\n'
    for how in "--workers $numbers" "--parallel 32 --latency-ms 640 --workers $wide"; do
        command="$build/simulate_workers ${simulate[*]} $how"
        say "$command"
        # shellcheck disable=SC2086 # words
        "$build/simulate_workers" "${simulate[@]}" $how || die "it failed: $command"
        note "W: --speculate"
        end_table
    done
    printf '#### The simulation beside real searches\n\n'
    command="tests/mpi/scale.sh $cola $build/tests/mpi/make_tasks $build/simulate_workers"
    if [[ $quick == no ]]; then command+=" long"; fi
    say "$command"
    # shellcheck disable=SC2086 # words
    bash $command || die "it failed: $command"
    note "sleeping workers of 15 ms"
    end_table
}

describe_machine
for part in "${parts[@]}"; do "measure_$part"; done
