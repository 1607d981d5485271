#!/usr/bin/env bash
# Run a training and keep its lines, so that it can save when its scheduler stops it: train.sh LOG COMMAND...
#
# SIGTERM (cancelled, preempted) and SIGUSR1 (the time limit is near) reach every process of a job. The training saves
# and ends with status 75; this shell and tee have to be there until then.
set -uo pipefail
log=$1
shift
if ! command -v "$1" >/dev/null; then
    echo "error: $1: no such command: a training on several nodes needs SLURM (snakemake --profile slurm)" >&2
    exit 1
fi
job=${SLURM_JOB_ID-}
trap '' USR1    # as for torchrun; the training itself answers it
trap 'job=' TERM # somebody stops this job: it must not come back by itself
"$@" 2>&1 | (
    trap '' TERM INT
    exec tee "$log"
)
status=$?
if [ "$status" = 75 ] && [ -n "$job" ] && scontrol requeue "$job"; then
    sleep 600 # until the scheduler ends this job; Snakemake sees it wait for its next start
fi
exit "$status"
