"""Resumes from a backup that Keras' own `BackupAndRestore` left in the folder.

Keras writes the weights first, then the epoch, both in place. A kill in between leaves a
half-written file, or weights and an epoch of two different saves.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from rekindle._format.manifest import Position
from rekindle._frameworks import table as frameworks
from rekindle._inspection import tf_files
from rekindle._keras import internals, variables, weights_file
from rekindle._training import fingerprint, keras_files, settled, stages
from rekindle._training.changes import AllowedChanges
from rekindle._training.keras_files import METADATA, PAIRS, Pair, UnusableError
from rekindle.errors import DamageError, MismatchError, TakeoverWarning, bulleted

# Keras' optimizers only warn, in these words, if they did not load the saved state.
_SKIPPED = "Skipping variable loading"


class Settings(Protocol):
    """The callback's arguments that this module reads."""

    @property
    def directory(self) -> str: ...

    @property
    def allowed(self) -> AllowedChanges: ...


class _OtherModelError(Exception):
    """A pair's weights are not for this model."""


def begin(settings: Settings, model: Any, fit: Mapping[str, Any]) -> dict[str, Any] | None:
    """Restores a backup that Keras' own callback saved in the folder, if there is no other backup.

    Keras loads the weights and the optimizer. As with its own callback, training continues from the
    start of the epoch in which the backup was taken.

    Returns:
        The callback's `resume_report`, whose `number` is ``None``; ``None`` without a backup.

    Raises:
        DamageError: There is a backup, and no pair of its files is complete.
        MismatchError: The backup is of another model or of Keras 2, or has more epochs than this
            fit() asks for. The model is as it was.
    """
    folder = settings.directory
    names = keras_files.present(folder)
    if not names:
        _refuse_keras_2(folder)
    if not names or keras_files.is_settled(folder):
        return None
    if not keras_files.is_backup(names):
        _warn_half(folder, names)
        return None
    if not variables.build(model, fit.get("epoch_iterator")):
        raise MismatchError(
            f"There is a backup of Keras' own callback in {folder!r}, and the model has no"
            " variables yet to restore it into. Build the model before fit(), by calling it on a"
            " batch of data or with an Input layer.",
            differences=["model: expected a built model, found one without variables"],
        )
    with _put_back_on_failure(model):
        pair, notes = _load_first_whole(folder, model, settings, fit)
        stages.refuse_ahead(folder, Position(None, pair.epoch, 0), fit)
    internals.set_initial_epoch(model, pair.epoch)
    step = _step(model)
    _announce(pair, step, notes)
    return {
        "number": None,
        "epoch": pair.epoch,
        "batch": 0,
        "step": step,
        "time": pair.written[0] / 1e9,
        "exact": False,
        "notes": notes,
    }


def _load_first_whole(
    folder: str, model: Any, settings: Settings, fit: Mapping[str, Any]
) -> tuple[Pair, list[str]]:
    problems: list[str] = []
    other: list[str] = []
    for weights, metadata in PAIRS:
        try:
            with keras_files.opened(folder, weights, metadata) as pair:
                _refuse_unsafe(pair, model)
                notes = _load(pair, model, strict=not settings.allowed.allows("optimizer"))
                notes += _refuse_mixed(pair, model, fit)
        except UnusableError as error:
            problems.append(str(error))
        except _OtherModelError as error:
            other.append(f"{weights}: {error}")
        else:
            return pair, [
                f"{problem}, so rekindle used the previous pair" for problem in problems
            ] + notes
    if other:
        raise MismatchError(
            f"The backup of Keras' own callback in {folder!r} is not of this model. Nothing was"
            " changed.\n"
            + bulleted(other)
            + "To resume, use the model that was saved. To start afresh, move Keras' files away,"
            " or give this run a backup folder of its own.",
            differences=other,
        )
    raise DamageError(
        f"Keras' own callback left a backup in {folder!r} that is not whole:\n"
        + bulleted(problems)
        + (
            "Nothing was changed. Repair it as described above, or move these files away to start"
            " afresh."
        ),
        directory=folder,
        damages=problems,
    )


def _refuse_unsafe(pair: Pair, model: Any) -> None:
    """Refuses weights that would cost more than this model's, or that lead to other files."""
    named = variables.named(model) | variables.metrics(model)
    limits = weights_file.Limits(named.values())
    if pair.size > limits.nbytes:
        raise UnusableError(
            f"{pair.weights} has {pair.size} bytes, and rekindle reads at most {limits.nbytes}"
            " bytes for this model"
        )
    weights_file.check(pair.path, pair.weights, limits)


def _load(pair: Pair, model: Any, *, strict: bool) -> list[str]:
    """Loads the weights into the model. Returns Keras' warnings of weights left out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.load_weights(pair.path)
        except OSError as error:
            raise UnusableError(f"{pair.weights} is half-written or damaged ({error})") from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise _OtherModelError(str(error).strip()) from error
    skipped = [
        str(warning.message).strip() for warning in caught if _SKIPPED in str(warning.message)
    ]
    for warning in caught:
        if _SKIPPED not in str(warning.message):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if skipped and strict:
        raise _OtherModelError(" ".join(skipped))
    return skipped


def _refuse_mixed(pair: Pair, model: Any, fit: Mapping[str, Any]) -> list[str]:
    """Refuses weights and an epoch of two different saves, and notes a wrong number of steps."""
    step, in_epoch = _step(model), _steps_in_epoch(fit)
    expected = None
    if step is not None and in_epoch is not None:
        expected = pair.epoch * in_epoch
        # A save after the first batch of an epoch and one at its start have the same metadata.
        if step in (expected, expected + pair.batch + 1):
            return []
    steps = ""
    if expected is not None:
        steps = (
            f"the optimizer has made {step} steps, and epoch {pair.epoch} begins after {expected}"
        )
    weights_written, metadata_written = pair.written
    if weights_written > metadata_written:
        raise UnusableError(
            f"{pair.weights} was written after {pair.metadata}, so they do not belong together,"
            " as when Keras is killed between the two"
            + (f" ({steps})" if steps else "")
            + f"; set the epoch (counted from 0) in {pair.metadata} to the epoch at which these"
            " weights should resume"
        )
    return [steps] if steps else []


def _steps_in_epoch(fit: Mapping[str, Any]) -> int | None:
    count = getattr(fit.get("epoch_iterator"), "num_batches", None)
    return int(count) if isinstance(count, int | np.integer) and count > 0 else None


def _step(model: Any) -> int | None:
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    return None if iterations is None else int(frameworks.to_numpy(iterations))


@contextlib.contextmanager
def _put_back_on_failure(model: Any) -> Iterator[None]:
    """Undoes everything that Keras had loaded before it failed."""
    targets = variables.named(model)
    # Copies: torch's arrays are the memory of the variables.
    before = {name: np.array(value) for name, value in variables.values(targets).items()}
    try:
        yield
    except BaseException:
        variables.assign(targets, before)
        raise


def _announce(pair: Pair, step: int | None, notes: list[str]) -> None:
    done = "" if step is None else f", {step} optimizer steps"
    again = (
        f" The batches of that epoch that Keras had trained already (up to batch {pair.batch})"
        " are trained on again, as with its own callback."
        if pair.batch
        else ""
    )
    warnings.warn(
        TakeoverWarning(
            f"Resuming from the backup of Keras' own callback in {pair.folder!r}: epoch"
            f" {pair.epoch} (counted from 0){done}.{again} The backup has no random states, no"
            " history and no state of other callbacks, so the run may differ from an"
            " uninterrupted one."
            + "".join(f" Note: {note}." for note in notes)
            + " Keras' files stay as they are.",
            directory=pair.folder,
            epoch=pair.epoch,
            batch=pair.batch,
            step=step,
            notes=notes,
        ),
        stacklevel=2,
    )


def _warn_half(folder: str, names: list[str]) -> None:
    warnings.warn(
        TakeoverWarning(
            f"{names[0]!r} in {folder!r} may be the beginning of a backup by Keras' own callback."
            f" Without {METADATA!r}, rekindle cannot know its epoch. The file is left as it is, and"
            " training starts afresh. To resume from it, write the missing file in the form"
            ' {"epoch": 3, "batch": 0}, with the epoch (counted from 0) to resume at.',
            directory=folder,
        ),
        stacklevel=2,
    )


def _refuse_keras_2(folder: str) -> None:
    """Keras 2 keeps a checkpoint of TensorFlow in a folder `chief`."""
    found = tf_files.of_keras_2(folder)
    if not found:
        tf_files.warn_of_models(folder)
        return
    if settled.is_settled(folder, tf_files.indexes_of_keras_2(folder)):
        return
    raise MismatchError(
        f"The BackupAndRestore of Keras 2 (the package tf_keras; keras in R) left a backup in"
        f" {folder!r}: {found[0]!r}. Keras 3 cannot resume from it. Nothing was changed. To resume,"
        " run the script with Keras 2 and rekindle. To start afresh with Keras 3, move the folder"
        f" {tf_files.KERAS_2!r} away, or give this run a backup folder of its own. To use only the"
        " weights, load them with Keras 2, and give them to this model before fit():"
        " model.set_weights(old_model.get_weights()).",
        differences=[fingerprint.of_another_library("Keras 3", "Keras 2")],
    )
