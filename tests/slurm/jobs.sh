#!/usr/bin/env bash
# jobs.sh COLA MAKE_TASKS - sweeps and job scripts under a real, private Slurm (local.sh):
#   (d) a time limit: Slurm itself sends USR1, the job saves, is requeued and goes on (runs beside the others)
#   (a) a sweep of four shards, USR1 in the middle, requeue, merge: the digest is the direct run's
#   (b) a job of three ranks, cancelled in the middle: what was committed is known to the next one, which srun
#       starts instead of mpirun; the same digest
#   (c) jobs that die at start: status shows the log's last lines, submit submits only them, cancel only ours
# Skipped (77) where a private Slurm cannot run.
set -euo pipefail
if [[ $# -lt 2 ]]; then
    echo "usage: $0 COLA MAKE_TASKS" >&2
    exit 2
fi
cola=$(realpath "$1") make_tasks=$(realpath "$2")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")") root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
model=$root/tests/data/models/llama_gqa_tied vocabulary=320
work=$(mktemp -d /tmp/cola-slurm-XXXXXX) # short, whatever TMPDIR is
trap 'bash "$here/local.sh" stop "$work/s" || true; rm -rf "$work"' EXIT

status=0
bash "$here/local.sh" start "$work/s" || status=$?
if [[ $status != 0 ]]; then exit "$status"; fi
# shellcheck source=/dev/null
. "$work/s/env.sh"
unset COLA COLA_LAUNCH COLA_LAUNCH_OPTIONS COLA_SHARDS COLA_SETUP COLA_MEMO COLA_MAX_RESTARTS

die() {
    echo "FAILED: $*" >&2
    tail -n 4 "$work"/*.log "$work"/sweep/logs/*.log >&2 2>/dev/null || true
    exit 1
}

within() { # within SECONDS COMMAND...: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || die "not within its time: $*"
        sleep 0.2
    done
}

size() { stat -c %s "$1" 2>/dev/null || echo 0; }
grown() { (($(size "$1") > 30000)); } # a journal with some hundred evaluations
said() { grep -q -- "$1" "$2" 2>/dev/null; } # said WORDS LOG
ended() { [[ -z $(squeue -h -j "$1" -o %i 2>/dev/null) ]]; }

sweep() { python3 "$root/jobs/sweep.py" "$1" "$work/sweep.toml" "${@:2}"; }

n_samples=700 options=(--simulations 80 --seed 4)
mkdir -p "$work/sweep"/{good,broken}/random
tasks=$work/sweep/good/random/tasks.h5
"$make_tasks" "$tasks" loglik $n_samples $vocabulary 3
cp "$tasks" "$work/sweep/broken/random/tasks.h5"

# --- (d) begins: more work than a minute has ---------------------------------------------------------------------
# Slurm looks at time limits every 30 s, and sends the signal up to 30 s early: here within 5 to 35 s.
export COLA=$cola
"$make_tasks" "$work/many.h5" loglik 60000 $vocabulary 3
limited=$(sbatch --parsable --time=1 --mem=100 --signal=B:USR1@25 --cpus-per-task=1 --output="$work/limit.log" \
    "$root/slurm/search.sbatch" "$work/many.h5" "$model" "$work/many-run.h5" --simulations 20 --threads 1)

"$cola" search "$tasks" --model "$model" --out "$work/direct.h5" --quiet --threads 2 "${options[@]}"
want=$("$cola" show "$work/direct.h5" --digest)
echo "direct   $want"

# --- (a) and (c): a sweep, of whose models one is not there ------------------------------------------------------
cat >"$work/sweep.toml" <<TOML
directory = "sweep"
cola = "$cola"
[search]
simulations = 80
seed = 4
[models.good]
path = "$model"
[models.broken]
path = "$work/no-such-model"
[benchmarks.random]
rows = ["none"]
[presets.cola]
[slurm]
shards = 4
threads = 1
time = 5
stop_before = 60
mem = 100
TOML
# the tasks lie there already; the model that is not there must not be noticed before its jobs run
sweep submit good >"$work/submit.log" 2>&1 || { cat "$work/submit.log" >&2; die "sweep submit"; }
array=$(sed -n 's/.*job \([0-9]*\), shards 0-3 of 4/\1/p' "$work/submit.log")
[[ -n $array ]] || die "no array: $(cat "$work/submit.log")"
for i in 0 1 2 3; do within 30 grown "$work/sweep/good/random/cola-both-$i-of-4.h5.journal"; done
scancel -s USR1 -b "$array"
mkdir "$work/no-such-model" # there, but empty: submit refuses one that is not there
sweep submit broken >"$work/broken.log" 2>&1 || die "sweep submit broken: $(cat "$work/broken.log")"
for i in 0 1 2 3; do
    log=$work/sweep/logs/good.random.cola-both.search-${array}_$i.log
    within 60 said "restart 1: " "$log"
    said "requeueing ${array}_$i" "$log" || die "$log: not requeued under its own id"
done
echo "requeued all four shards of $array"
# --- (d) ends, while the shards wait to start again
within 60 said "restart 1: " "$work/limit.log"
within 20 said "resuming: [1-9]" "$work/limit.log"
said "requeueing $limited (restart 1)" "$work/limit.log" || die "the job at its time limit"
scancel "$limited"
echo "requeued at the time limit: $(grep -o "resuming: .*" "$work/limit.log")"

within 60 test -e "$work/sweep/good/random/cola-both.h5"
within 10 said "has $want" "$(compgen -G "$work/sweep/logs/good.random.cola-both.merge-*.log")"
for i in 0 1 2 3; do
    said "resuming: [1-9]" "$work/sweep/logs/good.random.cola-both.search-${array}_$i.log" || die "shard $i: nothing was known"
done
got=$(sweep collect good)
[[ ${got%% *} == "$want" ]] || die "collect: $got, direct $want"
echo "same     a sweep of four shards, stopped, requeued and merged: ${got%% *}"

# --- (c) -----------------------------------------------------------------------------------------------------------
status=0
sweep status >"$work/status.log" 2>&1 || status=$?
cat "$work/status.log"
[[ $status == 1 ]] || die "sweep status: exit status $status instead of 1"
for words in "good/random/cola-both  *$n_samples/$n_samples .* 4 done, merged" "broken/random/cola-both .* 4 dead" \
    "broken/random/cola-both: shard 0 of 4 is dead: job" "and 3 shards more that end alike" "no-such-model" \
    "failed with exit status 1: not requeued"; do
    said "$words" "$work/status.log" || die "sweep status does not say '$words'"
done
within 10 ended "$(sed -n 's/.*broken.*job \([0-9]*\), the merge/\1/p' "$work/broken.log")" # by its dependency
rmdir "$work/no-such-model"
ln -s "$model" "$work/no-such-model"
sweep submit >"$work/again.log" 2>&1 || die "sweep submit: $(cat "$work/again.log")"
said "^2 jobs submitted, 0 failures" "$work/again.log" || die "sweep submit: $(cat "$work/again.log")"
other=$(sbatch --parsable --hold --mem=100 --output=/dev/null --wrap true)
sweep cancel >"$work/cancel.log" 2>&1 || die "sweep cancel: $(cat "$work/cancel.log")"
said "^5 jobs cancelled" "$work/cancel.log" || die "sweep cancel: $(cat "$work/cancel.log")"
[[ -n $(squeue -h -j "$other") ]] || die "cancel ended a job that is not the sweep's"
scancel "$other"
echo "reported jobs that died at start; only they were submitted again, only they cancelled"

# --- (b) -----------------------------------------------------------------------------------------------------------
three() { # three: submits a search by three ranks
    sbatch --parsable --ntasks=2 --cpus-per-task=1 --mem=100 --time=5 --output="$work/ranks-%j.log" \
        "$root/slurm/search.sbatch" "$tasks" "$model" "$work/ranks.h5" "${options[@]}" --threads 1
}
job=$(three)
within 30 grown "$work/ranks.h5.journal"
sleep 1
scancel "$job"
within 20 ended "$job"
[[ -e $work/ranks.h5 ]] && "$cola" show "$work/ranks.h5" | grep -q "complete.*yes" && die "it was not in the middle"
# the second by the other launcher, where this Slurm has PMIx
launch=mpirun
if srun --mpi=list 2>&1 | grep -qw pmix; then launch=srun; fi
job=$(COLA_LAUNCH=$launch three)
within 60 said "cola: wrote" "$work/ranks-$job.log"
said "resuming: [1-9]" "$work/ranks-$job.log" || die "nothing was known after scancel"
got=$("$cola" show "$work/ranks.h5" --digest)
[[ $got == "$want" ]] || die "after scancel: $got, direct $want"
said "2 workers by $launch" "$work/ranks-$job.log" || die "the launcher is not $launch"
echo "same     three ranks by $launch after scancel: $(grep -o "resuming: .*" "$work/ranks-$job.log")"

echo "passed   in $SECONDS s"
