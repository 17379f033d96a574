"""The tables of the parts that need Keras."""

from __future__ import annotations

from faults import table
from faults.keras_process import KerasRuns
from faults.report import Report


def fit(report: Report, keras: KerasRuns) -> None:
    rows = keras["fit"]
    cells = []
    for row in rows:
        report.add("fit()", row["wrong"])
        where = "background" if row["background"] else "training thread"
        cells.append([row["error"], where, row["tried"], row["refused"], len(row["wrong"])])
    head = [
        "N-th call failing with",
        "saves in the",
        "trainings tried",
        "refused before training",
        "wrong",
    ]
    table.show("The same with fit() under the callback: training finishes", head, cells)


def kills(report: Report, keras: KerasRuns) -> None:
    for found in keras["kills"]:
        report.add("kills", found["wrong"])
        cells = [[name, value] for name, value in found.items() if name != "wrong"]
        table.show("A fit() that saves at each batch, killed at random times", ["what", "n"], cells)


def preempted(report: Report, keras: KerasRuns) -> None:
    found = keras["preempted"]
    report.add("preempted", found["wrong"])
    cells = [[name, value] for name, value in found.items() if name != "wrong"]
    table.show("A fit() that is asked to end at random times", ["what", "n"], cells)


def states(report: Report, keras: KerasRuns) -> None:
    found = keras["states"]
    report.add("states", found["wrong"])
    cells = [*found["seen"].items(), ["another error", len(found["wrong"])]]
    table.show("A fit() that resumes from a made-up state", ["what", "times"], cells)


FORGED = {
    "forged": "Scripts that resume from forged folders, their own and those of another user",
    "leaves": "Scripts that resume from folders in which one value, array or file is forged",
}


def forged(report: Report, keras: KerasRuns, part: str) -> None:
    found = keras[part]
    report.add(part, found["wrong"])
    cells = [[where, *row] for where, seen in found["seen"].items() for row in seen.items()]
    table.show(FORGED[part], ["folder", "what", "times"], cells)
    if found.get("skipped"):
        print("Not tried, because this process is not root's: folders of another user")
