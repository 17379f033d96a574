"""The table of exactness: runs with every kind of data on every backend, killed and resumed.

    python python/exact/run.py [--backends jax] [--cells arrays] [--freqs epoch 1 4] [--kills N]
                               [--background no] [--busy 3] [--theirs]
    python python/exact/run.py synalinks [--cells OMEGA] [--freqs epoch 1 3] [--kills N] [--fresh]
    python python/exact/run.py scripts [--scripts convnet] [--backends jax] [--kills N] [--seed N]

The second is the same for Synalinks: see programs/table.py. The third kills scripts as users write
them, at random batches: see scripts/table.py.

For each cell, SIGKILL kills a run at several points, and a newly forked process resumes it. A cell
says after how many kills the report was equal, bit for bit, to the report of the run never killed,
and what the resumed runs themselves saw as evidence.

With --theirs, the callback of tf_keras itself runs each cell, too. It restores no history and no
other callbacks, so only the variables of model and optimizer are compared.
"""

from __future__ import annotations

import argparse
import atexit
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from forker import Forker

HERE = os.path.dirname(os.path.abspath(__file__))
# The backends of Keras 3, and Keras 2.
BACKENDS = ("jax", "torch", "tensorflow", "tf_keras")
FREQS = ("epoch", 1, 4)
# In the first, a middle and the last batch of an epoch, before and after its save, and during
# validation.
KILLS = (
    ["begin", 1, 0],
    ["begin", 2, 4],
    ["end", 1, 3],
    ["validation", 2],
    ["epoch_end", 1],
    ["begin", 0, 5],
)


class Zygote(Forker):
    """A process that has imported Keras and forks a child for each run.

    Args:
        backend: The backend of Keras 3, or "tf_keras".
        folder: The folder with the modules of the runs. By default that of the table of data.

    Attributes:
        known: The kinds of data and of training that these modules have.
    """

    def __init__(self, backend, folder=None):
        if folder is None:
            folder = os.path.join(HERE, "keras2") if backend == "tf_keras" else HERE
        env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
        if backend != "tf_keras":
            env["KERAS_BACKEND"] = backend
        env["TF_ENABLE_ONEDNN_OPTS"] = "0"
        command = [sys.executable, os.path.join(HERE, "zygote.py"), folder]
        super().__init__(command, env, folder)


def compare(expected, found):
    """The names of the entries that differ between two reports."""
    return [name for name in expected if expected[name] != found[name]]


def compare_weights(expected, found):
    """The same for the variables of model and optimizer alone."""
    expected, found = expected["variables"], found["variables"]
    return [name for name in expected if expected[name] != found.get(name)]


def with_their_callback(zygote, base, kills, scratch):
    """How many kills their callback resumes from with the same weights, of how many tried."""
    base |= {"theirs": True}
    never = os.path.join(scratch, "theirs")
    if zygote.run(base | {"folder": never}) != 0:
        return "failed"
    good, tried = 0, 0
    for kill in kills:
        folder = os.path.join(scratch, "theirs-" + "-".join(map(str, kill)))
        if zygote.run(base | {"folder": folder, "kill": kill}) == 0:
            continue
        tried += 1
        ended = zygote.run(base | {"folder": folder}) == 0
        good += ended and not compare_weights(report(never), report(folder))
    return f"{good} of {tried}"


def report(folder):
    with open(os.path.join(folder, "report.json")) as file:
        return json.load(file)


def told(folder):
    """The notes of the resumed run about parts that could not be exact."""
    path = pathlib.Path(folder, "resumed.jsonl")
    # A run that was killed before its first checkpoint begins anew.
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["notes"] if lines else []


def evidence(folder):
    """What the last resumed run says that it saw; ``None`` if it restored nothing."""
    path = pathlib.Path(folder, "resumed.jsonl")
    lines = path.read_text().splitlines() if path.exists() else []
    return json.loads(lines[-1])["evidence"] if lines else None


def one_cell(zygote, base, kills, scratch, seen):
    """Returns the exact kills, the kills tried, announced differences, and failures.

    A run may differ only if it said so before it resumed. A run that differs silently is a failure,
    and so is one that is equal and says that it differs. `seen` counts the evidence.
    """
    never = os.path.join(scratch, "never")
    if zygote.run(base | {"folder": never}) != 0:
        return 0, 0, [], ["the run never killed failed"]
    again = os.path.join(scratch, "again")
    if zygote.run(base | {"folder": again}) == 0 and compare(report(never), report(again)):
        return 0, 0, ["two runs never killed differ: Keras itself does not repeat this one"], []
    good, tried, said, wrong = 0, 0, [], []
    for kill in kills:
        folder = os.path.join(scratch, "-".join(map(str, kill)))
        status = zygote.run(base | {"folder": folder, "kill": kill})
        if status == 0:
            continue  # the run ended or stopped early before that point
        tried += 1
        if zygote.run(base | {"folder": folder}) != 0:
            wrong.append(f"{kill}: the resumed run failed")
            continue
        differing = compare(report(never), report(folder))
        good += not differing
        found = evidence(folder)
        seen[found or "began anew"] += 1
        if not differing and found == "differs":
            wrong.append(f"{kill}: equal, but its evidence is that it differs: {told(folder)[-1]}")
        if differing and told(folder):
            said.append(f"{kill}: {told(folder)[0]}")
        elif differing:
            wrong.append(f"{kill}: {', '.join(differing)}")
    return good, tried, said, wrong


def cells(known, backend, options):
    """Every kind of data with the plain training, and every other kind of training with arrays."""
    for source, backends in known["sources"].items():
        if backend in backends and source in (options.sources or known["sources"]):
            yield source, "plain"
    for training in known["trainings"]:
        if training != "plain" and training in (options.sources or known["trainings"]):
            yield "arrays", training


def of_synalinks(arguments):
    """Runs the table of Synalinks, in its own environment. It does not return."""
    root = os.path.dirname(os.path.dirname(HERE))
    venv = os.path.join(root, os.environ.get("VENV_SYNALINKS", ".venv-synalinks"))
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(python):
        sys.exit(f"There is no {venv}: see `make setup-synalinks`")
    os.execv(python, [python, os.path.join(HERE, "programs", "table.py"), *arguments])


def main():
    if sys.argv[1:2] == ["synalinks"]:
        of_synalinks(sys.argv[2:])
    if sys.argv[1:2] == ["scripts"]:
        table = os.path.join(HERE, "scripts", "table.py")
        os.execv(sys.executable, [sys.executable, table, *sys.argv[2:]])
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--backends", nargs="+", default=BACKENDS)
    parser.add_argument("--cells", dest="sources", nargs="+")
    parser.add_argument("--freqs", nargs="+", default=FREQS)
    parser.add_argument("--background", choices=["yes", "no"], default="yes")
    parser.add_argument("--busy", type=int, default=0, help="how many busy loops run beside it")
    parser.add_argument("--kills", type=int, default=len(KILLS))
    parser.add_argument("--theirs", action="store_true")
    options = parser.parse_args()
    if options.theirs and set(options.backends) != {"tf_keras"}:
        parser.error("--theirs is for --backends tf_keras")
    for _ in range(options.busy):
        loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        atexit.register(loop.kill)
    freqs = [freq if freq == "epoch" else int(freq) for freq in options.freqs]
    failed = 0
    began = time.time()
    for backend in options.backends:
        zygote = Zygote(backend)
        for source, training in cells(zygote.known, backend, options):
            for freq in freqs:
                scratch = tempfile.mkdtemp(prefix="exact-")
                cell = {"source": source, "training": training, "save_freq": freq}
                cell["background"] = options.background == "yes"
                seen = collections.Counter()
                kills = KILLS[: options.kills]
                good, tried, said, wrong = one_cell(zygote, cell, kills, scratch, seen)
                theirs = with_their_callback(zygote, cell, kills, scratch) if options.theirs else ""
                shutil.rmtree(scratch, ignore_errors=True)
                failed += bool(wrong)
                mark = "DIFFERS" if wrong else "says that it cannot be" if said else "equal"
                what = source if training == "plain" else training
                title = f"{backend:<11}{what:<31}save_freq={freq!s:<6}"
                words = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
                beside = f"   tf_keras' own: {theirs}" if theirs else ""
                print(f"{title}{good:>2} of {tried}  {mark}; {words}{beside}", flush=True)
                for line in said + wrong:
                    print(f"{'':<11}  {line}", flush=True)
        zygote.close()
    outcome = f"{failed} cells differ" if failed else "every cell is equal or says why not"
    print(f"{outcome}, {time.time() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
