"""``python -m rekindle info``: the contents of a folder, and the run that holds it."""

from __future__ import annotations

import argparse

from rekindle import inspection
from rekindle._base.durations import spoken
from rekindle._cli import codes, text
from rekindle._policy.intervals import REASONS
from rekindle.inspection import FolderInfo, SaveInfo

HELP = "what a folder holds, and who holds the folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments of its own."""


def run(arguments: argparse.Namespace) -> int:
    found = inspection.info(arguments.directory)
    if arguments.json:
        text.say_json(found)
    else:
        text.say(*lines(found))
    return codes.of_state(found.state)


def lines(found: FolderInfo) -> list[str]:
    """The folder in words."""
    if found.state == "missing":
        return [f"There is no folder {found.directory}."]
    saves = f"{len(found.saves)} {'save' if len(found.saves) == 1 else 'saves'}"
    told = [f"{found.directory}: {saves}, {text.size(found.size)}", _use(found)]
    if found.saves:
        told += ["", *_table(found.saves), "", *_after_table(found)]
    else:
        told += _without_saves(found)
    if found.set_aside:
        names = ", ".join(found.set_aside)
        told.append(f"Set aside as damaged, and not used: {names}.")
    return told


def _use(found: FolderInfo) -> str:
    holder = found.holder
    who = "another process"
    if holder is not None and holder.pid is not None:
        who = f"process {holder.pid} on {holder.host!r}"
        if holder.started is not None:
            who += f", since {text.moment(holder.started)} ({text.age(holder.started)})"
    if found.held is None:
        return f"Whether a run holds it cannot be told from here. The last one was {who}."
    return f"A run holds it: {who}." if found.held else "No run holds it."


def _table(saves: list[SaveInfo]) -> list[str]:
    header = ("save", "epochs", "batches", "steps", "saved at", "age", "size", "shared", "")
    rows = [
        (
            save.name,
            text.number(save.epoch),
            text.number(save.batch),
            text.number(save.step),
            "-" if save.time is None else text.moment(save.time),
            "-" if save.time is None else text.age(save.time),
            text.size(save.size),
            text.size(save.shared) if save.shared else "-",
            "whole" if save.damage is None else "damaged",
        )
        for save in saves
    ]
    return text.table(header, rows)


def _after_table(found: FolderInfo) -> list[str]:
    told = [f"{save.name} is damaged: {save.damage}." for save in found.saves if save.damage]
    whole = [save for save in found.saves if save.damage is None]
    if not whole:
        return [*told, "No save is whole, so no run can go on from this folder."]
    newest = whole[-1]
    if told:
        told.append(f"A run that goes on here begins with {newest.name}.")
    if newest.metrics:
        values = ", ".join(f"{name} {text.number(value)}" for name, value in newest.metrics.items())
        told.append(f"Metrics of {newest.name}: {values}.")
    if newest.schedule:
        told.append(_rhythm(newest))
    return told


def _rhythm(save: SaveInfo) -> str:
    """How often the run of this checkpoint saves, as far as the checkpoint has the numbers."""
    found = {name: value for name, value in save.schedule.items() if type(value) in (int, float)}
    if "interval" not in found:
        return "The run was measuring what a save costs, to choose how often to save."
    line = f"The run saves every {spoken(found['interval'])}"
    reason = REASONS.get(str(save.schedule.get("reason")))
    if reason is not None and {"stall", "interference", "step"} <= found.keys():
        line += (
            f", {reason}: a save holds training up for"
            f" {spoken(found['stall'])}, slows its steps by {spoken(found['interference'])} in all,"
            f" and a step takes {spoken(found['step'])}"
        )
    return line + "."


def _without_saves(found: FolderInfo) -> list[str]:
    if found.of_keras:
        return [
            "There is no save of rekindle's, but a backup of Keras' own BackupAndRestore:"
            " rekindle's goes on from it."
        ]
    if found.foreign:
        shown = ", ".join(found.foreign[:5]) + (", ..." if len(found.foreign) > 5 else "")
        return [f"There is no save; what is there is not rekindle's: {shown}."]
    if found.held:
        return ["There is no save yet."]
    return ["There is no save."]
