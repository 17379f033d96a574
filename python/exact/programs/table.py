"""The table of exactness for Synalinks: each optimizer, killed at several points and resumed.

    .venv-synalinks/bin/python python/exact/programs/table.py [--cells OMEGA] [--freqs epoch 1 3]
                                                              [--fresh]

SIGKILL kills a run at several points, and a process that is forked from another interpreter resumes
it; with --fresh, a newly started process, which takes ten seconds more for each kill. A cell says
after how many kills the report was equal to the report of the run never killed, and the language
models were asked again only for the batches after the checkpoint. The last column is their own
class.

Below, the files of the last backup are torn, or a bit of them is flipped.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

# Last: that folder has modules of the same names.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from forker import Forker

HERE = pathlib.Path(__file__).resolve().parent
FREQS = ("epoch", 1, 3)
# In the first, a middle and the last batch of an epoch, before and after its save, in a call of the
# language model, in a validation, and at the end of an epoch.
KILLS = (
    ["begin", 1, 0],
    ["begin", 2, 2],
    ["end", 1, 3],
    ["call", 90],
    ["validation", 1],
    ["epoch_end", 1],
)


def environment():
    path = [str(HERE.parents[2] / "inst" / "python"), os.environ.get("PYTHONPATH", "")]
    more = {"PYTHONPATH": os.pathsep.join(filter(None, path)), "OPENAI_API_KEY": "none"}
    return os.environ | more | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class Zygote(Forker):
    """A process that has imported Synalinks and forks a child for each run."""

    def __init__(self):
        command = [sys.executable, "-W", "ignore", str(HERE.parent / "zygote.py"), str(HERE)]
        super().__init__(command, environment())


def command(config):
    return [sys.executable, str(HERE / "scenario.py"), json.dumps(config)]


def fresh(config):
    """Runs a newly started process, and returns its exit status."""
    return subprocess.run(command(config), env=environment(), check=False).returncode


def loaded(folder, name):
    with open(os.path.join(folder, name)) as file:
        return json.load(file)


def calls_in(folder):
    path = pathlib.Path(folder, "calls")
    return len(path.read_text().splitlines()) if path.exists() else 0


def differences(never, folder, before):
    """What differs from the run never killed, and whether more calls were made than needed.

    Args:
        never: The folder of the run never killed.
        folder: The folder of the killed and resumed run.
        before: How many calls the killed run had made.
    """
    expected, found = loaded(never, "report.json"), loaded(folder, "report.json")
    lines = [name for name in expected if expected[name] != found[name]]
    made = loaded(never, "made.json")
    path = pathlib.Path(folder, "resumed.jsonl")
    saved = 0
    if path.exists():
        place = json.loads(path.read_text().splitlines()[-1])
        epoch, batch = place["epoch"], place["batch"]
        at = ["end", epoch, batch - 1] if batch else ["epoch_end", epoch - 1]
        saved = made[json.dumps(at)]
    again = calls_in(folder) - before
    if again != made["all"] - saved:
        lines.append(f"calls: {made['all'] - saved} were left, {again} were made")
    return lines


def one_cell(zygote, base, kills, scratch, resume=fresh):
    """Returns how many kills were exact, how many were tried, and lines about the others."""
    never = os.path.join(scratch, "never")
    if zygote.run(base | {"folder": never}) != 0:
        return 0, 0, ["the run never killed failed"]
    good, tried, wrong = 0, 0, []
    for kill in kills:
        folder = os.path.join(scratch, "-".join(map(str, kill)))
        if zygote.run(base | {"folder": folder, "kill": kill}) == 0:
            continue  # The run has no such point.
        tried += 1
        before = calls_in(folder)
        if resume(base | {"folder": folder}) != 0:
            wrong.append(f"{kill}: the resumed run failed")
            continue
        lines = differences(never, folder, before)
        good += not lines
        wrong += [f"{kill}: {', '.join(lines)}"] if lines else []
    return good, tried, wrong


def torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


# The newest two files of a class: that which holds the state, and that which says where it stands.
DAMAGES = {
    "both files torn": ((0, torn), (1, torn)),
    "the larger file torn": ((0, torn),),
    "a flipped bit in the larger file": ((0, flipped),),
}


def newest_files(folder, theirs):
    backup = pathlib.Path(folder, "backup")
    if theirs:
        return [backup / "latest.variables.json", backup / "training_metadata.json"]
    number = max(int(path.stem.split("-")[1]) for path in backup.glob("ckpt-*.json"))
    return [backup / f"ckpt-{number}.json", backup / f"ckpt-{number}.safetensors"]


def outcome(zygote, cell, never, folder, damage):
    """Kills a run at the end of its second epoch, damages the newest files, and resumes."""
    zygote.run(cell | {"folder": folder, "kill": ["begin", 2, 0]})
    files = newest_files(folder, cell.get("theirs"))
    for number, act in DAMAGES[damage]:
        act(files[number])
    if zygote.run(cell | {"folder": folder}) != 0:
        return "refused: an error"
    before, after = loaded(never, "report.json"), loaded(folder, "report.json")
    differing = [name for name in before if before[name] != after[name] and name != "told"]
    return f"goes on, and differs: {', '.join(differing)}" if differing else "recovered, equal"


def show_damages(zygote):
    """Prints what becomes of a damaged backup. Returns how many lines of ours are wrong."""
    cell = {"source": "RandomFewShot", "save_freq": 1, "more": {"double_checkpoint": True}}
    cell["background"] = False
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="exact-") as scratch:
        never = os.path.join(scratch, "never")
        zygote.run(cell | {"folder": never})
        for number, damage in enumerate(DAMAGES):
            ours = outcome(zygote, cell, never, f"{scratch}/ours-{number}", damage)
            theirs = cell | {"theirs": True}
            other = outcome(zygote, theirs, never, f"{scratch}/theirs-{number}", damage)
            wrong += ours.startswith("goes on")
            print(f"{damage}: {ours}; their class: {other}", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cells", nargs="+")
    parser.add_argument("--freqs", nargs="+", default=FREQS)
    parser.add_argument("--kills", type=int, default=len(KILLS))
    parser.add_argument("--fresh", action="store_true", help="resume in newly started processes")
    options = parser.parse_args()
    # Of another interpreter, the names of OMEGA's inner programs are others.
    zygote, other, failed, began = Zygote(), Zygote(), 0, time.time()
    resume = fresh if options.fresh else other.run
    for optimizer in options.cells or zygote.known["trainings"]:
        for freq in options.freqs:
            cell = {"source": optimizer, "save_freq": freq if freq == "epoch" else int(freq)}
            scratch = tempfile.mkdtemp(prefix="exact-")
            kills = KILLS[: options.kills]
            ours = os.path.join(scratch, "ours")
            good, tried, wrong = one_cell(zygote, cell, kills, ours, resume)
            theirs = cell | {"theirs": True}
            theirs_good, theirs_tried, _ = one_cell(
                zygote, theirs, kills, os.path.join(scratch, "theirs"), zygote.run
            )
            shutil.rmtree(scratch, ignore_errors=True)
            failed += bool(wrong)
            mark = "DIFFERS" if wrong or not tried else "equal"
            beside = f"their class: {theirs_good} of {theirs_tried}"
            title = f"{'synalinks':<11}{optimizer:<21}save_freq={freq!s:<6}"
            print(f"{title}{good:>2} of {tried}  {mark:<8} {beside}", flush=True)
            for line in wrong:
                print(f"    {line}", flush=True)
    failed += show_damages(zygote)
    zygote.close()
    other.close()
    print(f"{failed} cells differ; {time.time() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
