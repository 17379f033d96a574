"""Shows the results as tables for people, and as a chart."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from benchmarks import bounded, limits, tables, training_report
from benchmarks.chart import draw
from benchmarks.tables import Answers

OURS, THEIRS = "rekindle callback", "keras BackupAndRestore"


def write(path: Path) -> None:
    """Writes README.md and chart.png into the folder of the results at `path`."""
    document = json.loads(path.read_text())
    answers = Answers(document["jobs"])
    lines = ["# What saving and restoring cost", "", *_machine(document["machine"])]
    others = [job["answer"]["others"] for job in answers.jobs]
    if max(others, default=0) > 0.15:
        lines += [
            f"Other processes used {max(others):.1f} processors during the worst of these runs, and"
            f" {median(others):.1f} during half of them: the figures are less sure than the ranges"
            " say.",
            "",
        ]
    for section in (
        _claims,
        _saves,
        training_report.turns,
        training_report.tunings,
        training_report.fits,
        training_report.auto,
        _small,
        _many,
        _objects,
        _frozen,
        _memory,
        training_report.hooks,
        _thousand,
    ):
        lines += section(answers)
    (path.parent / "README.md").write_text("\n".join(lines).rstrip() + "\n")
    draw(answers, path.parent / "chart.png")


def _machine(machine: dict) -> list[str]:
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    if "orbax-checkpoint" not in machine:
        facts += ". Orbax was not installed, and is not among the contestants"
    return [
        f"Measured on: {facts}.",
        "",
        "Written by `make bench` (`python/benchmarks/run.py`). All of one table was measured in one"
        " run, in turn; figures are medians, with the range in brackets. Ratios travel between"
        " machines, seconds do not. *Held*: how long a save holds training up. *Durable*: until it"
        " is on the disk and acknowledged; for those that sync nothing (Keras' callback,"
        " `torch.save`, `tf.train`), until the benchmark has synced their files for them."
        " *Restore*: until the variables have their values again, in the same process, the files"
        " in the page cache; only rekindle verifies what it reads. Before each of these, memory for"
        " a copy and a file of the state is claimed and let go: a host may have taken it from a"
        " virtual machine, and to get it back takes longer than what is measured.",
        "",
        "![Seconds that a save holds training up, and until it is durable](chart.png)",
        "",
    ]


def _claims(answers: Answers) -> list[str]:
    """The claims that must hold, as ratios, for the state of 400 MB on each backend."""
    backends = [given["backend"] for given, _ in answers.of("saves", megabytes=400)]
    rows: dict[str, list[str]] = {}
    for backend in backends:
        found = answers.one("saves", megabytes=400, backend=backend)["rows"]
        values = {name: median(entries) for name, entries in found.items()}
        copy, read = values[limits.COPY], values[limits.READ]
        cells = {
            "held / one copy in memory (at most 1.4)": values[f"{OURS}: held"] / copy,
            "the same of Keras' callback": values[f"{THEIRS}: held"] / copy,
            "durable / plain write with fsync (at most 1.25)": values[f"{OURS}: durable"]
            / values[limits.WRITE],
            "restore / that of Keras' callback (below 1)": values[f"{OURS}: restore"]
            / values[f"{THEIRS}: restore"],
            "restore / copy and page-cache read (at most 2)": values[f"{OURS}: restore"]
            / (copy + read),
            "the same, the read being into new memory": values[f"{OURS}: restore"]
            / (copy + values[limits.READ_NEW]),
        }
        for name, value in cells.items():
            rows.setdefault(name, []).append(f"{value:.2f}")
        turns = answers.one("turns", megabytes=400, backend=backend)
        for name, callback in (
            ("an epoch of about 5 s with a save / without (at most 1.02)", "rekindle"),
            ("the same with Keras' callback", "keras"),
        ):
            ratios = [1 + share for share in turns["rows"][callback]["quarter"]] if turns else []
            rows.setdefault(name, []).append(tables.span(ratios, digits=2) if ratios else "")
    table = [[name, *cells] for name, cells in rows.items()]
    return ["## 400 MB: what is promised", "", *tables.table(["", *backends], table)]


def _saves(answers: Answers) -> list[str]:
    lines = []
    for given, answer in answers.of("saves"):
        rows, size = answer["rows"], answer["bytes"]
        base = {name: median(rows[name]) for name in (limits.COPY, limits.WRITE, limits.READ)}
        lines += [f"## {size / 1e6:,.0f} MB on {given['backend']}", ""]
        lines += tables.table(["limit", "seconds"], [[n, tables.span(rows[n])] for n in _LIMITS])
        cells = []
        for name in sorted({name.rsplit(": ", 1)[0] for name in rows if ": " in name}, key=_rank):
            held, durable = rows[f"{name}: held"], rows[f"{name}: durable"]
            back = rows.get(f"{name}: restore")
            cells.append(
                [
                    name,
                    f"{median(held) / base[limits.COPY]:.2f}",
                    f"{median(durable) / base[limits.WRITE]:.2f}",
                    f"{median(back) / (base[limits.COPY] + base[limits.READ]):.2f}" if back else "",
                    f"{median(rows[f'{name}: written']) / size:.2f}",
                    tables.span(held),
                    tables.span(durable),
                    tables.span(back) if back else "",
                ]
            )
        head = ["", "held / copy", "durable / write", "restore / (copy + read)"]
        lines += tables.table(
            [*head, "written / state", "held, s", "durable, s", "restore, s"], cells
        )
    return lines


def _rank(name: str) -> tuple[bool, str]:
    return not name.startswith("rekindle"), name


_LIMITS = (limits.COPY, limits.WRITE, limits.READ, limits.READ_NEW)


def _small(answers: Answers) -> list[str]:
    lines = []
    for given, answer in answers.of("small"):
        rows = answer["rows"]
        names = dict.fromkeys(name.rsplit(": ", 1)[0] for name in rows)
        base = {kind: median(rows[f"{_LAST}: {kind}"]) for kind in ("held", "restore")}
        cells = [
            [
                name,
                *(f"{median(rows[f'{name}: {kind}']) / base[kind]:.2f}" for kind in base),
                *(tables.span(rows[f"{name}: {kind}"]) for kind in base),
            ]
            for name in names
        ]
        lines += [f"## {given['count']:,} TensorFlow variables of 100 bytes", ""]
        head = ["", "save / tf.train's", "restore / tf.train's", "save, s", "restore, s"]
        lines += tables.table(head, cells)
    return lines


_LAST = "tf.train.CheckpointManager"


def _many(answers: Answers) -> list[str]:
    lines = []
    for _, answer in answers.of("many"):
        rows, (few, _) = answer["rows"], bounded.COUNTS
        least = median(rows[str(few)]) / few
        cells = [
            [
                f"restoring {count:,} NumPy arrays of 100 bytes",
                tables.span(rows[str(count)]),
                f"{median(rows[str(count)]) / count / least:.2f}",
            ]
            for count in bounded.COUNTS
        ]
        cells.append([bounded.INFO, tables.span(rows[bounded.INFO]), ""])
        lines += ["## Many small arrays, and many foreign files", ""]
        lines += tables.table(["", "s", f"each array / one of {few:,}"], cells)
    return lines


def _objects(answers: Answers) -> list[str]:
    lines = []
    for _, answer in answers.of("objects"):
        rows, kinds = answer["rows"], ("held", "durable", "restore")
        names = list(dict.fromkeys(row.rpartition(": ")[0] for row in rows))
        cells = []
        for name in names:
            found = [rows[f"{name}: {kind}"] for kind in kinds]
            ratios = [
                f"{median(mine) / median(rows[f'obstore: {kind}']):.2f}"
                for mine, kind in zip(found[1:], kinds[1:], strict=True)
            ]
            cells.append([name, *ratios, *map(tables.span, found)])
        size = f"{answer['bytes'] / 1e6:,.0f} MB"
        lines += [f"## An object store on this machine (moto's server of S3), {size}", ""]
        head = ["", "durable / obstore's upload", "restore / its download"]
        lines += tables.table([*head, "held, s", "durable, s", "restore, s"], cells)
        requests = answer["requests"]
        found = list(dict.fromkeys(kind for one in requests.values() for kind in one))
        counts = [
            [what, *(str(one.get(kind, 0)) for kind in found)] for what, one in requests.items()
        ]
        lines += ["Requests, for a state of 1 MB; a larger pack needs one `put` for each 8 MB:", ""]
        lines += tables.table(["", *found], counts)
    return lines


def _frozen(answers: Answers) -> list[str]:
    head = ["", "written / trained state", "each save from the second on, MB"]
    lines = []
    for given, answer in answers.of("frozen"):
        sizes = f"{answer['bytes'] / 1e6:,.0f} MB, of which {answer['trained'] / 1e6:,.0f} trained"
        cells = [
            [
                name,
                f"{median(written) / answer['trained']:.3f}",
                ", ".join(f"{count / 1e6:.1f}" for count in written),
            ]
            for name, written in answer["written"].items()
        ]
        lines += [f"## 90 % of the weights frozen, on {given['backend']}: {sizes}", ""]
        lines += tables.table(head, cells)
    if lines:
        lines += [
            "With the second save rekindle knows what does not change, and writes it into a file of"
            " its own, once: else the dead bytes of the first file would stay.",
            "",
        ]
    return lines


def _memory(answers: Answers) -> list[str]:
    cells = [
        [
            f"{given['name']}, {given['backend']}",
            *(f"{answer[kind] / answer['bytes']:.2f}" for kind in ("saving", "restoring")),
            *(f"{answer[kind] / 1e6:,.0f}" for kind in ("saving", "restoring", "training")),
        ]
        for given, answer in answers.of("memory")
    ]
    head = ["400 MB", "saving / state", "restoring / state", "saving, MB", "restoring, MB"]
    note = (
        "How much higher the highest resident memory was than in the same training without a save;"
        " at most one state and 64 MB are promised."
    )
    table = tables.table([*head, "training itself, MB"], cells)
    return ["## Memory", "", note, "", *table] if cells else []


def _thousand(answers: Answers) -> list[str]:
    lines = []
    for given, answer in answers.of("thousand"):
        cells = [
            [
                str(row["saves"]),
                f"{row['memory'] / 1e6:.1f}",
                str(row["descriptors"]),
                str(row["threads"]),
                f"{row['disk'] / answer['bytes']:.3f}",
            ]
            for row in answer["rows"]
        ]
        lines += [f"## {answer['saves']} saves in one run, on {given['backend']}", ""]
        head = ["saves", "resident memory, MB", "descriptors", "threads", "disk / state"]
        lines += tables.table(head, cells)
    return lines
