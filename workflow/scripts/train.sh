#!/usr/bin/env bash
# Run a training and keep its lines, so that it can save when its scheduler stops it: train.sh LOG COMMAND...
#
# SIGTERM (cancelled, preempted) and SIGUSR1 (the time limit is near) reach every process of a job. The training saves
# and ends with status 75; this shell and tee have to be there until then. Where Snakemake has been killed, and nobody
# reads tee's output any more, tee goes on with the log. The log is appended to: a training whose Snakemake was killed may
# still write to it while the next one waits for its end.
set -u
log=$1
shift
if ! command -v "$1" >/dev/null; then
    echo "error: $1: no such command: a training on several nodes needs SLURM (snakemake --profile slurm)" >&2
    exit 1
fi
job=${SLURM_JOB_ID-}
trap '' USR1    # as for torchrun; the training itself answers it
trap 'job=' TERM # somebody stops this job: it must not come back by itself
: >"$log"
"$@" 2>&1 | (
    trap '' TERM INT PIPE
    exec tee -a "$log"
)
status=${PIPESTATUS[0]} # the training's own: a log that cannot be written loses no model
if [ "$status" = 75 ] && [ -n "$job" ] && scontrol requeue "$job"; then
    sleep 600 # until the scheduler ends this job; Snakemake sees it wait for its next start
fi
exit "$status"
