"""The tables of the extra time that training takes with saves."""

from __future__ import annotations

from statistics import median

from benchmarks import tables
from benchmarks.tables import Answers


def turns(answers: Answers) -> list[str]:
    lines = []
    for given, answer in answers.of("turns"):
        size = f"{answer['bytes'] / 1e6:,.0f} MB"
        lines += [f"## A save after every other epoch, on {given['backend']}, {size}", ""]
        keeps = ""
        if answer.get("keeps_memory"):
            keeps = " The C library was asked to keep what is freed (`MALLOC_MMAP_MAX_=0`)."
        if given["backend"] == "tensorflow":
            keeps += (
                " The data is a pipeline that TensorFlow does not tune: tuning, it at times stands"
                " still for 5 s at the beginning of an epoch, with callbacks or without."
            )
        lines += [
            f"Epochs of {tables.span(answer['usual'], digits=2)} s without. Each with a save is"
            " compared with the mean of the two beside it, in the same `fit()`: from one `fit()` to"
            f" another, the machine's speed changes by more than a save costs.{keeps} A save and"
            " what it does afterwards have ended within a quarter of an epoch. So the first figure"
            " looks at that quarter alone, and how much longer it took than the batches around it:"
            " the rest of the epoch only adds to the noise, which is all that the second has more.",
            "",
        ]
        cells = [
            [name, *(tables.percent(kinds[kind]) for kind in ("quarter", "epoch", "processor"))]
            for name, kinds in sorted(answer["rows"].items(), reverse=True)
        ]
        head = ["", "longer, of the epoch", "by whole epochs", "processor time more"]
        lines += tables.table(head, cells)
    return lines


def tunings(answers: Answers) -> list[str]:
    lines = []
    for given, answer in answers.of("tunings"):
        size = f"{answer['bytes'] / 1e6:,.0f} MB"
        lines += [
            f"## The optimizations for Linux, on {given['backend']}, {size}",
            "",
            "Each row leaves one out (`REKINDLE_TUNING`). The first columns are for a save beside"
            f" training, as a share of an epoch of {median(answer['usual']):.2f} s; the last three"
            " are for a save while nothing else runs.",
            "",
        ]
        cells = []
        for name, kinds in answer["rows"].items():
            seconds = (
                tables.span(answer["saves"][f"{name}: {what}"])
                for what in ("held", "durable", "restore")
            )
            cells.append(
                [
                    name,
                    *(tables.percent(kinds[kind]) for kind in ("quarter", "processor")),
                    *seconds,
                ]
            )
        head = ["", "longer, of the epoch", "processor time more", "held, s", "durable, s"]
        lines += tables.table([*head, "restore, s"], cells)
    return lines


def fits(answers: Answers) -> list[str]:
    lines = []
    for given, answer in answers.of("fits"):
        rows = answer["rows"]
        base = median(rows["without"])
        title = f"## fit() on {given['backend']}, {answer['bytes'] / 1e6:,.0f} MB"
        lines += [f"{title}, {answer['batches']} batches an epoch", ""]
        cells = [
            [name, f"{(median(values) / base - 1) * 100:+.1f} %", tables.span(values, digits=2)]
            for name, values in sorted(rows.items(), key=lambda row: row[0] != "without")
        ]
        lines += tables.table(["", "longer than without", "an epoch, s"], cells)
    return lines


def auto(answers: Answers) -> list[str]:
    cells = []
    for given, answer in answers.of("auto"):
        chosen = answer["chosen"]
        cells.append(
            [
                f"{given['backend']}, {_CASES[given['case']]}",
                f"{100 * answer['overhead']:.2f} % of {100 * answer['bound']:.1f} %",
                f"{chosen['saves']} saves, every {chosen['interval']:.2f} s",
                f"{chosen['stall']:.3f}",
                f"{chosen['interference']:.3f}",
                f"{chosen['duration']:.2f}",
                f"{1000 * chosen['step']:.2f}",
            ]
        )
    head = ["", "overhead, of its bound", "chosen", "stall, s", "interference, s", "durable, s"]
    title = '## `save_freq="auto"`: steps of 10 ms, saves that cost 0.1 s'
    return [title, "", *tables.table([*head, "step, ms"], cells)] if cells else []


_CASES = {"held": "training stalls", "behind": "behind the training"}


def hooks(answers: Answers) -> list[str]:
    found = answers.of("hooks")
    if not found:
        return []
    names = list(found[0][1]["rows"])
    cells = [
        [
            f"{given['backend']}, {what}",
            *(tables.span(answer[key][name], 1e-6, 1) for name in names),
        ]
        for given, answer in found
        for key, what in (("rows", "its last hooks"), ("whole", "as a whole"))
    ]
    return ["## Microseconds a batch, no save being due", "", *tables.table(["", *names], cells)]
