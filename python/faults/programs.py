"""Kills a `fit()` of Synalinks before, in and after each call on its backup, and resumes it.

    .venv-synalinks/bin/python python/faults/programs.py [--every N]

A run saves after each batch, on its own thread, and cleans up at its end. After each kill, the run
must resume at the last save that it had acknowledged, or later, and end as the run never killed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "exact" / "programs"))

from faults import children, preload, tree

BOX = "backup"  # The backup folder, inside the folder that is watched.


def acknowledging(say: children.Say) -> Any:
    """A callback that says where training begins, and which batches are saved by then."""
    import synalinks

    class Acknowledging(synalinks.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.epoch = 0
            self.is_first = True

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            # The batch before this one is saved: rekindle has waited for it.
            say({"began" if self.is_first else "saved": [self.epoch, batch]})
            self.is_first = False

        def on_train_end(self, logs: Any = None) -> None:
            say({"over": True})

    return Acknowledging()


def fit(top: str, say: children.Say) -> None:
    """Trains, and says where it has resumed, what it has acknowledged, and how it ends."""
    # Here, so that the first process can start again under the library at once.
    import local_model
    import numpy as np
    import scenario
    import synalinks

    import rekindle.synalinks

    async def train() -> None:
        program, _ = await scenario.make_program({"source": "RandomFewShot"})
        x, y = (one[:6] for one in scenario.data())
        backup = rekindle.synalinks.BackupAndRestore(
            os.path.join(top, BOX), save_freq=1, background=False, restore_history=True
        )
        arguments = {"batch_size": 2, "minibatch_size": None, "validation_split": 0.34}
        callbacks = [backup, acknowledging(say)]
        history = await program.fit(x, y, epochs=2, callbacks=callbacks, verbose=0, **arguments)
        found = [one.get_json() for one in program.variables]
        state = [found, history.history, random.random(), float(np.random.rand())]
        say({"end": scenario.digest_of(state)})

    local_model.install(os.devnull)
    synalinks.set_seed(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.run(train())


def said(outcome: children.Outcome, name: str) -> list[Any]:
    return [one[name] for one in outcome.said if name in one]


def run(top: str, faults: preload.Faults, arm: Any = None) -> children.Outcome:
    def work(say: children.Say) -> None:
        if arm is not None:
            faults.watch(top)
            arm()
        fit(top, say)
        if arm is not None:
            say({"calls": faults.disarm()})

    return children.run(work)


def count(top: str, faults: preload.Faults, kinds: int) -> int:
    tree.empty(top)
    outcome = run(top, faults, lambda: faults.count_from_here(kinds))
    assert outcome.crash is None, outcome.crash
    return int(said(outcome, "calls")[-1])


def judge(top: str, faults: preload.Faults, killed: children.Outcome, expected: str) -> str | None:
    """What is wrong with the run that resumes, or ``None``."""
    again = run(top, faults)
    if again.crash is not None:
        return again.crash.strip().splitlines()[-1]
    if said(again, "end") != [expected]:
        return "the resumed run ends with another state"
    saved, began = said(killed, "saved"), said(again, "began")
    # A complete run has no batch left, or has removed its backup, and then it trains anew.
    if saved and began and not said(killed, "over") and began[0] < saved[-1]:
        return f"resumed at {began[0]}, and {saved[-1]} was acknowledged"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--every", type=int, default=1, help="try each N-th place only")
    options = parser.parse_args()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    if preload.compiler() is None:
        sys.exit("[faults] a C compiler is needed")
    preload.restart_under_it()
    warnings.simplefilter("ignore")
    import scenario  # noqa: F401  # Once, for all children.

    faults = preload.Faults()
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        top = os.path.join(scratch, "top")
        calls = count(top, faults, preload.CHANGES)
        writes = count(top, faults, preload.WRITE)
        tree.empty(top)
        expected = said(run(top, faults), "end")[0]
        before = [(preload.KILL_BEFORE, preload.CHANGES, n, "before call") for n in range(1, calls)]
        after = [(preload.KILL_AFTER, preload.CHANGES, calls, "after call")]
        half = [(preload.KILL_HALF, preload.WRITE, n, "inside write") for n in range(1, writes + 1)]
        tried, wrong = 0, []
        for action, kinds, n, words in [*before, *after, *half][:: options.every]:
            tree.empty(top)
            killed = run(top, faults, lambda a=(action, kinds, n): faults.arm(*a))
            assert killed.killed, (words, n, killed)
            tried += 1
            fault = judge(top, faults, killed, expected)
            wrong += [] if fault is None else [f"killed {words} {n}: {fault}"]
    print(f"a program of Synalinks, killed at {tried} of {calls + writes} places:", end=" ")
    print(f"{tried - len(wrong)} resumed and ended as if never killed", *wrong, sep="\n  ")
    sys.exit(1 if wrong or not tried else 0)


if __name__ == "__main__":
    main()
