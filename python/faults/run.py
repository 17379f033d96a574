"""Tests rekindle with crashes, damages and failing system calls, and prints the results.

Exits with 1 if any claim fails. `--quick` tries a little of everything in under a minute.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import (
    corrupt,
    crash,
    fuzz,
    keras_tables,
    mutants,
    power,
    preload,
    race,
    races,
    refusals,
    scenes,
    table,
    tree,
)
from faults.keras_process import KerasRuns
from faults.report import Report

PARTS = (
    "crash",
    "peer",
    "refuse",
    "fit",
    "damage",
    "fuzz",
    "race",
    "races",
    "kills",
    "preempted",
    "states",
    "forged",
    "leaves",
    "remote",
    "mutants",
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a little of everything")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--states", type=int, default=300, help="made-up states to resume from")
    parser.add_argument("--leaves", type=int, default=20, help="each so-many-th value is forged")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fuzz-seconds", type=float, default=900.0, help="at most so long")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--mutant", help="break the store on purpose, as mutants.py says")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    return arguments


# Scenes that also start from each state that a first crash in them left.
_CRASHED_TWICE = (
    "first save",
    "later save",
    "save over a spare",
    "save past the cache",
    "clean-up",
)


def crashes(faults: preload.Faults, report: Report, *, quick: bool, brief: bool) -> None:
    rows = []
    with tree.scratch() as top:
        for kept in (1, 2):
            for scene in scenes.scenes(kept):
                rows.append(_row(scene, scene.name, [None], top, faults, report))
                if scene.name in _CRASHED_TWICE and not brief:
                    starts = crash.leftovers(scenes.Store(), scene, top, faults)
                    starts = starts[:: 9 if quick else 1]
                    name = f"{scene.name}, after a crashed one"
                    rows.append(_row(scene, name, starts, top, faults, report))
    _show_crashes("rekindle", rows)


def _row(
    scene: scenes.Scene,
    name: str,
    starts: list[Any],
    top: str,
    faults: preload.Faults,
    report: Report,
) -> dict[str, Any]:
    sums = {kind: [0, 0] for kind in ("killed", *power.MOODS)}
    for start in starts:
        killed = crash.kill_sweep(scenes.Store(), scene, top, faults, start)
        cut = power.power_sweep(scenes.Store(), scene, top, faults, start)
        for kind, tally in {"killed": killed, **cut}.items():
            sums[kind][0] += tally.tried
            sums[kind][1] += tally.whole
            report.add(f"{scene.kept} kept", tally.wrong)
    return {"scene": name, "kept": scene.kept, "tallies": sums}


def _show_crashes(name: str, rows: list[dict[str, Any]]) -> None:
    cells = []
    for row in rows:
        counts = row["tallies"].values()
        tried, whole = (sum(count[i] for count in counts) for i in (0, 1))
        each = [f"{whole}/{tried}" for tried, whole in counts]
        cells.append([row["scene"], row["kept"], *each, tried, whole])
    tried, whole = (sum(row[i] for row in cells) for i in (-2, -1))
    cells.append(["all", "", "", "", "", "", tried, whole])
    head = ["scene", "saves kept", "killed", *power.MOODS, "states tried", "restored whole"]
    table.show(f"Crashes and power cuts: {name} (restored whole / states tried)", head, cells)


def peer(keras: KerasRuns) -> None:
    _show_crashes("keras.callbacks.BackupAndRestore", keras["peer"])


def refuse(faults: preload.Faults, report: Report, *, quick: bool) -> None:
    cells = []
    with tree.scratch() as top:
        cases = itertools.product((1, 2), refusals.WAYS, refusals.ERRORS, (False, True))
        for kept, way, error, lasting in cases:
            # These two are results of a single call. A file system cannot return them for every
            # call.
            if lasting and error in ("EINTR", "short write"):
                continue
            step = 5 if quick else 1
            found = refusals.sweep(kept, error, top, faults, lasting=lasting, way=way, step=step)
            report.add(f"{kept} kept, {way}", found.wrong)
            length = "from it on" if lasting else "once"
            cells.append([error, length, kept, way, found.tried, found.unharmed, found.warned])
            cells[-1] += [found.saves, found.restores, len(found.wrong)]
    head = ["N-th call failing with", "for", "saves kept", "packs", "calls tried"]
    head += ["unharmed", "file not cleared", "save failed", "refused at the start", "wrong"]
    table.show("Failing calls: the run ends, nothing is lost, the next save succeeds", head, cells)


def damage(report: Report, arguments: argparse.Namespace) -> None:
    flips, others = (300, 170) if arguments.quick else (10_000, 2_000)
    rng = random.Random(arguments.seed)
    with tree.scratch() as top:
        damages = corrupt.Damages(top)
        cells = []
        tries = ((damages.flip, flips, "single bits flipped"), (damages.damage, others, "other"))
        for do, count, name in tries:
            damages.seen.clear()
            before = len(damages.wrong)
            do(rng, count)
            cells += [[name, ending, n] for ending, n in damages.seen.most_common()]
            cells.append([name, "believed, or another error", len(damages.wrong) - before])
        report.add("damage", damages.wrong)
    table.show("Damages to a folder with three saves", ["damage", "taken", "times"], cells)


def fuzzing(report: Report, arguments: argparse.Namespace) -> None:
    count = 20_000 if arguments.quick else 1_000_000
    with tree.scratch() as top:
        made = fuzz.Fuzz(top, arguments.seed)
        done = made.run(count, arguments.fuzz_seconds)
        report.add("fuzz", made.wrong)
    cells = [["files tried", done], *made.seen.most_common(), ["wrong", len(made.wrong)]]
    table.show(f"Made-up manifests and packs, seed {arguments.seed}", ["what", "times"], cells)


def stores(report: Report, *, quick: bool) -> None:
    # Only here: it needs the libraries of object stores, and a server of S3.
    from faults import remote, remote_races

    report.add("remote", remote.show(quick=quick))
    report.add("remote races", remote_races.show(3 if quick else 100, 8 if quick else 20))


def broken(report: Report) -> None:
    """Each broken store must be noticed, or these sweeps prove nothing."""
    cells = []
    for mutant, part in mutants.NOTICED_BY.items():
        command = [sys.executable, __file__, "--quick", "--mutant", mutant, "--only", part]
        done = subprocess.run(command, capture_output=True, text=True)
        last = ((done.stdout or done.stderr).splitlines() or ["nothing"])[-1]
        if done.returncode != 1 or not last.endswith("claims failed"):
            report.add("mutants", [f"{mutant} was not noticed: {last}"])
        cells.append([mutant, part, last])
    table.show("Stores with one promise broken", ["mutant", "sweep", "what it said"], cells)


def of_synalinks(arguments: list[str]) -> None:
    """Runs `programs.py` in the environment of Synalinks. It does not return."""
    here = Path(__file__).resolve().parent
    venv = here.parents[1] / os.environ.get("VENV_SYNALINKS", ".venv-synalinks")
    python = venv / "bin" / "python"
    if not python.exists():
        sys.exit(f"There is no {venv}: see `make setup-synalinks`")
    os.execv(python, [str(python), str(here / "programs.py"), *arguments])


def main() -> int:
    if sys.argv[1:2] == ["synalinks"]:
        of_synalinks(sys.argv[2:])
    arguments = _arguments()
    preload.restart_under_it()
    if arguments.mutant:
        mutants.ALL[arguments.mutant]()
    faults, report, quick = preload.Faults(), Report(), arguments.quick
    keras = KerasRuns(arguments)
    parts = {
        "crash": lambda: crashes(faults, report, quick=quick, brief=bool(arguments.mutant)),
        "refuse": lambda: refuse(faults, report, quick=quick),
        "damage": lambda: damage(report, arguments),
        "fuzz": lambda: fuzzing(report, arguments),
        "race": lambda: report.add("race", race.show(10 if quick else 100, arguments.seed)),
        "races": lambda: report.add("races", races.show(400 if quick else 10_000)),
        "fit": lambda: keras_tables.fit(report, keras),
        "kills": lambda: keras_tables.kills(report, keras),
        "preempted": lambda: keras_tables.preempted(report, keras),
        "states": lambda: keras_tables.states(report, keras),
        "forged": lambda: keras_tables.forged(report, keras, "forged"),
        "leaves": lambda: keras_tables.forged(report, keras, "leaves"),
        "remote": lambda: stores(report, quick=quick),
        "peer": lambda: None if quick else peer(keras),
        "mutants": lambda: None if quick else broken(report),
    }
    for name in arguments.only:
        begun = time.monotonic()
        parts[name]()
        print(f"({name}: {time.monotonic() - begun:.0f} s)", flush=True)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
