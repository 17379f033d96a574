"""Backup and restore for ``model.fit()`` of Keras 3, on JAX, PyTorch and TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rekindle import _workers
from rekindle._policy import schedule
from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._saving import arguments as _arguments
from rekindle.errors import DependencyError

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

from rekindle._base import checks
from rekindle._keras import alone, internals
from rekindle._keras.tail_callback import TailCallback
from rekindle._training import arguments
from rekindle._training.callbacks.csv_logs import CsvLogs
from rekindle._training.options import FitOptions

__all__ = ["BackupAndRestore"]


class BackupAndRestore(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no type hints.
    """Saves a training run as it goes, and resumes it after an interruption of any kind.

    A drop-in replacement for ``keras.callbacks.BackupAndRestore``. Run the same script again after
    a crash, a kill or a power cut, and ``fit()`` goes on from the last save: with the model's
    variables, the optimizer's and the epoch. Each save is one atomic commit: a crash at any instant
    leaves the save before it or the new one, whole. Every byte is verified before it is used.

    The state of the other callbacks is saved, too: the attributes that training changes. A save
    never changes what the script set: strings and paths, functions, the configuration of Keras'
    callbacks. A warning names what a resume does not bring back.

    Args:
        backup_dir: str or ``os.PathLike``. The folder for the saves, made when it is not there.
            ``~`` is expanded, and a relative path counts from the working directory of now. A URL
            is refused, but for ``file:///data/run``, which means the path in it. Only one run at a
            time can use a folder. Files in it that are not rekindle's are left alone.
        save_freq: ``"epoch"``, int, str, ``datetime.timedelta``, :class:`rekindle.Auto` or False.
            ``"epoch"`` saves at the end of each epoch; a whole number from 1 up, after that many
            batches, counted over the borders of epochs; a time such as ``"90 s"``, ``"10 min"``,
            ``"1 h 30 min"`` or ``"1 day"``, at the first batch end after that long since the last
            save, or since training began or went on; ``"auto"``, or a ``rekindle.Auto`` with other
            bounds, at intervals that are chosen as training runs, see below; ``False`` never.
            Defaults to ``"epoch"``.
        double_checkpoint: bool. Keep the last two saves instead of one. Defaults to ``False``.
        delete_checkpoint: bool. Remove the saves when training is complete; the folder goes too
            when it is then empty and was made by rekindle. With ``False``, the end of the last
            epoch is saved whatever `save_freq` is (but not with ``"auto"`` or ``False``), and
            ``fit()`` that finds the complete run again runs no epoch. Defaults to ``True``.
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
            place. Optimizers other than ``model.optimizer`` are saved only so. Build what has
            variables before ``fit()``. Defaults to ``None``.
        verbose: 0, 1 or 2. 1 prints a line when a run is resumed, 2 also one for each save.
            Defaults to 0.
        background: bool. ``True`` copies the state when a save is due, and writes it while training
            goes on; at most one save is written at a time, and the next one that is due waits for
            it. The memory for the copy is kept until training ends. An error is dealt with at the
            next batch or epoch. ``False`` writes at once. Defaults to ``True``.
        retention: :class:`rekindle.Retention`, or ``None``. Which checkpoints stay: the newest, the
            best by a metric, one every so many hours. ``best`` looks for its metric in the logs
            that Keras gives when the checkpoint is taken; those of validation are there at the end
            of an epoch only. A resumed run goes on from the newest checkpoint, not from the best.
            Defaults to ``None``: the last one, or two with ``double_checkpoint=True``.
        save_before_preemption: bool, or :class:`rekindle.Preemption`. Whether a signal that
            announces the end of the process is answered by a save, at the end of the batch or
            validation step that is under way, and how. Only on the main thread. A signal that comes
            when ``fit()`` cannot answer it any more, after the last epoch or in a batch that ends
            by an exception, is sent again when the earlier handlers are back: SIGTERM then ends the
            process, and the backup stays. A second signal, more than a second after the first,
            stops training at once, without a save. Code that catches ``TrainingPreempted`` goes on:
            the signal has been answered, and is not sent again. Defaults to ``True``: SIGTERM,
            SIGUSR1 and SIGUSR2 stop training with exit status 75.

    When training is complete, ``delete_checkpoint=True`` removes all saves, the best included.

    Attributes:
        backup_dir: str. The folder, as an absolute path.
        resume_report: ``None`` when nothing was restored by the last ``fit()``, else a dict:
            ``number`` of the save, ``epoch`` (counted from 0) that training went on with, ``batch``
            (how many batches of that epoch the save had seen), ``step`` (optimizer steps in all),
            ``time`` of the save in POSIX seconds. For a backup of Keras' own callback, ``number``
            is ``None``.
        save_report: ``None`` before training, else a dict: ``saves``, how many became durable;
            ``seconds_held``, how long they held training up in all; ``seconds_waited``, how much of
            it was waiting for a save that was still being written.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    ``fit()`` raises, before training begins: ``ArgumentError`` when it has two callbacks that back
    up and restore, Keras' own among them, when it runs in one of several processes that train
    together, in all of them, or when the model is of Keras 2 (``tf_keras``);
    ``LockError`` when another run holds the folder;
    ``MismatchError`` when the backup is of another model, with the differences; ``DamageError``
    when saves are there and none is whole; ``FormatError`` when they were written by a newer
    rekindle; ``ForeignFileError`` when somebody else's file has the name of a save, or
    the folder or a save in it belongs to another user;
    ``RestoreError`` when the system refuses to open or read. With ``on_save_error="raise"`` it
    raises ``SaveError`` when a save fails.

    A backup that has more epochs than `epochs` asks for is a ``MismatchError``, too. It is never
    removed. A script may train in stages on one folder: ``fit(epochs=3)``, and then
    ``fit(initial_epoch=3, epochs=6)``. When the script is run again, and the backup is of a later
    stage (its ``fit()`` began at or after `epochs`), the earlier ``fit()`` runs no epoch, restores
    nothing and warns so (``RekindleWarning``); the later one restores everything. So the model
    holds what the script made until then: a script that uses it between two stages has to keep
    what it needs. Take `initial_epoch` from a constant, not from the ``History`` of the stage
    before.

    Where the folder holds no save of rekindle but a backup of ``keras.callbacks.BackupAndRestore``,
    ``fit()`` goes on with that, and warns so (``TakeoverWarning``): weights and optimizer as Keras
    loads them, from the start of the epoch that was saved. Replace Keras' callback by this one; the
    two cannot stand in one ``fit()``. Keras' files stay as they are; when the
    run is complete, ``takeover.json`` beside them says that they are done with.

    ``save_freq="auto"`` measures, in the running fit, what a save costs: how long it holds training
    up, and how much longer the steps take while it is written. From that it chooses the shortest
    interval that keeps the overhead under `max_overhead`, a second at least, and goes on measuring.
    The first save, after a few batches, is to measure it. That an interval can be tuned so, at
    3.5 %, was shown by CheckFreq (Mohan, Phanishayee and Chidambaram, FAST'21). With a
    `mean_time_between_failures` it is not shorter than what loses least time, in saves and in work
    done again, by the formula of Young (1974) in Daly's higher order (2006). What was chosen is
    said with ``verbose=1``, is in each save, and is shown by ``python -m rekindle info``.

    The arguments `backup_dir`, `save_freq`, `double_checkpoint` and `delete_checkpoint` mean what
    they mean in Keras 3.15 (https://keras.io/api/callbacks/backup_and_restore/).

    Example::

        callback = rekindle.keras.BackupAndRestore("backup")
        model.fit(x, y, epochs=100, callbacks=[callback])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int | timedelta | Auto = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        restore_history: bool = False,
        on_mismatch: str = "error",
        on_save_error: str = "warn",
        extra_state: Mapping[str, Any] | None = None,
        verbose: int = 0,
        background: bool = True,
        retention: Retention | None = None,
        save_before_preemption: bool | Preemption = True,
    ) -> None:
        super().__init__()
        self.backup_dir = arguments.folder(backup_dir)
        self.save_freq = arguments.save_freq(save_freq)
        self.double_checkpoint = checks.flag("double_checkpoint", double_checkpoint)
        self.delete_checkpoint = checks.flag("delete_checkpoint", delete_checkpoint)
        self._settings = FitOptions(
            directory=self.backup_dir,
            delete_checkpoint=self.delete_checkpoint,
            restore_history=checks.flag("restore_history", restore_history),
            on_mismatch=checks.choice("on_mismatch", on_mismatch, ("error", "warn")),
            on_save_error=checks.choice("on_save_error", on_save_error, ("warn", "raise")),
            extra_state=arguments.extra_state(extra_state),
            verbose=int(checks.choice("verbose", verbose, (0, 1, 2))),
            background=checks.flag("background", background),
            retention=arguments.retention(retention, self.double_checkpoint),
            preemption=arguments.preemption(save_before_preemption, self.save_freq),
        )
        self.schedule = self._new_schedule()
        self._due = False
        # For the companion.
        self.csv_logs = CsvLogs(())
        self._current_epoch = 0
        self._tail: TailCallback | None = None
        # Only on the instance that needs it: a class that has this hook costs JAX its asynchronous
        # dispatch.
        if self.schedule.by_batch:
            self.on_train_batch_end = self._train_batch_ended

    def _new_schedule(self) -> schedule.Schedule:
        """One for each fit(): it remembers what that has done."""
        return schedule.schedule(self.save_freq)

    @property
    def resume_report(self) -> dict[str, Any] | None:
        return self._tail.report if self._tail is not None else None

    @property
    def save_report(self) -> dict[str, Any] | None:
        return self._tail.save_report if self._tail is not None else None

    @property
    def looks_at_batches(self) -> bool:
        """Whether saves may be due at the end of a batch. For the companion."""
        return self.schedule.by_batch

    @property
    def saves_the_end(self) -> bool:
        """Whether the end of the last epoch is saved in any case. For the companion.

        With saves by the batch, the end falls between two of them: a backup that stays would not
        look complete when it is found again. "auto" saves only what its bound allows.
        """
        stays = self.looks_at_batches and not self.delete_checkpoint
        is_auto = self.save_freq == "auto" or isinstance(self.save_freq, Auto)
        return stays and not is_auto

    @property
    def _last_batch_seen(self) -> int:
        return self.schedule.last_batch

    def set_model(self, model: Any) -> None:
        _arguments.refuse_keras_2(model)
        super().set_model(model)
        # Before any callback's on_train_begin.
        found, _ = internals.find_callback_list()
        self.csv_logs = CsvLogs(() if found is None else found.callbacks)

    def _implements_train_batch_hooks(self) -> bool:
        """Asked by the list of callbacks of Keras 2 alone, which may have no model yet."""
        raise _arguments.for_keras_3("a list of callbacks")

    def on_train_begin(self, logs: Any = None) -> None:
        try:
            _workers.refuse_several(self.model)
            alone.refuse_others((BackupAndRestore, keras.callbacks.BackupAndRestore))
        except BaseException:
            self.csv_logs.put_back()
            raise
        self.schedule = self._new_schedule()
        self._due = False
        self._tail = TailCallback(self._settings, self, self.model)
        self._tell("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch
        self._tell("on_epoch_begin", epoch, logs)

    def _train_batch_ended(self, batch: int, logs: Any = None) -> None:
        self._due = self.schedule.batch_ended(batch)
        self._tell("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._current_epoch = epoch + 1
        self._due = self.schedule.epoch_ended()
        self._tell("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._tell("on_train_end", logs)

    def take_due(self) -> bool:
        """Whether a save is due; asking clears it. For the companion, last in the list."""
        due, self._due = self._due, False
        return due

    def resumed_after(self, batches: int) -> None:
        """The epoch goes on after so many batches; told by the companion."""
        self.schedule.resumed_after(batches)

    def _tell(self, hook: str, *args: Any) -> None:
        # A training loop of one's own calls these hooks without a CallbackList: then nobody else
        # calls it.
        if self._tail is not None and not self._tail.is_listed:
            getattr(self._tail, hook)(*args)
