"""Resumes from a backup that Synalinks' own `BackupAndRestore` left in the folder.

That callback writes the variables to ``latest.variables.json`` first, then the epoch to
``training_metadata.json``, both in place and without a checksum. With `double_checkpoint`, it also
keeps the previous pair, with ``.bkp`` at the end of the names. This module only reads these files.
"""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from rekindle._format.manifest import Position
from rekindle._storage.local import fs, guard
from rekindle._synalinks import variables
from rekindle._training import settled, stages
from rekindle.errors import BrokenTreeError, DamageError, MismatchError, TakeoverWarning, bulleted

VARIABLES = "latest.variables.json"
METADATA = "training_metadata.json"

# Newest first.
PAIRS = ((VARIABLES, METADATA), (VARIABLES + ".bkp", METADATA + ".bkp"))

_IN_ORDER = [name for pair in PAIRS for name in pair]

NAMES = frozenset(_IN_ORDER)

_LARGEST = 1 << 28


class _UnusableError(Exception):
    """A pair of files is not complete."""


class Trainer(Protocol):
    """What this module needs of the trainer of a fit()."""

    fit: Any
    _model: Any

    def build_optimizer(self) -> None: ...

    def start_at(self, epoch: int | None) -> None: ...

    def put_before_epochs(self, put: Any, is_new: bool) -> None: ...


@dataclass(frozen=True)
class _Pair:
    """A backup by Synalinks: the values of its variables, each with the live variable."""

    epoch: int
    batch: int
    time: float
    values: list[tuple[Any, dict[str, Any]]]
    notes: list[str]


def begin(folder: str, trainer: Trainer) -> dict[str, Any] | None:
    """Restores such a backup, if there is one. Training continues from the start of its epoch.

    Returns:
        The callback's `resume_report`, whose `number` is ``None``; ``None`` without a backup.

    Raises:
        DamageError: There is a backup, and no pair of its files is complete.
        MismatchError: The backup is of another program, or has more epochs than this fit() asks
            for. Nothing was changed.
    """
    names = [name for name in _IN_ORDER if fs.exists(os.path.join(folder, name))]
    if not names or settled.is_settled(folder, _IN_ORDER):
        return None
    trainer.build_optimizer()
    pair = _first_whole(folder, trainer._model)
    stages.refuse_ahead(folder, Position(None, pair.epoch, 0), trainer.fit)

    def put() -> None:
        for variable, value in pair.values:
            # Training changes the value in place: it empties the population before the second time.
            variable.assign(copy.deepcopy(value))

    put()
    # Training begins by emptying the populations.
    trainer.put_before_epochs(put, False)
    trainer.start_at(pair.epoch)
    _announce(folder, pair)
    return {
        "number": None,
        "epoch": pair.epoch,
        "batch": 0,
        "step": int(trainer._model.optimizer.iterations),
        "time": pair.time,
        "exact": False,
        "notes": pair.notes,
    }


def settle(folder: str) -> None:
    """Notes in the folder that the run which Synalinks' files back up is complete."""
    settled.settle(folder, settled.digests(folder, _IN_ORDER))


def _first_whole(folder: str, program: Any) -> _Pair:
    problems: list[str] = []
    for names in PAIRS:
        try:
            pair = _read(folder, names, program)
        except _UnusableError as error:
            problems.append(str(error))
        else:
            pair.notes[:0] = [f"{one}, so rekindle used the previous pair" for one in problems]
            return pair
    raise DamageError(
        f"Synalinks' own callback left a backup in {folder!r} that is not whole:\n"
        + bulleted(problems)
        + "Nothing was changed. Repair these files, or move them away to start afresh.",
        directory=folder,
        damages=problems,
    )


def _read(folder: str, names: tuple[str, str], program: Any) -> _Pair:
    state, metadata = (_json(folder, name) for name in names)
    epoch: Any = metadata.get("epoch")
    batch: Any = metadata.get("batch", 0)
    if not all(type(count) is int and count >= 0 for count in (epoch, batch)):
        raise _UnusableError(f"{names[1]} names no epoch")
    values = list(_values(state, program, folder))
    notes = []
    written, metadata_written = (os.stat(os.path.join(folder, name)).st_mtime_ns for name in names)
    counter = next((value for _, value in values if "iterations" in value), {})
    if counter.get("epochs", epoch) != epoch:
        steps = f"{names[0]} has {counter.get('epochs')} epochs, and {names[1]} has {epoch}"
        # A kill between the two files leaves the new one beside the old one.
        if written > metadata_written:
            raise _UnusableError(f"{steps}: they are of two different saves")
        notes.append(steps)
    return _Pair(epoch, batch, written / 1e9, values, notes)


def _json(folder: str, name: str) -> dict[str, Any]:
    path = os.path.join(folder, name)
    if not fs.exists(path):
        raise _UnusableError(f"{name} is missing")
    try:
        fd, size = fs.open_regular(path)
        with fs.closing(fd):
            # Another user may have replaced it since the files of the folder were looked at.
            guard.refuse_other(folder, fd, name)
            if size > _LARGEST:
                raise _UnusableError(f"{name} is larger than {_LARGEST} bytes")
            found = json.loads(fs.read_whole(fd, size))
    except OSError as error:
        raise _UnusableError(f"{name} cannot be read ({error})") from error
    except (ValueError, RecursionError) as error:
        raise _UnusableError(f"{name} is half-written or damaged ({error})") from error
    if not isinstance(found, dict):
        raise _UnusableError(f"{name} is not from Synalinks: it holds no object")
    return found


def _values(
    state: dict[str, Any], program: Any, folder: str
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The saved value of each live variable that has one.

    The names of an optimizer's inner programs differ in each process, so they have none.
    """
    optimizer = program.optimizer
    trained = program.trainable_variables
    other = [one for one in program.variables if not one.trainable]
    missing = []
    for key, found in (
        ("trainable_variables", trained),
        ("non_trainable_variables", other),
        ("optimizer_non_trainable_variables", optimizer.non_trainable_variables),
    ):
        for variable in found:
            value = _at(state.get(key), variable.path.split("/"))
            if value is None:
                missing.append(f"{variable.path}: expected a value, found none in the backup")
                continue
            try:
                variables.check_value(value, variable)
            except BrokenTreeError as error:
                raise _UnusableError(f"{VARIABLES} is damaged ({error})") from error
            yield variable, value
    if missing:
        raise MismatchError(
            f"The backup of Synalinks' own callback in {folder!r} is not of this program. Nothing"
            f" was changed.\n{bulleted(missing)}To resume, use the program that was saved. To start"
            " afresh, move Synalinks' files away, or give this run a backup folder of its own.",
            differences=missing,
        )


def _at(tree: Any, path: list[str]) -> Any:
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else None


def _announce(folder: str, pair: _Pair) -> None:
    again = (
        f" The batches of that epoch that were trained already (up to batch {pair.batch}) are"
        " trained on again, as with its own callback."
        if pair.batch
        else ""
    )
    warnings.warn(
        TakeoverWarning(
            f"Resuming from the backup of Synalinks' own callback in {folder!r}: epoch"
            f" {pair.epoch} (counted from 0).{again} The backup has no random states, no history,"
            " no counters of tokens and cost and no state of other callbacks, so the run may differ"
            " from an uninterrupted one."
            + "".join(f" Note: {note}." for note in pair.notes)
            + " Synalinks' files stay as they are.",
            directory=folder,
            epoch=pair.epoch,
            batch=pair.batch,
            step=None,
            notes=pair.notes,
        ),
        stacklevel=2,
    )
