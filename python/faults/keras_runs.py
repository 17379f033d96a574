"""Runs the parts that need Keras, in a separate process. Writes the results to a file as JSON.

peer    Keras' own `BackupAndRestore`, crashed by the same sweeps as rekindle's store
fit     a fit() under rekindle's callback, in which each call fails once
kills   a fit() that saves at every batch, killed at random times and run again
preempted  a fit() that is asked to end at random times and run again
states  a fit() that resumes from forged states
forged  scripts that resume from forged folders
leaves  scripts that resume from folders in which each value was forged
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import preload

ARGUMENTS = argparse.ArgumentParser(description=__doc__)
ARGUMENTS.add_argument("parts", nargs="+", help="as PART=COUNT")
ARGUMENTS.add_argument("--into", required=True)
ARGUMENTS.add_argument("--seed", type=int, default=0)


def main() -> None:
    arguments = ARGUMENTS.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "torch")
    preload.restart_under_it()
    warnings.simplefilter("ignore")
    # This process forks children, so it must not start any other thread.
    os.environ["OMP_NUM_THREADS"] = "1"
    if os.environ["KERAS_BACKEND"] == "torch":
        import torch

        torch.set_num_threads(1)
    found = {}
    for part in arguments.parts:
        name, count = part.split("=")
        found[name] = _run(name, int(count), arguments.seed)
    Path(arguments.into).write_text(json.dumps(found))


def _run(part: str, count: int, seed: int) -> Any:
    # Import only now: Keras must find the environment that main() has set.
    from faults import fits, forged, kills, leaves, peer, preempted, states

    if part == "peer":
        return peer.run(preload.Faults())
    if part == "fit":
        return fits.run(preload.Faults(), count)
    parts = {
        "forged": forged,
        "leaves": leaves,
        "kills": kills,
        "preempted": preempted,
        "states": states,
    }
    return parts[part].run(count, seed)


if __name__ == "__main__":
    main()
