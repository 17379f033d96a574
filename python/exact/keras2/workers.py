"""The table of exactness for several workers of tf_keras: killed, resumed, compared.

    python python/exact/keras2/workers.py [--rows kill]

The workers are processes on this machine. For each row, something happens to one of two workers of
a MultiWorkerMirroredStrategy. All are started again, and each worker's report must be equal, bit
for bit, to its report of the run that was never interrupted. Then the same with a coordinator, a
worker and a parameter server, where no run is repeated bit for bit: what counts is the place.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from group import Groups

PLACES = {
    "before the first checkpoint": ["begin", 0, 0],
    "in the middle of an epoch": ["begin", 1, 3],
    "in a validation": ["validation", 1],
    "at the end of an epoch": ["epoch_end", 1],
}
MIDDLE = PLACES["in the middle of an epoch"]
PREEMPTION = {"save_before_preemption": True, "save_freq": "epoch"}


def rows():
    """Name, configuration and options of the group for each row."""
    for worker in (0, 1):
        for place, at in PLACES.items():
            yield f"kill worker {worker} {place}", {"at": [worker, *at]}, {}
    yield "kill worker 1 in the middle, tf.data", {"at": [1, *MIDDLE], "source": "tf.data"}, {}
    yield "kill worker 0 while it writes", {"at": [0, "begin", 0, 5], "late": 5}, {}
    yield "kill worker 1 while worker 0 writes", {"at": [1, "begin", 0, 5], "late": 5}, {}
    for worker in (0, 1):
        yield f"error in worker {worker}", {"at": [worker, *MIDDLE], "what": "raise"}, {}
        config = {"at": [worker, *MIDDLE], "what": "SIGTERM", "options": PREEMPTION}
        yield f"SIGTERM to worker {worker}", config, {}
        hang = {"what": "sleep", "options": {"worker_timeout": "5 s"}}
        yield f"worker {worker} hangs in a callback", {"at": [worker, *MIDDLE]} | hang, {"rest": 0}
    yield "worker 1 is stopped", {"at": [1, *MIDDLE], "what": "SIGSTOP"}, {"rest": 0}
    clock = {"options": {"save_freq": "0.001 s"}}
    yield "kill worker 1, saved by the clock", {"at": [1, *MIDDLE]} | clock, {}


def reports(folder):
    return [json.loads((folder / f"report-{index}.json").read_text()) for index in (0, 1)]


def named(folder, config):
    """Whether a worker that hangs is named in the output of the other."""
    index = config["at"][0]
    text = (folder / f"worker-{1 - index}.log").read_text()
    return f"worker {index} on" in text or f"task:{index}" in text


def row(groups, folder, config, options, expected):
    """The statuses, the step and the result of a row."""
    statuses = groups.run(folder, config, **options)
    again = {key: config[key] for key in ("source", "options") if key in config}
    if groups.run(folder, again) != [0, 0]:
        return statuses, None, "the resumed run failed"
    beside = [json.loads((folder / f"beside-{i}.json").read_text()) for i in (0, 1)]
    steps = [(one["resumed"] or {"step": 0})["step"] for one in beside]
    differing = [
        f"{name} of worker {index}"
        for index, (first, second) in enumerate(zip(expected, reports(folder), strict=True))
        for name in first
        if first[name] != second[name]
    ]
    found = "equal" if not differing else "differs in " + ", ".join(differing)
    if options and not named(folder, config):
        found += ", and the worker is not named"
    if steps[0] != steps[1]:
        found = f"resumed at different steps: {steps}"
    return statuses, steps[0], found


SERVERS = {"chief": 1, "worker": 1, "ps": 1}
OF_SERVERS = (
    ("never interrupted", None, {}),
    ("kill the coordinator at the begin of an epoch", ["epoch_begin", 2], {}),
    ("kill the coordinator at the end of an epoch", ["epoch_end", 2], {}),
    ("kill the worker, start it again", None, {"again": "worker"}),
)


def row_of_servers(groups, folder, kill, options):
    """The same with a parameter server."""
    statuses = groups.run(folder, {"kill": kill}, **options, **SERVERS)
    if kill is not None and groups.run(folder, {}, **SERVERS)[0] != 0:
        return statuses, None, "the resumed run failed"
    report = json.loads((folder / "report.json").read_text())
    resumed = report["resumed"]
    is_right = (report["epochs"], report["step"]) == ([0, 1, 2, 3], 24)
    is_right &= (resumed is not None) == (kill is not None)
    step = 0 if resumed is None else resumed["step"]
    return statuses, step, "4 epochs, 24 steps" if is_right else f"wrong: {report}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", default="", help="only rows whose name has this text")
    chosen = parser.parse_args().rows
    groups = Groups()
    good = ("equal", "4 epochs, 24 steps")
    failed = passed = 0

    def show(name, outcome):
        nonlocal failed, passed
        passed, failed = passed + (outcome[2] in good), failed + (outcome[2] not in good)
        statuses, step, result = outcome
        ended = ", ".join(map(str, statuses))
        print(f"{name:<52}ended: {ended:<22}from step: {step!s:<6}{result}", flush=True)

    with tempfile.TemporaryDirectory(prefix="workers-") as scratch:
        expected = {}
        for number, (name, config, options) in enumerate(rows()):
            source = config.get("source", "arrays")
            if chosen not in name:
                continue
            if source not in expected:
                folder = Path(scratch, f"never-{source}")
                assert groups.run(folder, {"source": source}) == [0, 0]
                expected[source] = reports(folder)
            folder = Path(scratch, str(number))
            show(name, row(groups, folder, config, options, expected[source]))
        for number, (name, kill, options) in enumerate(OF_SERVERS):
            if chosen in name:
                folder = Path(scratch, f"servers-{number}")
                show(name, row_of_servers(groups, folder, kill, options))
    groups.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
