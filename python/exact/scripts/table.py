"""The table of scripts: scripts as users write them, killed at random batches and resumed.

    python python/exact/run.py scripts [--scripts convnet] [--backends jax] [--kills 5] [--seed 1]

A script runs once without a kill. Then, for each kill, it starts in an empty folder, SIGKILL ends
it at a random batch, and it runs again in a new process. Everything that it left must be equal, bit
for bit: models, optimizers, histories, predictions, files, and the next random numbers. Nothing may
say otherwise: no warning, no note, and the evidence must be "verified".

The batches are drawn, from the seed, of those for which a checkpoint must be durable and after
which something was trained: only then is there anything to verify. The events are counted, so a
kill always hits the same place of the script.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

# Last: that folder has modules of the same names.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

import run

HERE = pathlib.Path(__file__).resolve().parent
BACKENDS = ("jax", "torch", "tensorflow")
# Batches since the last checkpoint. The result of the last one may still be computed.
SINCE = 2
# If two checkpoints were due, the first of them is durable, as rekindle writes one at a time.
DUE = 2


class Runs:
    """The runs of one script on one backend."""

    def __init__(self, zygote, script, scratch):
        self._zygote, self._script, self._scratch = zygote, script, pathlib.Path(scratch)

    def run(self, name, kill=None):
        """Starts the script in the folder of this name. Returns the status and the report."""
        out = self._scratch / f"{name}.json"
        config = {"source": self._script, "out": str(out), "work": str(self._scratch / name)}
        status = self._zygote.run(config | {"kill": kill})
        return status, json.loads(out.read_text()) if out.exists() else None

    def log(self, name):
        """The last lines of what this run printed."""
        lines = (self._scratch / f"{name}.log").read_text(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-8:]


def places(events):
    """The events at which a kill leaves something to verify."""
    return [
        event[:3]
        for event in events
        if event[3] is not None and event[3] >= SINCE and event[4] >= DUE
    ]


def differences(never, killed):
    """The names of the results that differ."""
    names = sorted(never["left"].keys() | killed["left"].keys())
    return [name for name in names if never["left"].get(name) != killed["left"].get(name)]


def false_alarms(killed):
    """All that speaks against a run that is equal."""
    notes = [note for one in killed["resumed"] if one is not None for note in one["notes"]]
    return list(dict.fromkeys(killed["warned"] + notes))


def one_kill(runs, never, kill):
    """Returns whether the run was equal, its evidence, and what is wrong with it."""
    name = "-".join(map(str, kill))
    status, _ = runs.run(name, kill)
    if status != -signal.SIGKILL:
        return False, None, [f"the run was not killed, its status is {status}", *runs.log(name)]
    status, killed = runs.run(name)
    if status != 0 or killed is None:
        return False, None, [f"the resumed run failed, its status is {status}", *runs.log(name)]
    resumed = killed["resumed"][kill[0]]
    evidence = "began at the start" if resumed is None else resumed["evidence"]
    differing = differences(never, killed)
    if differing:
        said = false_alarms(killed) or ["nothing was said"]
        return False, evidence, [f"differs: {', '.join(differing)}; {'; '.join(said)}"]
    wrong = [f"equal, but it says: {text}" for text in false_alarms(killed)]
    if evidence != "verified":
        wrong.append(f"equal, but its evidence is: {evidence}; {resumed}")
    return True, evidence, wrong


def one_script(runs, kills, draw):
    """Returns the kills, how many were equal, how many verified, and what is wrong."""
    status, never = runs.run("never")
    if status != 0:
        return 0, 0, 0, ["the run never killed failed", *runs.log("never")]
    wrong = [f"the run never killed says: {text}" for text in false_alarms(never)]
    found = places(never["events"])
    chosen = draw.sample(found, min(kills, len(found)))
    equal = verified = 0
    for kill in chosen:
        is_equal, evidence, problems = one_kill(runs, never, kill)
        equal += is_equal
        verified += evidence == "verified"
        wrong += [f"fit() {kill[0]}, {kill[1]} of batch {kill[2]}: {text}" for text in problems]
    if equal < len(chosen) and differences(never, runs.run("again")[1]):
        wrong.append("two runs never killed differ: the script itself does not repeat this one")
    return len(chosen), equal, verified, wrong


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", help="of the scripts (default: python/exact/scripts/user)")
    parser.add_argument("--scripts", nargs="+", help="names of files there, without .py")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--kills", type=int, default=5, help="kills of each script (default: 5)")
    parser.add_argument("--seed", type=int, default=None, help="of the batches (default: random)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the runs")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.randrange(10_000)
    return options


def show(script, backend, counts, seconds):
    """Prints the row of a script. Returns whether something is wrong with it."""
    kills, equal, verified, wrong = counts
    is_wrong = bool(wrong) or not kills
    word = "WRONG" if is_wrong else "good"
    row = f"{script:<24}{backend:<12}{kills:>5}{equal:>7}{verified:>10}"
    print(f"{row}   {word:<6}{seconds:>5.0f} s", flush=True)
    for line in wrong:
        print(f"    {line}", flush=True)
    return is_wrong


def of_backend(backend, scripts, options):
    """Runs scripts on one backend. Returns how many have something wrong."""
    zygote, failed = run.Zygote(backend, str(HERE)), 0
    for script in scripts:
        scratch = tempfile.mkdtemp(prefix="exact-scripts-")
        # Each script draws its own batches, whichever others run.
        draw = random.Random(f"{options.seed} {backend} {script}")
        began = time.time()
        counts = one_script(Runs(zygote, script, scratch), options.kills, draw)
        failed += show(script, backend, counts, time.time() - began)
        if options.keep:
            print(f"    {scratch}", flush=True)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    zygote.close()
    return failed


def main(arguments):
    options = parsed(arguments)
    if options.folder:
        os.environ["EXACT_SCRIPTS"] = os.path.abspath(options.folder)
    import sources  # It reads the variable.

    began, failed = time.time(), 0
    known = {name: one.backends for name, one in sources.SOURCES.items()}
    chosen = {name: known.get(name, ()) for name in options.scripts or known}
    print(f"seed {options.seed}", flush=True)
    print(f"{'script':<24}{'backend':<12}{'kills':>5}{'equal':>7}{'verified':>10}", flush=True)
    for name, backends in chosen.items():
        if options.scripts and not set(backends) & set(options.backends):
            print(f"no script {name!r} runs on {', '.join(options.backends)}")
            failed += 1
    for backend in options.backends:
        scripts = [name for name, backends in chosen.items() if backend in backends]
        failed += of_backend(backend, scripts, options) if scripts else 0
    outcome = f"{failed} of them are wrong" if failed else "all are equal and verified"
    print(f"{outcome}, {time.time() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
