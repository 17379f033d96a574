"""Resumes from a backup that tf_keras' own `BackupAndRestore` left in the folder.

That callback keeps a checkpoint of TensorFlow in a folder `chief`: the weights, the optimizer, and
how many batches were trained. TensorFlow itself reads it. It writes the index last and holds
checksums, so a damaged checkpoint is found.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from rekindle._inspection import tf_files
from rekindle._tf_keras import tf_files_given, variables
from rekindle._training import fingerprint, keras_files, settled
from rekindle.errors import DamageError, ForeignFileError, MismatchError, TakeoverWarning, bulleted

FOLDER = tf_files.KERAS_2
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"

# Errors of TensorFlow about files that are not whole. Its reader raises Python's own, too.
_DAMAGE = (tf.errors.OpError, IndexError, RuntimeError, OSError)


@dataclass(frozen=True)
class Place:
    """Where the backup stands.

    Attributes:
        path: The checkpoint.
        time: When it was written, in POSIX seconds.
        epoch: The epoch to continue with.
        batch: How many batches of it were trained.
        trained: How many batches were trained in all.
    """

    path: str
    time: float
    epoch: int
    batch: int
    trained: int


def present(folder: str) -> list[str]:
    """The checkpoints in the folder, newest first; empty if all were finished with."""
    found = tf_files.of_keras_2(folder)
    return [] if settled.is_settled(folder, tf_files.indexes_of_keras_2(folder)) else found


def settle(folder: str) -> None:
    """Notes in the folder that the run which tf_keras' files back up is complete."""
    # The index holds the checksums of all values.
    settled.settle(folder, settled.digests(folder, tf_files.indexes_of_keras_2(folder)))


def load(folder: str, model: Any, initial: int, batches: int | None) -> tuple[Place, list[str]]:
    """Loads the newest whole checkpoint into the model, which has all its variables.

    Args:
        folder: The folder of the backup.
        model: The model.
        initial: The script's first epoch.
        batches: How many batches an epoch has, if that is known.

    Returns:
        The place to continue at, and notes.

    Raises:
        DamageError: No checkpoint is whole.
        MismatchError: The checkpoint is of another model. The model is as it was.
    """
    problems: list[str] = []
    for path in present(folder):
        name = os.path.join(FOLDER, os.path.basename(path))
        try:
            with tf_files_given.opened(path, variables.named(model).values()) as (given, written):
                place = _place(given, path, initial, batches)
                _read(given, model, folder)
            place = replace(place, path=path, time=written)
        except (MismatchError, ForeignFileError):  # RuntimeErrors, but no damages.
            raise
        except _DAMAGE as error:
            problems.append(f"{name} is damaged ({_first_line(error)})")
        else:
            return place, [f"{one}, so the one before was taken" for one in problems]
    raise DamageError(
        f"tf_keras' own callback left a backup in {folder!r} that is not whole:\n"
        + bulleted(problems)
        + f"Nothing was changed. To start training afresh, move the folder {FOLDER!r} away.",
        directory=folder,
        damages=problems,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _place(given: str, path: str, initial: int, batches: int | None) -> Place:
    reader = tf.train.load_checkpoint(given)
    trained, epoch, batch = (
        int(reader.get_tensor(name + _VALUE))
        for name in ("train_counter", "ckpt_saved_epoch", "ckpt_saved_batch")
    )
    if batches is None:
        # A batch is noted if any callback looks at batches.
        where = (epoch + 1, 0) if batch < 0 else (epoch, batch + 1)
        return Place(path, 0.0, *where, trained)
    done, left = divmod(trained, batches)
    if initial + done - epoch not in (0, 1):
        line = f"epochs: expected {batches} batches in each, found {trained} before epoch {epoch}"
        raise MismatchError(
            f"The backup of tf_keras' own callback, {path!r}, has epochs of another length: it has"
            f" trained {trained} batches and is in epoch {epoch} (counted from 0). This fit() has"
            f" {batches} batches in an epoch and begins at epoch {initial}. Nothing was changed.",
            differences=[line],
        )
    return Place(path, 0.0, initial + done, left, trained)


def _read(path: str, model: Any, folder: str) -> None:
    """Reads the checkpoint into the model; on failure, the model stays as it was."""
    live = variables.named(model)
    before = variables.copies(live)
    checkpoint = tf.train.Checkpoint(model=model, train_counter=model._train_counter)
    try:
        status = checkpoint.read(path)
        status.expect_partial()
        status.assert_existing_objects_matched()
    except (AssertionError, ValueError) as error:
        variables.assign(live, before)
        text = _first_line(error)
        raise MismatchError(
            f"The backup of tf_keras' own callback in {folder!r} is not of this model: {text}."
            " Nothing was changed. To resume, use the model that was saved. To start afresh, move"
            f" the folder {FOLDER!r} away, or give this run a backup folder of its own.",
            differences=[text],
        ) from error
    except BaseException:
        variables.assign(live, before)
        raise


def announce(folder: str, place: Place, notes: list[str]) -> None:
    warnings.warn(
        TakeoverWarning(
            f"Resuming from the backup of tf_keras' own callback in {folder!r}: epoch {place.epoch}"
            f" (counted from 0), batch {place.batch}, {place.trained} batches trained. The backup"
            " has no random states, no metrics of the epoch, no history and no state of other"
            " callbacks, so the run may differ from an uninterrupted one."
            + "".join(f" Note: {note}." for note in notes)
            + " Its files stay as they are.",
            directory=folder,
            epoch=place.epoch,
            batch=place.batch,
            step=place.trained,
            notes=notes,
            library="tf_keras",
        ),
        stacklevel=2,
    )


def refuse_keras_3(folder: str) -> None:
    """Refuses a backup that the callback of Keras 3 left. Warns of the beginning of one."""
    names = keras_files.present(folder)
    if not names or keras_files.is_settled(folder):
        return
    what = f"{names[0]!r} in {folder!r} is of a backup by the callback of Keras 3 (R: keras3)"
    if keras_files.is_backup(names):
        raise MismatchError(
            f"{what}. Keras 2 cannot resume from it. Nothing was changed. To resume, run the script"
            " with Keras 3 and rekindle. To start afresh with Keras 2, move"
            f" {' and '.join(map(repr, names))} away, or give this run a backup folder of its own.",
            differences=[fingerprint.of_another_library("Keras 2", "Keras 3")],
        )
    text = f"{what}. Keras 2 cannot resume from it: training starts afresh. The file stays."
    warnings.warn(TakeoverWarning(text, directory=folder), stacklevel=2)
