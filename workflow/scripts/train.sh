#!/usr/bin/env bash
# Run a training with a log, and let it save before its scheduler stops it: train.sh LOG COMMAND...
#
# SIGTERM (cancelled, preempted) and SIGUSR1 (the time limit is near) reach every process of a job. The training saves
# and ends with status 75. This shell and tee must run until then. If Snakemake has been killed and its pipe is closed,
# tee still writes the log. The log is appended to: the training of a killed Snakemake may still write to it while the
# next one waits for its end.
set -u
log=$1
shift
if ! command -v "$1" >/dev/null; then
    echo "error: $1: no such command: a training on several nodes needs SLURM (snakemake --profile slurm)" >&2
    exit 1
fi
job=${SLURM_JOB_ID-}
trap '' USR1    # ignored as in torchrun; the training itself handles it
trap 'job=' TERM # the job was cancelled and must not requeue itself
: >"$log"
"$@" 2>&1 | (
    trap '' TERM INT PIPE
    exec tee -a "$log"
)
status=${PIPESTATUS[0]} # the training's status alone: a log that cannot be written is no failure
if [ "$status" = 75 ] && [ -n "$job" ] && scontrol requeue "$job"; then
    sleep 600 # until the scheduler ends this job; for Snakemake the job is then pending again
fi
exit "$status"
