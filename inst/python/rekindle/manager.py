"""Numbers, saves, restores and keeps checkpoints. `_repository` handles the folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rekindle import _workers
from rekindle._base import checks, places
from rekindle._base.given_folder import GivenFolder
from rekindle._codec.source import CheckpointSource
from rekindle._codec.tf_checkpoint import TensorFlowCheckpoint, is_tensorflow_checkpoint
from rekindle._inspection import lookup, tf_files
from rekindle._policy.retention import Retention
from rekindle._policy.tolerance import Tolerance, tolerance_of
from rekindle._repository import reader
from rekindle._saving import arguments
from rekindle._saving import metadata as records
from rekindle._saving.checkpointer import Checkpointer
from rekindle._saving.request import Source
from rekindle._storage.resolve import resolve
from rekindle._training.witness.loop import LoopWitness
from rekindle.checkpoint import Checkpoint

__all__ = ["CheckpointManager", "latest_checkpoint"]


class CheckpointManager:
    """Keeps numbered checkpoints of a custom training loop in a folder, as ``tf.train`` does.

    For any loop, on JAX, PyTorch, TensorFlow or plain NumPy. Each checkpoint is one atomic commit.
    A crash at any instant leaves the previous checkpoint or the new checkpoint, complete. rekindle
    verifies every byte before using it. Methods, numbering and rules are those of
    ``tf.train.CheckpointManager`` of TensorFlow 2.21. The differences are listed below.

    Args:
        checkpoint: What to save: a :class:`rekindle.Checkpoint`, or a ``tf.train.Checkpoint``.
        directory: str or ``os.PathLike``. The folder. The first :meth:`save` creates it. Only one
            manager can save in the folder at a time; another manager gets a ``LockError``. Or a
            place in an object store, such as ``"s3://bucket/run7"``. A relative path counts from
            the working directory at the time of this call: a later ``os.chdir()`` does not move the
            folder. Paths that the manager returns begin with `directory` as you gave it, as with
            TensorFlow. After an ``os.chdir()`` they are absolute, so that they still lead to the
            folder.
        max_to_keep: int from 1 up, or ``None`` to keep all. How many checkpoints to keep. After
            each save, the manager removes the older checkpoints beyond that number.
        keep_checkpoint_every_n_hours: float above 0, hours, or ``None``. A checkpoint that rekindle
            would remove stays for good if it was saved at least that many hours after the last
            checkpoint that stayed. The manager then no longer lists it in `checkpoints`. Defaults
            to ``None``.
        checkpoint_name: str. First part of the names of the files. Defaults to ``"ckpt"``.
        step_counter: The current step, for `checkpoint_interval`: an integer variable of any
            framework, a function that returns an int, or the name of a number in `checkpoint`.
        checkpoint_interval: int from 1 up, steps, or ``None``. If fewer steps have passed since the
            last checkpoint, :meth:`save` saves nothing. Defaults to ``None``.
        init_fn: A function without arguments, or ``None``. :meth:`restore_or_initialize` calls it
            if there is no checkpoint.
        last_checkpoint_step: int or ``None``. The step of the last checkpoint, from which the
            interval counts. By default the first :meth:`save` saves.
        keep_best: ``(metric, mode, count)``, or ``None``. Beside the newest checkpoints, the
            manager keeps the `count` checkpoints whose `metric` is the lowest (`mode` "min") or the
            highest ("max"). The metric is a number that you give as `with_metadata` to
            :meth:`save`. These checkpoints stay listed in `checkpoints`. Defaults to ``None``.
        background: bool. ``True`` copies the state when you call :meth:`save`, and writes the
            checkpoint while the loop continues. `checkpoints` and `latest_checkpoint` then list a
            checkpoint once it is durable. If writing it fails, the next :meth:`save` or
            :meth:`sync` raises the error. rekindle writes one checkpoint at a time: the next
            checkpoint waits until the current one is written. Defaults to ``False``: when
            :meth:`save` has returned, the checkpoint is durable.
        on_difference: ``"warn"``, ``"raise"``, ``"ignore"`` or :class:`rekindle.Tolerance`. What
            to do if a resumed loop reports other batches or losses to :meth:`witness` than the
            interrupted loop did. ``"warn"`` gives an ``InexactWarning``, once. ``"raise"`` raises a
            ``MismatchError``; the checkpoints stay. Defaults to ``"warn"``.
        storage_options: dict of str, or ``None``. Settings of an object store, as with
            :class:`rekindle.keras.BackupAndRestore`. Defaults to ``None``.

    Attributes:
        waited: float. Seconds that :meth:`save` and :meth:`sync` have waited for checkpoints that
            were still being written.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Differences from TensorFlow: If you never restored a checkpoint into the objects, the manager
    does not overwrite the checkpoints that it finds. It continues after the highest number.
    rekindle quarantines a damaged checkpoint, and restores the previous checkpoint. A save that
    fails advances neither the counter nor the interval. rekindle does not read checkpoints in
    TensorFlow's own format. If there are no other checkpoints, a ``TakeoverWarning`` reports this.
    At its end, a ``with`` statement waits for the last checkpoint and unlocks the folder::

        checkpoint = rekindle.Checkpoint(model=model, optimizer=optimizer, step=0)
        with rekindle.CheckpointManager(checkpoint, "ckpts", max_to_keep=3) as manager:
            manager.restore_or_initialize()
            while checkpoint.step < 1000:
                train_step()
                checkpoint.step += 1
                manager.save()

    A killed loop has trained some steps after its last checkpoint, and the resumed loop trains them
    again. To have both compared, report each step: see :meth:`witness`.
    """

    def __init__(
        self,
        checkpoint: Any,
        directory: str | os.PathLike[str],
        max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None,
        checkpoint_name: str = "ckpt",
        step_counter: Any = None,
        checkpoint_interval: int | None = None,
        init_fn: Callable[[], Any] | None = None,
        last_checkpoint_step: int | None = None,
        *,
        keep_best: tuple[str, str, int] | None = None,
        background: bool = False,
        on_difference: str | Tolerance = "warn",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._checkpoint = checkpoint
        self._source = _source(checkpoint)
        hours = checks.hours("keep_checkpoint_every_n_hours", keep_checkpoint_every_n_hours)
        rules = Retention(
            last=arguments.max_to_keep(max_to_keep),
            best=arguments.best(keep_best),
            every_hours=hours,
        )
        self._folder = GivenFolder(checks.place("directory", directory))
        self._name = arguments.checkpoint_name(checkpoint_name)
        self._interval = arguments.interval(checkpoint_interval, step_counter)
        self._step_counter = arguments.step_counter(step_counter, checkpoint)
        self._init_fn = checks.function("init_fn", init_fn)
        # Whether the manager has looked for a checkpoint, and has warned of another format.
        self._looked = self._warned = False
        background = checks.flag("background", background)
        self._storage_options = checks.storage_options(storage_options)
        self._checkpointer = Checkpointer(
            self._source,
            self._folder.absolute,
            self._name,
            rules,
            background,
            self._storage_options,
        )
        self._checkpointer.last_step = checks.optional_int(
            "last_checkpoint_step", last_checkpoint_step
        )
        tolerance = tolerance_of("on_difference", on_difference)
        self._witness = LoopWitness(self._checkpointer.storage, tolerance)

    @property
    def directory(self) -> str:
        """The folder as you gave it; an absolute path once your path would lead elsewhere."""
        return self._folder.shown

    @property
    def checkpoint(self) -> Any:
        """The object to save, as you gave it."""
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> int | None:
        """Steps between two checkpoints, or ``None``."""
        return self._interval

    @property
    def checkpoints(self) -> list[str]:
        """Paths of the managed checkpoints, in the order of saving. Each call makes a new list."""
        self._checkpointer.notice()
        directory = self.directory
        numbers = self._checkpointer.numbers
        return [places.join(directory, f"{self._name}-{number}") for number in numbers]

    @property
    def latest_checkpoint(self) -> str | None:
        """Path of the last saved checkpoint, or ``None`` if there is none.

        Before this manager has saved or restored, this is the path of the newest complete
        checkpoint in the folder, whichever program saved it. rekindle then verifies all of its
        bytes.

        Raises:
            DamageError: There are checkpoints, and none is complete.
        """
        self._checkpointer.notice()
        name = self._checkpointer.newest
        if name is None:
            self._warn_of_tensorflow()
            return None
        return self._folder.path(name)

    @property
    def waited(self) -> float:
        """Seconds that :meth:`save` and :meth:`sync` have waited for unfinished checkpoints."""
        return self._checkpointer.waited

    @property
    def resume_report(self) -> dict[str, Any] | None:
        """``None`` if :meth:`restore_or_initialize` restored nothing, else the result of a resume.

        A dict: ``number`` and ``time`` (POSIX seconds) of the restored checkpoint; its ``step``, if
        there is a `step_counter`; ``evidence``, ``"verified"`` if everything that :meth:`witness`
        has compared so far was the same, ``"differs"`` from the first difference on,
        ``"unverified"`` if there was no loss to compare; ``notes``, the first difference;
        ``compared``, how many ``batches`` and ``losses`` were the same, and the ``largest``
        relative difference of a loss.
        """
        return self._witness.report

    def witness(self, step: Any, *, batch: Any = None, loss: Any = None) -> None:
        """Notes what a step of the loop saw, and compares it with the interrupted loop.

        A killed loop has trained some steps after its last checkpoint. The resumed loop trains them
        again. If both call this method after each step, `resume_report` says whether they saw the
        same. rekindle keeps a digest of the batch (of at most 16 KiB of each array) and the loss in
        the file ``ckpt.witness`` of the folder, for the last 4096 steps. It looks at fewer steps if
        looking would cost more than a thousandth of the time of a step. Before the first checkpoint
        of a loop, and after :meth:`close`, the method does nothing: there is nothing to resume.

        Args:
            step: An integer from 0 up, or an integer scalar variable of any framework. The number
                of the step, counted over the whole run, such as ``checkpoint.step``.
            batch: The data of the step: arrays of any framework, numbers or strings, or tuples,
                lists and dicts of these; ``None`` to compare no data. Arrays on a GPU are not
                compared, because to read them would mean to wait. Defaults to ``None``.
            loss: The loss of the step: a number, or an array of any framework with one number in
                it, which a device may still compute; ``None`` to compare no loss. Defaults to
                ``None``.

        Raises:
            ArgumentError: A value is not of the accepted form. `batch` and `loss` are checked at
                the first call.
            MismatchError: With ``on_difference="raise"``: the loop differs from the interrupted
                loop. :meth:`save` and :meth:`close` raise it for a loss that was not at hand
                before.
        """
        found = arguments.step(step)
        if self._checkpointer.storage.is_held:
            self._witness.saw(found, batch, loss)

    def metadata(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Returns the data that you gave as `with_metadata` when you saved this checkpoint.

        Raises:
            RestoreError: There is no such checkpoint.
            DamageError: The checkpoint is not complete.
        """
        return records.metadata(lookup.find(path, self._storage_options)[1])

    def save(
        self,
        checkpoint_number: Any = None,
        check_interval: bool = True,
        options: Any = None,
        *,
        with_metadata: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Saves the objects as they are now, durably, and removes older checkpoints.

        Args:
            checkpoint_number: An integer from 0 up, or an integer scalar variable of any framework.
                The number to save under. If a checkpoint has this number already, the commit
                replaces it in one instant. By default the number is that of the save counter, which
                advances by one in any case.
            check_interval: bool. Whether to obey `checkpoint_interval`. ``False`` saves whatever
                the interval is, but not twice for one step. Defaults to ``True``.
            options: ``None``, or a ``tf.train.CheckpointOptions``. rekindle calls its
                `experimental_write_callbacks` with the path once the checkpoint is saved. rekindle
                ignores its other values.
            with_metadata: dict of str to JSON values that belong to the checkpoint, such as
                metrics. rekindle shows them when you inspect checkpoints, and `keep_best` looks for
                its metric here.

        Returns:
            The path of the checkpoint, ``<directory>/<name>-<number>``; ``None`` if the interval
            asked for no checkpoint.

        Raises:
            SaveError: rekindle could not make the checkpoint durable. The earlier checkpoints are
                still there. With ``background=True``, the error is that of the previous checkpoint,
                and rekindle did not begin this one.
            LockError: Another manager or run has locked the folder.
            ForeignFileError: The folder, or a checkpoint in it, belongs to another user:
                :meth:`restore_or_initialize` would refuse it.
            ArgumentError: Something in the checkpoint or in the arguments cannot be saved.
        """
        metadata = arguments.metadata(with_metadata)
        number = arguments.number(checkpoint_number)
        callbacks = [self._folder.calls_with_path(f) for f in arguments.write_callbacks(options)]
        check_interval = checks.flag("check_interval", check_interval)
        step = None if self._step_counter is None else self._step_counter()
        if not self._is_due(step, check_interval):
            return None
        return self._folder.path(self._save(number, step, metadata, callbacks))

    def _save(
        self,
        number: int | None,
        step: int | None,
        metadata: Mapping[str, Any],
        callbacks: list[Callable[[str], Any]],
    ) -> str:
        return self._checkpointer.save(
            number,
            step=step,
            metadata=metadata,
            evidence=self._witness.at_checkpoint(),
            callbacks=callbacks,
            opened=self._opened,
        )

    def _opened(self) -> None:
        """Warns before the first save, if the program did not look for a checkpoint to resume."""
        if not self._looked and self._checkpointer.is_new:
            self._warn_of_tensorflow(stacklevel=6)
        self._looked = True

    def _is_due(self, step: int | None, check_interval: bool) -> bool:
        pending = self._checkpointer.pending
        last = self._checkpointer.last_step if pending is None else pending.step
        if self._interval is None or last is None or step is None:
            return True
        return step != last and not (check_interval and step < last + self._interval)

    def sync(self) -> None:
        """Waits until all requested checkpoints are durable.

        Raises:
            SaveError: A save in the background failed. The earlier checkpoints are still there.
        """
        self._checkpointer.sync()

    def restore_or_initialize(self) -> str | None:
        """Restores the newest complete checkpoint, or calls `init_fn` if there is none.

        This locks the folder: from here on, rekindle refuses other managers.

        Returns:
            The path of the restored checkpoint, or ``None``.

        Raises:
            LockError: Another manager or run has locked the folder.
            MismatchError: The checkpoint does not fit the objects. Nothing was changed.
            DamageError: There are checkpoints, and none is complete.
            FormatError: A newer rekindle wrote it, in a way that this rekindle does not know.
            ForeignFileError: The folder, or a checkpoint in it, belongs to another user. Nothing
                was read.
            RestoreError: The system refused to read.
        """
        self.sync()
        _workers.warn_of_restoring_alone(self._folder.given, stacklevel=3)
        if self._restore():
            return self.latest_checkpoint
        self._warn_of_tensorflow()
        if self._init_fn is not None:
            self._init_fn()
        return None

    def _restore(self) -> bool:
        self._looked = True
        there = reader.exists(self._checkpointer.storage)
        save = self._checkpointer.restore() if there else None
        if save is None:
            return False
        self._witness.resumed(save.manifest)
        if self._interval is not None and self._step_counter is not None:
            self._checkpointer.last_step = self._step_counter()
        return True

    def _warn_of_tensorflow(self, stacklevel: int = 4) -> None:
        if not self._warned:
            self._looked = self._warned = True
            tf_files.warn(self._folder.absolute, stacklevel)

    def close(self) -> None:
        """Waits for the last checkpoint, and unlocks the folder. All checkpoints stay.

        A later :meth:`save` locks the folder again.

        Raises:
            SaveError: The last save in the background failed.
        """
        try:
            self._witness.settle()
        finally:
            self._witness.close()
            self._checkpointer.close()

    def clear(self) -> None:
        """Removes every checkpoint of this name in the folder, and unlocks the folder.

        rekindle removes the folder, too, if it is then empty and rekindle created it. Files that
        the system refuses to remove stay, and a ``SaveWarning`` reports this.
        """
        # Before its file goes with the others: Windows removes no open file.
        self._witness.close()
        self._checkpointer.clear()

    def __enter__(self) -> CheckpointManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        # The error that ends the block matters more than an error of a save, or a difference.
        self._witness.close()
        self._checkpointer.sync_quietly()
        self.close()


def _source(checkpoint: Any) -> Source:
    if isinstance(checkpoint, Checkpoint):
        return CheckpointSource(checkpoint)
    if is_tensorflow_checkpoint(checkpoint):
        return TensorFlowCheckpoint(checkpoint)
    raise checks.invalid("checkpoint", checkpoint, "a rekindle.Checkpoint or a tf.train.Checkpoint")


def latest_checkpoint(
    directory: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> str | None:
    """Path of the newest complete checkpoint in a folder, whichever program saved it.

    This changes nothing in the folder, and a run may continue in the folder meanwhile. rekindle
    verifies every byte of the checkpoint. It skips a damaged checkpoint, and returns the previous
    one.

    Args:
        directory: str or ``os.PathLike``. The folder, or the URL of a place in an object store.
        storage_options: dict of settings of the store, or ``None``; as for the manager.

    Returns:
        ``<directory>/<name>-<number>``, for :meth:`rekindle.Checkpoint.restore`, or ``None`` if
        there is no checkpoint. Among checkpoints of one name, the last saved is the newest,
        whatever its number. Between names, the time decides.

    Raises:
        DamageError: There are checkpoints, and none is complete.
        RestoreError: The system refused to read.
    """
    folder = checks.place("directory", directory)
    options = checks.storage_options(storage_options)
    name = reader.newest_name(resolve(places.absolute(folder), options=options))
    if name is None:
        tf_files.warn(places.absolute(folder), stacklevel=3)
        return None
    return places.join(folder, name)
