"""Numbering, saving, restoring and keeping checkpoints; the folder is the store's."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any

from rekindle import _workers
from rekindle._base import checks
from rekindle._codec.source import CheckpointSource
from rekindle._codec.tf_checkpoint import TensorFlowCheckpoint, is_tensorflow_checkpoint
from rekindle._inspection import lookup, tf_files
from rekindle._policy.retention import Retention
from rekindle._repository import reader
from rekindle._saving import arguments
from rekindle._saving import metadata as records
from rekindle._saving.checkpointer import Checkpointer, Source
from rekindle.checkpoint import Checkpoint
from rekindle.errors import RekindleWarning, TakeoverWarning

__all__ = ["CheckpointManager", "latest_checkpoint"]


class CheckpointManager:
    """Keeps numbered checkpoints of a training loop in a folder, as ``tf.train`` does.

    For any loop, on JAX, PyTorch, TensorFlow or plain NumPy. A save is one atomic commit: a crash
    at any instant leaves the save before it or the new one, whole, and every byte is verified
    before it is used. Methods, numbering and rules are those of ``tf.train.CheckpointManager`` of
    TensorFlow 2.21; where they differ, it is said below.

    Args:
        checkpoint: A :class:`rekindle.Checkpoint`, or a ``tf.train.Checkpoint``. What to save.
        directory: str or ``os.PathLike``. The folder. It is made by the first save, not here. A URL
            is refused, but for ``file:///data/run``, which means the path in it. A relative path
            counts from the working directory of now: a later ``os.chdir()`` does not move the
            folder. Paths that the manager gives begin with `directory` as it was given, as with
            TensorFlow; after an ``os.chdir()`` they are absolute, so that they lead there still.
            Only one manager at a time can save in it; another one gets a ``LockError``.
        max_to_keep: int from 1 up, or ``None`` to keep all. After each save the older ones beyond
            so many are removed.
        keep_checkpoint_every_n_hours: float above 0, hours, or ``None``. A checkpoint that would be
            removed stays for good when it was saved at least so long after the last one that did.
            Such ones are no longer listed in `checkpoints`. Defaults to ``None``.
        checkpoint_name: str. First part of the names of the files. Defaults to ``"ckpt"``.
        step_counter: Where the current step is to be read, for `checkpoint_interval`: an integer
            variable of any framework, a function that returns an int, or the name of a number in
            `checkpoint`.
        checkpoint_interval: int from 1 up, steps, or ``None``. :meth:`save` saves nothing when
            fewer steps passed since the last save. Defaults to ``None``.
        init_fn: A function of no arguments, or ``None``. Called by :meth:`restore_or_initialize`
            when there is no checkpoint.
        last_checkpoint_step: int or ``None``. The step of the last save, from which the interval
            counts. By default the first call of :meth:`save` saves.
        keep_best: ``(metric, mode, count)``, or ``None``. Beside the newest, keep the `count` whose
            `metric`, a number in the metadata given to :meth:`save`, is the lowest (`mode` "min")
            or the highest ("max"). They stay listed in `checkpoints`. Defaults to ``None``.
        background: bool. ``True`` copies the state when :meth:`save` is called and writes it behind
            the loop. Then `checkpoints` and `latest_checkpoint` know a save once it is durable, and
            its error is raised by the next :meth:`save` or :meth:`sync`. At most one save is
            written at a time; the next one waits for it. Defaults to ``False``: a save that has
            returned is durable.

    Attributes:
        waited: float. Seconds that :meth:`save` and :meth:`sync` have waited for saves that were
            still being written.

    Raises:
        ArgumentError: (a ``ValueError``) An argument is not of the accepted form.

    Beyond TensorFlow: a manager whose checkpoint was never restored does not write over what it
    finds; it numbers on after the highest. A damaged checkpoint is set aside, and the one before it
    is restored. A save that fails advances neither the counter nor the interval. Checkpoints in
    TensorFlow's own format are not read; a ``TakeoverWarning`` says so where there are no others.
    With a ``with`` statement, leaving it waits for the last save and lets go of the folder::

        checkpoint = rekindle.Checkpoint(model=model, optimizer=optimizer, step=0)
        with rekindle.CheckpointManager(checkpoint, "ckpts", max_to_keep=3) as manager:
            manager.restore_or_initialize()
            while checkpoint.step < 1000:
                train_step()
                checkpoint.step += 1
                manager.save()
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
    ) -> None:
        self._checkpoint = checkpoint
        self._source = _source(checkpoint)
        hours = arguments.hours("keep_checkpoint_every_n_hours", keep_checkpoint_every_n_hours)
        rules = Retention(
            last=arguments.max_to_keep(max_to_keep),
            best=arguments.best(keep_best),
            every_hours=hours,
        )
        self._directory = checks.path("directory", directory)
        self._name = arguments.checkpoint_name(checkpoint_name)
        self._interval = arguments.interval(checkpoint_interval, step_counter)
        self._step_counter = arguments.step_counter(step_counter, checkpoint)
        self._init_fn = checks.function("init_fn", init_fn)
        # Whether a checkpoint was looked for, and what was said of those in another format.
        self._looked = self._warned = False
        # The program may change its working directory later.
        self._folder = os.path.abspath(self._directory)
        self._checkpointer = Checkpointer(
            self._source, self._folder, self._name, rules, checks.flag("background", background)
        )
        self._checkpointer.last_step = checks.optional_int(
            "last_checkpoint_step", last_checkpoint_step
        )

    @property
    def directory(self) -> str:
        """The folder as it was given; as an absolute path once that would lead elsewhere."""
        try:
            leads_there = os.path.abspath(self._directory) == self._folder
        # The working directory itself was removed.
        except FileNotFoundError:
            leads_there = False
        return self._directory if leads_there else self._folder

    @property
    def checkpoint(self) -> Any:
        """What is saved, as it was given."""
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> int | None:
        """Steps between two saves, or ``None``."""
        return self._interval

    @property
    def checkpoints(self) -> list[str]:
        """Paths of the checkpoints under management, in the order of saving. A new list."""
        self._checkpointer.notice()
        directory = self.directory
        numbers = self._checkpointer.numbers
        return [os.path.join(directory, f"{self._name}-{number}") for number in numbers]

    @property
    def latest_checkpoint(self) -> str | None:
        """Path of the checkpoint last saved, ``None`` when there is none.

        Before this manager has saved or restored, it is that of the newest whole checkpoint in the
        folder, whoever saved it there, and all of its bytes are verified.

        Raises:
            DamageError: There are checkpoints, and none is whole.
        """
        self._checkpointer.notice()
        name = self._checkpointer.latest or reader.newest_name(self._folder)
        if name is None:
            self._warn_of_tensorflow()
            return None
        return os.path.join(self.directory, name)

    @property
    def waited(self) -> float:
        """Seconds that :meth:`save` and :meth:`sync` have waited for saves still being written."""
        return self._checkpointer.waited

    def metadata(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """What was given as `with_metadata` when this checkpoint was saved.

        Raises:
            RestoreError: There is no such checkpoint.
            DamageError: It is not whole.
        """
        return records.metadata(lookup.find(path)[2])

    def save(
        self,
        checkpoint_number: Any = None,
        check_interval: bool = True,
        options: Any = None,
        *,
        with_metadata: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Saves the checkpoint as it is now, durably, and lets older ones go.

        Args:
            checkpoint_number: An integer from 0 up, or an integer scalar variable of any framework.
                The number to save under; a checkpoint that has it is replaced in the instant of the
                commit. By default the save counter, which advances by one in any case.
            check_interval: bool. Whether `checkpoint_interval` is looked at. ``False`` saves
                always, but not twice for one step. Defaults to ``True``.
            options: ``None``, or a ``tf.train.CheckpointOptions``: its
                `experimental_write_callbacks` are called with the path once it is saved. Its other
                values have no meaning here.
            with_metadata: dict of str to JSON values, such as metrics; it is shown where
                checkpoints are inspected, and `keep_best` looks here.

        Returns:
            The path of the checkpoint, ``<directory>/<name>-<number>``; ``None`` when the interval
            asked for no save.

        Raises:
            SaveError: The save could not be made durable. Checkpoints before it still stand.
                With ``background=True``: the save before this one; this one was not begun.
            LockError: Another manager, or run, holds the folder.
            ForeignFileError: The folder, or a checkpoint in it, belongs to another user:
                :meth:`restore_or_initialize` would refuse it.
            ArgumentError: Something in the checkpoint or in the arguments cannot be saved.
        """
        metadata = arguments.metadata(with_metadata)
        number = arguments.number(checkpoint_number)
        callbacks = arguments.write_callbacks(options)
        check_interval = checks.flag("check_interval", check_interval)
        step = None if self._step_counter is None else self._step_counter()
        if not self._is_due(step, check_interval):
            return None
        name = self._checkpointer.save(
            number,
            step=step,
            metadata=metadata,
            callbacks=[partial(self._call, callback) for callback in callbacks],
            opened=self._opened,
        )
        return os.path.join(self.directory, name)

    def _opened(self) -> None:
        """Before the first save: nobody may have looked what there is to be resumed."""
        if not self._looked and self._checkpointer.is_new:
            self._warn_of_tensorflow(stacklevel=6)
        self._looked = True

    def _call(self, callback: Callable[[str], Any], name: str) -> None:
        callback(os.path.join(self.directory, name))

    def _is_due(self, step: int | None, check_interval: bool) -> bool:
        pending = self._checkpointer.pending
        last = self._checkpointer.last_step if pending is None else pending.step
        if self._interval is None or last is None or step is None:
            return True
        return step != last and not (check_interval and step < last + self._interval)

    def sync(self) -> None:
        """Returns once everything that was asked for is durable.

        Raises:
            SaveError: A save in the background failed. Checkpoints before it still stand.
        """
        self._checkpointer.sync()

    def restore_or_initialize(self) -> str | None:
        """Brings back the newest whole checkpoint, or calls `init_fn` when there is none.

        The folder is taken: from here on other managers are refused.

        Returns:
            The path of the restored checkpoint, or ``None``.

        Raises:
            LockError: Another manager, or run, holds the folder.
            MismatchError: The checkpoint does not fit the objects. Nothing was changed.
            DamageError: There are checkpoints, and none is whole.
            FormatError: A newer rekindle wrote it, in a way that this one does not know.
            ForeignFileError: The folder, or a checkpoint in it, belongs to another user. Nothing
                was read.
            RestoreError: The system refused to read.
        """
        self.sync()
        self._warn_of_other_workers()
        if self._restore():
            return self.latest_checkpoint
        self._warn_of_tensorflow()
        if self._init_fn is not None:
            self._init_fn()
        return None

    def _restore(self) -> bool:
        self._looked = True
        if not os.path.isdir(self._folder) or self._checkpointer.restore() is None:
            return False
        if self._interval is not None and self._step_counter is not None:
            self._checkpointer.last_step = self._step_counter()
        return True

    def _warn_of_tensorflow(self, stacklevel: int = 4) -> None:
        if not self._warned:
            self._looked = self._warned = True
            _warn_of_tensorflow(self._folder, stacklevel)

    def _warn_of_other_workers(self) -> None:
        workers = _workers.connected()
        if workers is not None and workers.index:
            warnings.warn(
                f"A CheckpointManager restores the newest checkpoint of its own folder,"
                f" {self._directory!r}, and {workers}. Workers that choose for themselves may go on"
                " from different steps. Have worker 0 alone hold a manager and tell the others its"
                " latest_checkpoint, and restore that in every worker by Checkpoint.restore().",
                RekindleWarning,
                stacklevel=3,
            )

    def close(self) -> None:
        """Waits for the last save, and lets go of the folder, whose checkpoints stay.

        A later save takes it again.

        Raises:
            SaveError: The last save in the background failed.
        """
        self._checkpointer.close()

    def clear(self) -> None:
        """Removes every checkpoint of this name in the folder, and lets go of it.

        The folder itself goes when it is then empty and rekindle made it. What the system refuses
        to remove stays, with a ``SaveWarning``.
        """
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
        # The error that ends the block matters more than that of a save.
        self._checkpointer.sync_quietly()
        self.close()


def _source(checkpoint: Any) -> Source:
    if isinstance(checkpoint, Checkpoint):
        return CheckpointSource(checkpoint)
    if is_tensorflow_checkpoint(checkpoint):
        return TensorFlowCheckpoint(checkpoint)
    raise checks.invalid("checkpoint", checkpoint, "a rekindle.Checkpoint or a tf.train.Checkpoint")


def latest_checkpoint(directory: str | os.PathLike[str]) -> str | None:
    """Path of the newest whole checkpoint in a folder, whoever saved it there.

    Nothing in the folder is changed, and a run may go on in it meanwhile. Every byte of the
    checkpoint is verified: a damaged one is passed over, and the one before it is named.

    Args:
        directory: str or ``os.PathLike``.

    Returns:
        ``<directory>/<name>-<number>``, to be given to :meth:`rekindle.Checkpoint.restore`, or
        ``None`` when there is no checkpoint. Among those of one name the last saved is the newest,
        whatever its number; between names, the time decides.

    Raises:
        DamageError: There are checkpoints, and none is whole.
        RestoreError: The system refused to read.
    """
    folder = checks.path("directory", directory)
    name = reader.newest_name(os.path.abspath(folder))
    if name is None:
        _warn_of_tensorflow(os.path.abspath(folder), stacklevel=3)
        return None
    return os.path.join(folder, name)


def _warn_of_tensorflow(directory: str, stacklevel: int) -> None:
    """Says so where training would begin anew although TensorFlow has checkpoints there."""
    found = tf_files.newest(directory)
    if found is None:
        return
    warnings.warn(
        TakeoverWarning(
            f"There is no checkpoint of rekindle in {directory!r}, but there are TensorFlow's own,"
            f" which rekindle does not read: training begins anew. To carry on from {found!r},"
            " restore it by TensorFlow into the objects that it was saved from,"
            f" tf.train.Checkpoint(...).restore({found!r}), and save these here. TensorFlow's files"
            " stay as they are.",
            directory=directory,
        ),
        stacklevel=stacklevel,
    )
