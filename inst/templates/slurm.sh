#!/bin/bash
# A training under Slurm, submitted by `sbatch slurm.sh`. It is started again after a crash by the runner, at
# the time limit by this script, after preemption or the failure of a node by Slurm (--requeue).
#SBATCH --job-name=train
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=train-%j.log
#SBATCH --signal=B:USR1@120

# The R package contains the Python package. Where that is not installed with pip as well, this lets Python find it:
# export PYTHONPATH="$(Rscript -e 'cat(system.file("python", package = "rekindle"))')${PYTHONPATH:+:$PYTHONPATH}"

warned=
trap 'warned=yes; kill -s USR1 "$runner"' USR1
trap 'kill -s TERM "$runner"' TERM

# Behind this script, since bash looks at signals only between two commands.
python -m rekindle run -- Rscript train.R &
runner=$!

# A signal ends a wait before the runner has ended.
wait "$runner"
status=$?
while kill -0 "$runner" 2>/dev/null; do
  wait "$runner"
  status=$?
done

# Warned two minutes before the limit, the training has saved and the runner ended with 75; with another code when the
# warning came before training had begun. Back into the queue, and on from there.
if [ -n "$warned" ] && [ "$status" -ne 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
