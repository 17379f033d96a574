#!/bin/bash
# A training under Slurm, submitted by `sbatch slurm.sh`. After a crash, rekindle's supervisor
# restarts it; at the time limit, this script; after preemption or the failure of a node, Slurm (--requeue).
#SBATCH --job-name=train
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=train-%j.log
#SBATCH --signal=B:USR1@120

# The R package contains the Python package. If that is not installed with pip as well, this lets Python find it:
# export PYTHONPATH="$(Rscript -e 'cat(system.file("python", package = "rekindle"))')${PYTHONPATH:+:$PYTHONPATH}"

warned=
trap 'warned=yes; kill -s USR1 "$supervisor"' USR1
trap 'kill -s TERM "$supervisor"' TERM

# In the background, because bash handles signals only between two commands.
python -m rekindle run -- Rscript train.R &
supervisor=$!

# A signal ends `wait` before the supervisor has ended.
wait "$supervisor"
status=$?
while kill -0 "$supervisor" 2>/dev/null; do
  wait "$supervisor"
  status=$?
done

# Slurm warned two minutes before the limit. The training has saved, and the supervisor has ended with 75, or with another
# code if the warning came before training began. Put the job back into the queue, to resume.
if [ -n "$warned" ] && [ "$status" -ne 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
