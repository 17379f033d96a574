"""Backup and restore for ``model.fit()`` of Keras 3, on JAX, PyTorch and TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle import _schedule
from rekindle.errors import ArgumentError, DependencyError

try:
    import keras
except ImportError as error:
    raise DependencyError(
        "`rekindle.keras` needs Keras 3 and the backend it is set to, and importing them failed:"
        f" {error}. Install them with `pip install keras` and one of `jax`, `torch` or"
        " `tensorflow`, and choose that backend by the environment variable KERAS_BACKEND.",
        package=getattr(error, "name", None) or "keras",
    ) from error

if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 6):
    raise DependencyError(
        f"`rekindle.keras` needs Keras 3.6 or newer, and Keras {keras.__version__} is installed."
        " Upgrade it with `pip install --upgrade keras`.",
        package="keras",
    )

from rekindle._run import objects
from rekindle._run.companion import Companion
from rekindle._run.run import Settings

__all__ = ["BackupAndRestore"]


class BackupAndRestore(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no type hints.
    """Saves a training run as it goes, and resumes it after an interruption of any kind.

    A drop-in replacement for ``keras.callbacks.BackupAndRestore``. Run the same script again after
    a crash, a kill or a power cut, and ``fit()`` goes on from the last save: with the model's
    variables, the optimizer's and the epoch. Each save is one atomic commit: a crash at any instant
    leaves the save before it or the new one, whole. Every byte is verified before it is used.

    Args:
        backup_dir: str or ``os.PathLike``. The folder for the saves, made when it is not there.
            ``~`` is expanded, and a relative path counts from the working directory of now. Only
            one run at a time can use a folder. Files in it that are not rekindle's are left alone.
        save_freq: ``"epoch"``, int or False. ``"epoch"`` saves at the end of each epoch; a whole
            number from 1 up, after that many batches, counted over the borders of epochs; ``False``
            never. Defaults to ``"epoch"``.
        double_checkpoint: bool. Keep the last two saves instead of one. Defaults to ``False``.
        delete_checkpoint: bool. Remove the saves when training is complete; the folder goes too
            when it is then empty and was made by rekindle. Defaults to ``True``.
        restore_history: bool. Whether the ``History`` that a resumed ``fit()`` returns holds the
            epochs of the whole run. By default, as in Keras, only those that this call ran.
        on_mismatch: ``"error"`` or ``"warn"``. What to do when the optimizer, the loss, the batch
            size, the shuffling, the steps or the length of the data are not those of the backup.
            Another model is always an error. Defaults to ``"error"``.
        on_save_error: ``"warn"`` or ``"raise"``. What to do when a save cannot be written, as on a
            full disk. ``"warn"`` warns once for each cause, keeps the save before, goes on, and
            tries again when the next save is due. Defaults to ``"warn"``.
        extra_state: dict of named objects, or ``None``. State outside of the model that belongs to
            the run: objects with ``state_dict()`` and ``load_state_dict()``, Keras variables,
            layers, optimizers or metrics, random generators, or NumPy arrays, which are filled in
            place. Defaults to ``None``.
        verbose: 0, 1 or 2. 1 prints a line when a run is resumed, 2 also one for each save.
            Defaults to 0.

    Attributes:
        backup_dir: str. The folder, as an absolute path.
        resume_report: ``None`` when nothing was restored by the last ``fit()``, else a dict:
            ``number`` of the save, ``epoch`` (counted from 0) that training went on with, ``batch``
            (how many batches of that epoch the save had seen), ``step`` (optimizer steps in all),
            ``time`` of the save in POSIX seconds.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    ``fit()`` raises, before training begins: ``LockError`` when another run holds the folder;
    ``MismatchError`` when the backup is of another model, with the differences; ``DamageError``
    when saves are there and none is whole; ``FormatError`` when they were written by a newer
    rekindle; ``ForeignFileError`` when somebody else's file has the name of a save;
    ``RestoreError`` when the system refuses to open or read. With ``on_save_error="raise"`` it
    raises ``SaveError`` when a save fails.

    The arguments `backup_dir`, `save_freq`, `double_checkpoint` and `delete_checkpoint` mean what
    they mean in Keras 3.15 (https://keras.io/api/callbacks/backup_and_restore/).

    Example::

        callback = rekindle.keras.BackupAndRestore("backup")
        model.fit(x, y, epochs=100, callbacks=[callback])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        restore_history: bool = False,
        on_mismatch: str = "error",
        on_save_error: str = "warn",
        extra_state: Mapping[str, Any] | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        self.backup_dir = _folder(backup_dir)
        self.save_freq = _save_freq(save_freq)
        self.double_checkpoint = _flag("double_checkpoint", double_checkpoint)
        self.delete_checkpoint = _flag("delete_checkpoint", delete_checkpoint)
        self._settings = Settings(
            directory=self.backup_dir,
            max_to_keep=2 if self.double_checkpoint else 1,
            delete_checkpoint=self.delete_checkpoint,
            restore_history=_flag("restore_history", restore_history),
            on_mismatch=_choice("on_mismatch", on_mismatch, ("error", "warn")),
            on_save_error=_choice("on_save_error", on_save_error, ("warn", "raise")),
            extra_state=_extra_state(extra_state),
            verbose=int(_choice("verbose", verbose, (0, 1, 2))),
        )
        self._schedule = _schedule.schedule(self.save_freq)
        self._due = False
        self._current_epoch = 0
        self._companion: Companion | None = None
        # Only on the instance that needs it: a class that has this hook costs JAX its asynchronous
        # dispatch.
        if self._schedule.by_batch:
            self.on_train_batch_end = self._train_batch_ended

    @property
    def resume_report(self) -> dict[str, Any] | None:
        return self._companion.report if self._companion is not None else None

    @property
    def _last_batch_seen(self) -> int:
        return self._schedule.last_batch

    def on_train_begin(self, logs: Any = None) -> None:
        self._schedule = _schedule.schedule(self.save_freq)
        self._due = False
        self._companion = Companion(self._settings, self, self.model)
        self._tell("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch
        self._tell("on_epoch_begin", epoch, logs)

    def _train_batch_ended(self, batch: int, logs: Any = None) -> None:
        self._due = self._schedule.batch_ended(batch)
        self._tell("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch + 1
        self._due = self._schedule.epoch_ended()
        self._tell("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._tell("on_train_end", logs)

    def take_due(self) -> bool:
        """Whether a save is due; asking clears it. For the companion, last in the list."""
        due, self._due = self._due, False
        return due

    def resumed_after(self, batches: int) -> None:
        """The epoch goes on after so many batches; told by the companion."""
        self._schedule.resumed_after(batches)

    def _tell(self, hook: str, *args: Any) -> None:
        # A training loop of one's own calls these hooks without a CallbackList: then nobody else
        # calls it.
        if self._companion is not None and not self._companion.is_listed:
            getattr(self._companion, hook)(*args)


def _folder(value: Any) -> str:
    # Keras' words, which its tests and its users' code look for.
    if value is None or value in ("", b""):
        raise ArgumentError(
            "Empty `backup_dir` argument passed. Give the path of a folder for the backup.",
            argument="backup_dir",
            value=value,
        )
    if not isinstance(value, str | bytes | os.PathLike):
        raise ArgumentError(
            f"Invalid value for argument `backup_dir`. Received: backup_dir={value!r}."
            " Expected the path of a folder, as a string or an os.PathLike.",
            argument="backup_dir",
            value=value,
        )
    return os.path.abspath(os.path.expanduser(os.fsdecode(value)))


def _save_freq(value: Any) -> str | int:
    if value is False or (isinstance(value, str) and value == "epoch"):
        return value
    # A bool is an int to isinstance(), and True would save after every batch.
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1:
        return int(value)
    raise ArgumentError(
        f"Invalid value for argument `save_freq`. Received: save_freq={value!r}."
        " Expected 'epoch', a whole number of batches from 1 up, or False.",
        argument="save_freq",
        value=value,
    )


def _flag(name: str, value: Any) -> bool:
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise ArgumentError(
        f"Invalid value for argument `{name}`. Received: {name}={value!r}. Expected True or False.",
        argument=name,
        value=value,
    )


def _choice(name: str, value: Any, accepted: tuple[Any, ...]) -> Any:
    if not isinstance(value, bool) and value in accepted:
        return value
    listed = ", ".join(map(repr, accepted[:-1])) + f" or {accepted[-1]!r}"
    raise ArgumentError(
        f"Invalid value for argument `{name}`. Received: {name}={value!r}. Expected {listed}.",
        argument=name,
        value=value,
    )


def _extra_state(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ArgumentError(
            f"Invalid value for argument `extra_state`. Received: extra_state={value!r}."
            " Expected a dict of named objects.",
            argument="extra_state",
            value=value,
        )
    for name, item in value.items():
        if not objects.can_be_put_back(item):
            raise ArgumentError(
                f"Invalid value for argument `extra_state`. Received: {name}={item!r:.200}."
                " Expected objects with the methods state_dict() and load_state_dict(), Keras"
                " variables, layers, optimizers or metrics, random generators or NumPy arrays.",
                argument="extra_state",
                value=value,
            )
    return dict(value)
