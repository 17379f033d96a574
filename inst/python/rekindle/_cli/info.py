"""``python -m rekindle info``: the contents of a folder, and the run that has locked it."""

from __future__ import annotations

import argparse

from rekindle import inspection
from rekindle._base.counted import counted
from rekindle._base.durations import spoken
from rekindle._cli import codes, text
from rekindle._policy.intervals import REASONS
from rekindle.inspection import FolderInfo, SaveInfo

HELP = "list the checkpoints in a folder, and the run that has locked it"


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
    saves = f"{len(found.saves)} {'checkpoint' if len(found.saves) == 1 else 'checkpoints'}"
    told = [f"{found.directory}: {saves}, {text.size(found.size)}", _use(found)]
    if found.saves:
        told += ["", *_table(found.saves), "", *_after_table(found)]
    else:
        told += _without_saves(found)
    if found.set_aside:
        names = ", ".join(found.set_aside)
        told.append(f"Quarantined because damaged, and not used: {names}.")
    return told


def _use(found: FolderInfo) -> str:
    holder = found.holder
    who = "another process"
    if holder is not None and holder.pid is not None:
        who = f"process {holder.pid} on {holder.host!r}"
        if holder.started is not None:
            who += f", since {text.moment(holder.started)} ({text.age(holder.started)})"
    if found.held is None:
        return (
            "rekindle cannot see from here whether a run has locked the folder. The last one was"
            f" {who}."
        )
    return f"A run has locked the folder: {who}." if found.held else "No run has locked the folder."


def _table(saves: list[SaveInfo]) -> list[str]:
    header = ("checkpoint", "epochs", "batches", "steps", "saved at", "age", "size", "shared", "")
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
        return [*told, "No checkpoint is whole, so no run can resume from this folder."]
    newest = whole[-1]
    if told:
        told.append(f"The next run resumes from {newest.name}.")
    if newest.metrics:
        values = ", ".join(f"{name} {text.number(value)}" for name, value in newest.metrics.items())
        told.append(f"Metrics of {newest.name}: {values}.")
    if newest.schedule:
        told.append(_rhythm(newest))
    if newest.evidence:
        told.append(_evidence(newest))
    return told


def _evidence(save: SaveInfo) -> str:
    """What was seen since the run of this checkpoint resumed."""
    found = save.evidence
    number = found.get("number")
    source = "a backup of Keras' own callback" if number is None else f"checkpoint {number}"
    told = {
        "verified": f"{counted(found)} equal those of the interrupted run",
        "unverified": "the interrupted run left nothing to compare with",
        "changed": "the set-up was changed, so another result is expected",
        "differs": "what it saw differs from what the interrupted run saw",
    }.get(str(found.get("evidence")), "nothing is known about how exactly")
    return f"The run of {save.name} had resumed from {source}: {told}."


def _rhythm(save: SaveInfo) -> str:
    """How often the run of this checkpoint saves, as far as the checkpoint has the numbers."""
    found = {name: value for name, value in save.schedule.items() if type(value) in (int, float)}
    if "interval" not in found:
        return "The run was still measuring how much a save costs, to choose how often to save."
    line = f"The run saves every {spoken(found['interval'])}"
    reason = REASONS.get(str(save.schedule.get("reason")))
    if reason is not None and {"stall", "interference", "step"} <= found.keys():
        line += (
            f", {reason}: a save stalls training for {spoken(found['stall'])} and slows the"
            f" steps after it by {spoken(found['interference'])} in total; a step takes"
            f" {spoken(found['step'])}"
        )
    return line + "."


def _without_saves(found: FolderInfo) -> list[str]:
    if found.of_keras:
        return [
            "There is no checkpoint of rekindle, but a backup of Keras' own BackupAndRestore."
            " rekindle's callback resumes from it."
        ]
    if found.of_keras_2:
        return [
            "There is no checkpoint of rekindle, but a backup of the BackupAndRestore of Keras 2."
            " rekindle.tf_keras.BackupAndRestore resumes from it."
        ]
    if found.foreign:
        shown = ", ".join(found.foreign[:5]) + (", ..." if len(found.foreign) > 5 else "")
        return [
            f"There is no checkpoint. The folder has files that rekindle did not write: {shown}."
        ]
    if found.held:
        return ["There is no checkpoint yet."]
    return ["There is no checkpoint."]
