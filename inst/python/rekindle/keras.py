"""Backup and restore for ``model.fit()`` of Keras 3, on JAX, PyTorch and TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from rekindle import _workers
from rekindle._policy.intervals import Auto
from rekindle._policy.preemption import Preemption
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import Tolerance
from rekindle._saving import arguments as _arguments
from rekindle.errors import DependencyError

try:
    import keras

    # A folder of this name, where the script runs, is a package, too, and has nothing in it.
    keras.__version__  # noqa: B018
except (ImportError, AttributeError) as error:
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

from rekindle._keras import internals
from rekindle._keras.tail_callback import TailCallback
from rekindle._training import alone, arguments
from rekindle._training.backup_hooks import BackupHooks
from rekindle._training.callbacks.csv_logs import CsvLogs

__all__ = ["BackupAndRestore"]


class BackupAndRestore(BackupHooks, keras.callbacks.Callback):  # type: ignore[misc]  # No types.
    """Backs up a training run, and resumes it after a kill.

    A drop-in replacement for ``keras.callbacks.BackupAndRestore``. After a crash, a kill or a power
    cut, run the same script again. ``fit()`` then restores the last checkpoint, with the variables
    of the model and of the optimizer, and the epoch, and continues from there. Each checkpoint is
    one atomic commit. A crash at any instant leaves the previous checkpoint or the new checkpoint,
    complete. rekindle verifies every byte before using it.

    rekindle saves the state of the other callbacks, too: the attributes that training changes, and
    the values outside of a callback that its functions read and change: global variables, variables
    around a function, attributes of a class. A checkpoint never changes values that the script set:
    strings and paths, functions, the configuration of Keras' callbacks. A warning names everything
    that a resume does not restore.

    Args:
        backup_dir: str or ``os.PathLike``. The folder for the backup. rekindle creates the folder
            if it does not exist. rekindle expands ``~``. A relative path counts from the working
            directory at the time of this call. Or a place in an object store:
            ``"s3://bucket/run7"``, ``"gs://..."`` or ``"az://container/run7"``. This needs the
            package obstore. Only one run can use a place. rekindle never changes foreign files.
        save_freq: ``"epoch"``, int, str, ``datetime.timedelta``, :class:`rekindle.Auto` or False.
            When to save. ``"epoch"`` saves at the end of every epoch. A whole number from 1 up
            saves after that many batches, counted across epochs. A time, such as ``"90 s"``,
            ``"10 min"``, ``"1 h 30 min"`` or ``"1 day"``, saves at the first batch end after that
            much time has passed since the last checkpoint, or since training began or resumed.
            ``"auto"`` saves at intervals that rekindle chooses during training, see below; a
            ``rekindle.Auto`` does so with other bounds. ``False`` never saves by itself. Defaults
            to ``"epoch"``.
        double_checkpoint: bool. ``True`` keeps the last two checkpoints instead of the last one.
            Defaults to ``False``.
        delete_checkpoint: bool. ``True`` removes all checkpoints when training is complete,
            including those that `retention` keeps. rekindle then removes the folder, too, if it is
            empty and rekindle created it. ``False`` keeps the backup. rekindle then saves the end
            of the last epoch whatever `save_freq` is (but not with ``"auto"`` or ``False``). If
            ``fit()`` finds the complete run again, it runs no epoch. Defaults to ``True``.
        restore_history: bool. ``True`` gives the ``History`` that a resumed ``fit()`` returns the
            epochs of the whole run. ``False`` gives only the epochs that this call ran, as Keras
            does. Defaults to ``False``.
        allow_changes: str, collection of str, or ``None``. Names the things that you have changed
            in the script since the backup, such as ``("learning_rate", "batch_size")``; see below.
            Training continues with what the script has. If another setting differs, or the model,
            ``fit()`` raises a ``MismatchError``. The keyword
            ``on_mismatch="warn"`` means ``allow_changes="all"``. Defaults to ``None``.
        on_save_error: ``"warn"`` or ``"raise"``. What to do if rekindle cannot write a checkpoint,
            for example because the disk is full. ``"warn"`` warns once for each cause, keeps the
            previous checkpoint, continues training, and tries again when the next checkpoint is
            due. ``"raise"`` stops. Defaults to ``"warn"``.
        extra_state: dict of named objects, or ``None``. Other state that belongs to the run,
            outside of the model: objects with ``state_dict()`` and ``load_state_dict()``, Keras
            variables, layers, optimizers or metrics, random generators, NumPy arrays, lists, dicts,
            deques, sets or dataclasses. rekindle fills them in place, but never changes text that
            the script put into them. It saves optimizers that are attributes of the model without
            an entry here. Build objects that have variables before ``fit()``. Defaults to ``None``.
        verbose: 0, 1 or 2. 1 prints a line when a run resumes. 2 also prints a line for each
            checkpoint. Defaults to 0.
        background: bool. ``True`` copies the state when a checkpoint is due, and writes the
            checkpoint while training continues. rekindle writes one checkpoint at a time: the next
            checkpoint that is due waits until the current one is written. rekindle keeps the memory
            for the copy until training ends. rekindle handles an error at the next batch or epoch.
            ``False`` writes at once, while training waits. Defaults to ``True``.
        retention: :class:`rekindle.Retention`, or ``None``. Which checkpoints to keep. Its ``best``
            looks for the metric in the logs that Keras gives when the checkpoint is taken.
            Validation metrics are there only at the end of an epoch. A run still resumes from the
            newest checkpoint, not from the best. Defaults to ``None``: the last checkpoint, or two
            with ``double_checkpoint=True``.
        save_before_preemption: bool, or :class:`rekindle.Preemption`. ``True`` saves when a signal
            announces the end of the process, and then ends training. A ``Preemption`` does so with
            other signals, or in another way. rekindle saves at the end of the current batch or
            validation step. This works only if ``fit()`` runs on the main thread. If a signal comes
            after the last epoch, or in a batch in which an exception ends ``fit()``, rekindle
            cannot answer it any more. rekindle then restores the earlier handlers and sends the
            signal again: SIGTERM ends the process, and the backup stays. Defaults to ``True``.
        on_difference: ``"warn"``, ``"raise"``, ``"ignore"`` or :class:`rekindle.Tolerance`. What
            to do if the resumed run sees other batches or other losses than the interrupted run saw
            after the checkpoint. ``"warn"`` gives an ``InexactWarning``, once. ``"raise"`` ends
            training with a ``MismatchError``; the checkpoints stay. A ``Tolerance`` lets losses
            differ a little, as they do on a GPU. Defaults to ``"warn"``.
        storage_options: dict of str, or ``None``. Settings of an object store, by the names of the
            package obstore, such as ``{"endpoint": "https://minio.example.org"}``; others come from
            the environment. rekindle never prints or saves any. With ``local_cache``, a folder,
            checkpoints go there first, and into the store behind it.

    Attributes:
        backup_dir: str. The folder, as an absolute path.
        resume_report: ``None`` if the last ``fit()`` restored nothing, else a dict: ``number`` of
            the checkpoint; ``epoch`` (counted from 0), where training continued; ``batch``, how
            many batches of that epoch were trained before the checkpoint; ``step``, the optimizer
            steps done so far; ``time`` of the checkpoint in POSIX seconds; ``exact``, whether
            rekindle restored everything as it was, and nothing that it saw since speaks against it;
            ``notes``, the things that rekindle could not restore exactly; ``evidence``, see below;
            ``compared``, how many ``batches``, ``losses`` and ``epochs`` were those of the
            interrupted run, and the ``largest`` relative difference of a loss. For a backup by
            Keras' own callback, ``number`` is ``None``.
        save_report: ``None`` before training, else a dict: ``saves``, how many checkpoints became
            durable; ``seconds_held``, how long they delayed training; ``seconds_waited``, how much
            of that delay was waiting for a checkpoint that was still being written.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Before training begins, ``fit()`` raises:

    - ``ArgumentError`` if it has two callbacks that back up and restore (Keras' own callback
      counts, too), if several processes train together (in each of them), or if the model is of
      Keras 2 (``tf_keras``);
    - ``LockError`` if another run has locked the folder;
    - ``MismatchError`` if the backup is of another model; the error lists the differences;
    - ``DamageError`` if there are checkpoints, and none is complete;
    - ``FormatError`` if a newer rekindle wrote the checkpoints;
    - ``ForeignFileError`` if a file that rekindle did not write has the name of a checkpoint, or if
      the folder or a checkpoint in it belongs to another user;
    - ``RestoreError`` if the system refuses to open or read.

    With ``on_save_error="raise"``, ``fit()`` raises ``SaveError`` if rekindle cannot write a
    checkpoint.

    A backup that has more epochs than `epochs` asks for is a ``MismatchError``, too. rekindle never
    removes this backup. A script may train in stages on one folder: ``fit(epochs=3)``, and then
    ``fit(initial_epoch=3, epochs=6)``. Suppose that you run the script again and the backup is of a
    later stage (its ``fit()`` began at or after `epochs`). The earlier ``fit()`` then runs no
    epoch, restores nothing and reports this by a ``RekindleWarning``. The later ``fit()`` restores
    everything. Until then the model holds the values that the script gave it. If a script uses the
    model between two stages, the script itself must keep the values that it needs. Take
    `initial_epoch` from a constant, not from the ``History`` of the previous stage.

    A script that calls ``fit()`` several times from epoch 0, as in a loop, needs a backup folder
    for each call. With ``delete_checkpoint=False``, a call that was complete then restores its end
    and trains nothing. If such calls share a folder, and one of them is killed, the first call of
    the next start finds its backup, which is a ``MismatchError``.

    If the folder holds no checkpoint of rekindle, but a backup by
    ``keras.callbacks.BackupAndRestore``, ``fit()`` resumes from that backup, and reports this by a
    ``TakeoverWarning``. Keras itself loads the weights and the optimizer. Training continues from
    the start of the saved epoch. Replace Keras' callback by this one: one ``fit()`` cannot have
    both. rekindle does not change Keras' files. When the run is complete, rekindle writes
    ``takeover.json`` beside these files, to note that rekindle has finished with them.

    ``save_freq="auto"`` measures the cost of a checkpoint during ``fit()``: how long it delays
    training, and how much longer the steps take while rekindle writes it. From that cost, rekindle
    chooses the shortest interval that keeps the overhead under the `max_overhead` of
    :class:`rekindle.Auto`. The interval is at least one second, and rekindle continues to measure.
    rekindle takes the first checkpoint after a few batches, to measure it. CheckFreq (Mohan,
    Phanishayee and Chidambaram, FAST'21) showed that an interval can be tuned in this way, at
    3.5 %. With a `mean_time_between_failures`, the interval is not shorter than the interval that
    loses least time, in saving and in repeated work, by the formula of Young (1974) in Daly's
    higher order (2006). With ``verbose=1``, rekindle reports each choice. Each checkpoint records
    it, and ``python -m rekindle info`` shows it.

    `allow_changes` accepts these names:

    - ``"learning_rate"``, ``"weight_decay"``; ``"optimizer"`` stands for every setting of the
      optimizer;
    - ``"loss"``: the loss, or `class_weight`;
    - ``"batch_size"``; ``"steps"``: `steps_per_epoch` or `steps_per_execution`;
    - ``"data"``: other data, another number of samples, `shuffle`, a vocabulary or bins that a
      layer was adapted to;
    - ``"epochs"``: an `initial_epoch` that is lower than that of the backup;
    - ``"callbacks"``: callbacks that were left out, added or given other arguments;
    - ``"language_models"``: those of a program of Synalinks;
    - ``"backend"``, such as JAX in place of PyTorch;
    - ``"devices"``: their number, their kind or their mesh;
    - ``"versions"`` of Python, NumPy, Keras and the backend;
    - ``"all"``: everything above, with an ``InexactWarning`` for each difference.

    A change that you name gives no warning. `resume_report` has it in ``notes``, ``exact`` is
    ``False`` and ``evidence`` is ``"changed"``. The next checkpoint is of the new set-up, so you
    may then remove the name. Other devices, other versions and callbacks that were left out are not
    refused if you do not name them: an ``InexactWarning`` reports them. Validation data, `verbose`,
    `epochs` and callbacks that you add may change freely, and so may the callbacks of Keras that
    only watch, such as ``CSVLogger``. If you name ``"data"``, ``"loss"``, ``"optimizer"``,
    ``"learning_rate"`` or ``"callbacks"`` and rekindle finds no change there, it compares the runs
    as always, and takes a difference for the change that you mean.

    After a kill, the resumed run trains the batches again that the killed run had trained after its
    last checkpoint. rekindle compares the two: while training runs, it notes a digest of each batch
    (of at most 16 KiB of each array), the loss after it, and the metrics of each epoch in the file
    ``ckpt.witness``. It looks at fewer batches if looking would cost more than a thousandth of the
    time of a step. On TensorFlow, batches stay inside TensorFlow, and losses are compared. On a
    GPU, JAX's losses are, and of PyTorch the batches until an epoch ends.

    ``evidence`` in `resume_report` is the result: ``"verified"`` if everything compared so far was
    the same; ``"unverified"`` if there was no loss to compare, because the kill came right after
    the checkpoint; ``"changed"`` if the set-up was changed, so that another result is expected;
    ``"differs"`` from the first difference on. Later checkpoints keep it, and ``python -m rekindle
    info`` shows it.

    The arguments `backup_dir`, `save_freq`, `double_checkpoint` and `delete_checkpoint` mean the
    same as in Keras 3.15 (https://keras.io/api/callbacks/backup_and_restore/).

    Example::

        callback = rekindle.keras.BackupAndRestore("backup")
        model.fit(x, y, epochs=100, callbacks=[callback])
    """

    @arguments.takes_on_mismatch
    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int | timedelta | Auto = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        restore_history: bool = False,
        allow_changes: str | Collection[str] | None = None,
        on_save_error: str = "warn",
        extra_state: Mapping[str, Any] | None = None,
        verbose: int = 0,
        background: bool = True,
        retention: Retention | None = None,
        save_before_preemption: bool | Preemption = True,
        on_difference: str | Tolerance = "warn",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._set_up(
            arguments.options(
                backup_dir=backup_dir,
                save_freq=save_freq,
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
            )
        )

    def set_model(self, model: Any) -> None:
        _arguments.refuse_keras_2(model)
        super().set_model(model)
        # Before any callback's on_train_begin.
        found, _ = internals.find_callback_list()
        self._csv_logs = CsvLogs(() if found is None else found.callbacks)

    def _implements_train_batch_hooks(self) -> bool:
        """Only the list of callbacks of Keras 2 calls this. It may have no model yet."""
        raise _arguments.for_keras_3("a list of callbacks")

    def _refuse(self) -> None:
        _workers.refuse_several(self.model)
        kinds = (BackupAndRestore, keras.callbacks.BackupAndRestore)
        alone.refuse_others(internals.CALLBACK_LIST, kinds)

    def _new_tail(self) -> TailCallback:
        return TailCallback(self._settings, self, self.model)
