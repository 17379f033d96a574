"""The parts that need Keras, in a process of their own: results go to a file as JSON.

peer    Keras' own `BackupAndRestore`, crashed by the same sweeps as rekindle's store
fit     a fit() under rekindle's callback, with each of its calls failing
kills   a fit() that saves at every batch, killed at random times and run again
states  a fit() that resumes from states that somebody made up
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import preload

ARGUMENTS = argparse.ArgumentParser(description=__doc__)
ARGUMENTS.add_argument("part", choices=("peer", "fit", "kills", "states"))
ARGUMENTS.add_argument("--into", required=True)
ARGUMENTS.add_argument("--count", type=int, default=0)
ARGUMENTS.add_argument("--seed", type=int, default=0)


def main() -> None:
    arguments = ARGUMENTS.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    preload.restart_under_it()
    warnings.simplefilter("ignore")
    # Children are forked from this process: it must not have a thread of its own.
    os.environ["OMP_NUM_THREADS"] = "1"
    if os.environ["KERAS_BACKEND"] == "torch":
        import torch

        torch.set_num_threads(1)
    if arguments.part == "peer":
        from faults import peer

        found = peer.run(preload.Faults())
    elif arguments.part == "fit":
        from faults import fits

        found = fits.run(preload.Faults(), arguments.count)
    elif arguments.part == "states":
        from faults import states

        found = states.run(arguments.count, arguments.seed)
    else:
        from faults import kills

        found = kills.run(arguments.count, arguments.seed)
    Path(arguments.into).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
