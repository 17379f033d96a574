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
import importlib
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
    # Keras 2 has no backends, and TensorFlow imports Keras 3, too.
    if os.environ.setdefault("KERAS_BACKEND", "torch") == "tf_keras":
        os.environ |= {"KERAS_BACKEND": "tensorflow", "FAULTS_FRONT_END": "tf_keras"}
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
    # Import only now, and only this part: Keras must find the environment that main() has set.
    module: Any = importlib.import_module(f"faults.{'fits' if part == 'fit' else part}")
    if part == "peer":
        return module.run(preload.Faults())
    return module.run(preload.Faults(), count) if part == "fit" else module.run(count, seed)


if __name__ == "__main__":
    main()
