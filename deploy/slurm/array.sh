#!/usr/bin/env bash
# Shards of an experiment as a Slurm array, in a folder that all nodes share.
#
#   mkdir -p logs
#   job=$(sbatch --parsable deploy/slurm/array.sh)
#   sbatch --dependency=afterok:"$job" --wrap 'mailproof merge -e nightly'
#
# One task again, by itself (an array of one does not tell of how many it is one):
#
#   sbatch --array=3 --export=ALL,MAILPROOF_SHARD=3/8 deploy/slurm/array.sh
#
#SBATCH --job-name=mailproof
#SBATCH --array=1-8
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --output=logs/mailproof-%A_%a.log
set -euo pipefail

export MAILPROOF_EXPERIMENT=${MAILPROOF_EXPERIMENT:-nightly}
export MAILPROOF_SHARD=${MAILPROOF_SHARD:-auto}
# Tasks that start about midnight would name two days, and not fit together: say
# MAILPROOF_DATE=2026-03-02 where they may.
mailproof=${MAILPROOF:-mailproof}

arguments=(run)
# A task that was requeued goes on where it stopped.
if [ "$MAILPROOF_SHARD" = auto ]; then
    shard=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN + 1))-of-$SLURM_ARRAY_TASK_COUNT
else
    shard=${MAILPROOF_SHARD/\//-of-}
fi
if [ -s "reports/$MAILPROOF_EXPERIMENT.$shard/journal.jsonl" ]; then
    arguments+=(--resume)
fi

# In the place of this shell, which Slurm sends SIGTERM two minutes before time is up: cases
# in flight finish then.
exec "$mailproof" "${arguments[@]}" "$@"
