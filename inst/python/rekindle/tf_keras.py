"""Backup and restore for ``model.fit()`` of Keras 2, that is, of the package tf_keras."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from rekindle._base.origin import module_of
from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import Tolerance
from rekindle.errors import ArgumentError, DependencyError

try:
    import tf_keras

    # A folder of this name, where the script runs, is a package, too, and has nothing in it.
    tf_keras.__version__  # noqa: B018
except (ImportError, AttributeError) as error:
    raise DependencyError(
        f"`rekindle.tf_keras` needs the package tf_keras, and importing it failed: {error}. Install"
        " it with `pip install tf_keras`, in the version of the installed TensorFlow.",
        package=getattr(error, "name", None) or "tf_keras",
    ) from error

import tensorflow as tf

from rekindle._tf_keras import internals, strategies
from rekindle._tf_keras.tail_callback import TailCallback
from rekindle._training import alone, arguments
from rekindle._training.backup_hooks import BackupHooks
from rekindle._training.callbacks.csv_logs import CsvLogs

__all__ = ["BackupAndRestore"]


class BackupAndRestore(BackupHooks, tf_keras.callbacks.Callback):  # type: ignore[misc]  # No types.
    """Backs up a training run of tf_keras, and resumes it after a kill.

    A drop-in replacement for ``tf_keras.callbacks.BackupAndRestore`` (also known as
    ``tf.keras.callbacks.BackupAndRestore``). After a crash, a kill or a power cut, run the same
    script again. ``fit()`` then restores the last checkpoint and continues with the next batch.
    Unlike with the callback of tf_keras, the result is the same, bit for bit, as without the
    interruption: rekindle also restores the position in the data, the metrics of the epoch, the
    other callbacks, and every random state, that of `Dropout` among them. What it cannot restore
    exactly it names: by an ``InexactWarning`` when it saves, and in `resume_report` later.

    The arguments `backup_dir`, `save_freq`, `delete_checkpoint` and `save_before_preemption` are
    those of tf_keras, in its order. `save_before_preemption` is for every system that announces the
    end of a process by a signal, and asks no server. The others mean the same as those of
    :class:`rekindle.keras.BackupAndRestore`, which describes each of them in full.

    Args:
        backup_dir: str or ``os.PathLike``. The folder for the backup, or a place in an object
            store, such as ``"s3://bucket/run7"``.
        save_freq: ``"epoch"``, int, str, ``datetime.timedelta``, :class:`rekindle.Auto` or False.
            When to save: at the end of every epoch; after that many batches, counted across epochs;
            after that much time, such as ``"10 min"``; at intervals that rekindle chooses
            (``"auto"``); or never by itself (``False``). Defaults to ``"epoch"``.
        delete_checkpoint: bool. ``True`` removes all checkpoints when training is complete.
            Defaults to ``True``.
        save_before_preemption: bool, or :class:`rekindle.Preemption`. ``True`` saves when a signal
            announces the end of the process, and then ends training. Defaults to ``False``.
        double_checkpoint: bool. ``True`` keeps the last two checkpoints instead of the last one.
            Defaults to ``False``.
        restore_history: bool. ``True`` gives the ``History`` that a resumed ``fit()`` returns the
            epochs of the whole run. Defaults to ``False``.
        allow_changes: str, collection of str, or ``None``. Names the things that you have changed
            in the script since the backup, such as ``"batch_size"``. If anything else differs,
            ``fit()`` raises a ``MismatchError``. The keyword
            ``on_mismatch="warn"`` means ``allow_changes="all"``. Defaults to ``None``.
        on_save_error: ``"warn"`` or ``"raise"``. What to do if a checkpoint cannot be written.
            Defaults to ``"warn"``.
        extra_state: dict of named objects, or ``None``. Other state that belongs to the run:
            objects with ``state_dict()`` and ``load_state_dict()``, random generators, NumPy
            arrays, lists, dicts, deques, sets or dataclasses, which rekindle fills in place.
            Variables and optimizers that are attributes of the model are saved with it.
            Defaults to ``None``.
        verbose: 0, 1 or 2. 1 prints a line when a run resumes. 2 also prints a line for each
            checkpoint. Defaults to 0.
        background: bool. ``True`` writes while training continues. Defaults to ``True``.
        retention: :class:`rekindle.Retention`, or ``None``. Which checkpoints to keep. Defaults to
            ``None``: the last one.
        on_difference: ``"warn"``, ``"raise"``, ``"ignore"`` or :class:`rekindle.Tolerance`. What
            to do if the resumed run sees other losses than the interrupted run saw after the
            checkpoint, as with :class:`rekindle.keras.BackupAndRestore`. Defaults to ``"warn"``.
        storage_options: dict of str, or ``None``. Settings of an object store, as with
            :class:`rekindle.keras.BackupAndRestore`. Defaults to ``None``.
        worker_timeout: str or ``datetime.timedelta``, such as ``"10 min"``. With several workers,
            how long they wait for one that does not come. Defaults to ``"10 min"``.

    Attributes:
        backup_dir: str. The folder, as an absolute path.
        resume_report: ``None`` if the last ``fit()`` restored nothing, else a dict, as with
            :class:`rekindle.keras.BackupAndRestore`.
        save_report: ``None`` before training, else a dict, as there.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Before training begins, ``fit()`` raises the same errors as with
    :class:`rekindle.keras.BackupAndRestore`. It also raises ``ArgumentError`` under a strategy of
    ``tf.distribute`` that is not named below, such as ``TPUStrategy``, which was never tried.

    **Several devices, several workers.** A run under ``MirroredStrategy`` is exact as a run on one
    device is. Under ``MultiWorkerMirroredStrategy``, run the same script in each worker, with the
    same `backup_dir` in a folder that all of them see:

    - There is one backup. Worker 0 locks the folder and writes. It also decides which checkpoint
      all workers restore. A checkpoint holds, of each worker, the state that only this worker has:
      statistics of `BatchNormalization`, metrics, random states, callbacks, the place in its data.
      Each worker gets its own state back.
    - If a worker dies, fails or is killed, the others end with an error of TensorFlow, after 10
      seconds or less. Start all of them again, by hand or by ``python -m rekindle run`` on each
      machine. They resume at the same step, with the same bits.
    - If a worker lives but does not come to its next training step within `worker_timeout`, the
      others end with an error that names it and its machine. A worker that hangs inside of a step,
      for example in its data, looks like the others, which wait inside of the step, too: rekindle
      cannot name it. If the process itself is stopped, TensorFlow names it after about 10 seconds.
    - `save_before_preemption`, and a `save_freq` that goes by time, cost a message among all
      workers (an ``all_gather`` of two numbers, which takes some milliseconds) at the end of each
      batch. With the other values of `save_freq` there is none. A signal to one worker stops all
      of them at the end of the same batch, each with exit code 75. Worker 0's clock decides when a
      checkpoint is due.
    - With ``on_save_error="raise"``, all workers raise the error, when the next checkpoint is due.
      `save_report` counts checkpoints in worker 0 only.

    Under ``ParameterServerStrategy``, the coordinator saves and restores, at the end of an epoch
    only: `save_freq` in batches or by time and `save_before_preemption` are refused. The death of a
    worker changes nothing. A coordinator that is killed resumes with the next epoch. Such a
    training is never repeated bit for bit, and an ``InexactWarning`` says so.

    What differs from one run of tf_keras to the next cannot be restored either:

    - A `Sequence` that is read by several workers, if tf_keras shuffles it or it changes itself in
      its `on_epoch_end()`. tf_keras does that once or twice in an epoch, depending on how long the
      end of the epoch takes.
    - Data that draws from a global random generator while TensorFlow reads it ahead, if a callback
      draws from the same generator. If only the data draws, the resumed run is exact.

    Example::

        callback = rekindle.tf_keras.BackupAndRestore("backup")
        model.fit(x, y, epochs=100, callbacks=[callback])
    """

    @arguments.takes_on_mismatch
    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int | timedelta | Auto | None = "epoch",
        delete_checkpoint: bool = True,
        save_before_preemption: bool | Preemption = False,
        *,
        double_checkpoint: bool = False,
        restore_history: bool = False,
        allow_changes: str | Collection[str] | None = None,
        on_save_error: str = "warn",
        extra_state: Mapping[str, Any] | None = None,
        verbose: int = 0,
        background: bool = True,
        retention: Retention | None = None,
        on_difference: str | Tolerance = "warn",
        storage_options: Mapping[str, Any] | None = None,
        worker_timeout: str | timedelta = "10 min",
    ) -> None:
        super().__init__()
        self._supports_tf_logs = True
        _refuse_graphs()
        if not save_freq and not save_before_preemption:
            # The words of tf_keras: its tests and its users' code look for them.
            raise ArgumentError(
                "Either `save_freq` or `save_before_preemption` must be set.",
                argument="save_freq",
                value=save_freq,
            )
        self._set_up(
            arguments.options(
                backup_dir=backup_dir,
                save_freq=save_freq or False,
                double_checkpoint=double_checkpoint,
                delete_checkpoint=delete_checkpoint,
                restore_history=restore_history,
                allow_changes=allow_changes,
                on_save_error=on_save_error,
                extra_state=extra_state,
                verbose=verbose,
                background=background,
                retention=retention,
                save_before_preemption=save_before_preemption,
                on_difference=on_difference,
                storage_options=storage_options,
                worker_timeout=worker_timeout,
            )
        )
        self.save_before_preemption = save_before_preemption

    def set_model(self, model: Any) -> None:
        if not isinstance(model, tf_keras.Model):
            raise ArgumentError(
                f"rekindle.tf_keras is for models of tf_keras, and was given a"
                f" {type(model).__name__!r} of {module_of(type(model))}. For Keras 3, use"
                " rekindle.keras.BackupAndRestore.",
                argument="model",
                value=model,
            )
        super().set_model(model)
        # Before any callback's on_train_begin.
        found, _ = internals.find_callback_list()
        self._csv_logs = CsvLogs(() if found is None else found.callbacks)

    def _refuse(self) -> None:
        strategies.refuse(self.model, self._settings)
        kinds = (BackupAndRestore, tf_keras.callbacks.BackupAndRestore)
        alone.refuse_others(internals.CALLBACK_LIST, kinds)
        # Callbacks that come later find a built optimizer, as with tf_keras' own.
        optimizer = self.model.optimizer
        build = getattr(optimizer, "build", None)
        if self.model.built and callable(build) and not getattr(optimizer, "_built", False):
            build(self.model.trainable_variables)

    def _new_tail(self) -> TailCallback:
        return TailCallback(self._settings, self, self.model)


def _refuse_graphs() -> None:
    # The words of tf_keras.
    if tf.executing_eagerly():
        return
    if tf.inside_function():
        text = (
            "This Callback's method contains Python state and should be called outside of"
            " `tf.function`s."
        )
    else:
        text = (
            "BackupAndRestore only supports eager mode. In graph mode, consider using"
            " ModelCheckpoint to manually save and restore weights with `model.load_weights()` and"
            " by providing `initial_epoch` in `model.fit()` for fault tolerance."
        )
    raise ArgumentError(text, argument="backup_dir", value=None)
