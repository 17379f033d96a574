"""Numbering, saving, restoring and keeping checkpoints; the folder is the store's."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol

from rekindle import _workers
from rekindle._base import checks
from rekindle._codec.tf_checkpoint import TensorFlowCheckpoint, is_tensorflow_checkpoint
from rekindle._format.manifest import Manifest
from rekindle._format.snapshot import Save, Snapshot
from rekindle._inspection import tf_files
from rekindle._policy.retention import Rules
from rekindle._saving import arguments, checkpointer
from rekindle._saving import metadata as _records
from rekindle._storage.local import ownership
from rekindle.checkpoint import find
from rekindle.errors import RekindleWarning, SaveError, SaveWarning, TakeoverWarning

__all__ = ["CheckpointManager", "latest_checkpoint"]


class Source(Protocol):
    """What a manager saves and restores: a :class:`rekindle.Checkpoint`, or a running ``fit()``.

    Attributes:
        save_counter: How often it was saved.
        was_restored: Whether a save was brought back into it.
    """

    save_counter: int
    was_restored: bool

    def take(self) -> Snapshot:
        """The state as it is now. The arrays may share memory with it."""

    def put(self, save: Save) -> Any:
        """Brings a save's state back, or raises and changes nothing."""


@dataclass(frozen=True)
class _Request:
    """What a save was asked for with, until it is durable or has failed."""

    counter: int
    step: int | None
    name: str
    callbacks: list[Callable[[str], Any]]


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
        rules = Rules(
            arguments.max_to_keep(max_to_keep),
            arguments.hours("keep_checkpoint_every_n_hours", keep_checkpoint_every_n_hours),
            arguments.best(keep_best),
        )
        self._directory = checks.path("directory", directory)
        self._name = arguments.checkpoint_name(checkpoint_name)
        self._interval = arguments.interval(checkpoint_interval, step_counter)
        self._step_counter = arguments.step_counter(step_counter, self._source)
        self._last_step = checks.optional_int("last_checkpoint_step", last_checkpoint_step)
        self._init_fn = checks.function("init_fn", init_fn)
        self._background = checks.flag("background", background)
        self._request: _Request | None = None
        self._own: set[int] = set()
        # A name in the folder, as `ckpt-3`.
        self._latest: str | None = None
        self._unseen: Manifest | None = None
        # Whether a checkpoint was looked for, and what was said of those in another format.
        self._looked = self._warned = False
        # The program may change its working directory later.
        self._folder = os.path.abspath(self._directory)
        self._keeper = checkpointer.Keeper(self._folder, self._name, rules, self._background)

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
        self._notice()
        directory = self.directory
        return [
            os.path.join(directory, f"{self._name}-{number}") for number in self._keeper.numbers
        ]

    @property
    def latest_checkpoint(self) -> str | None:
        """Path of the checkpoint last saved, ``None`` when there is none.

        Before this manager has saved or restored, it is that of the newest whole checkpoint in the
        folder, whoever saved it there, and all of its bytes are verified.

        Raises:
            DamageError: There are checkpoints, and none is whole.
        """
        self._notice()
        name = self._latest or checkpointer.newest_name(self._folder)
        if name is None:
            self._warn_of_tensorflow()
            return None
        return os.path.join(self.directory, name)

    @property
    def last_known(self) -> str | None:
        """Path of the checkpoint that this manager last restored or knows to be durable."""
        return None if self._latest is None else os.path.join(self._folder, self._latest)

    @property
    def waited(self) -> float:
        """Seconds that :meth:`save` and :meth:`sync` have waited for saves still being written."""
        return self._keeper.waited

    @property
    def last_save_took(self) -> float:
        """Seconds that the last save took until it was durable, 0 before the first."""
        return self._keeper.took

    def metadata(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """What was given as `with_metadata` when this checkpoint was saved.

        Raises:
            RestoreError: There is no such checkpoint.
            DamageError: It is not whole.
        """
        return _records.metadata(find(path)[2])

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
        self.sync()
        if not self._looked:
            # A folder that no process of this user will restore from is not to take days of saves.
            ownership.refuse_others(self._folder)
        self._keeper.open_to_save()
        if not self._looked and not self._keeper.taken:
            self._warn_of_tensorflow()
        self._looked = True
        counter = self._source.save_counter + 1
        if number is None:
            number = counter = self._free(counter)
        beside = self._keeper.record(counter).as_state(metadata)
        snapshot = self._snapshot(step, beside)
        self._own.add(number)
        request = _Request(counter, step, f"{self._name}-{number}", callbacks)
        self._keeper.begin(snapshot, number)
        self._request = request
        if not self._background:
            self.sync()
        return os.path.join(self.directory, request.name)

    def save_unmanaged(self) -> str:
        """Saves what no manager will ever let go: its path. See :meth:`rekindle.Checkpoint.save`.

        Raises:
            SaveError, LockError, ArgumentError: As :meth:`save`.
        """
        self._keeper.open_to_save()
        number = self._free(self._source.save_counter + 1)
        self._keeper.commit_unmanaged(self._snapshot(None, {}), number)
        self._source.save_counter = number
        return os.path.join(self.directory, f"{self._name}-{number}")

    def _is_due(self, step: int | None, check_interval: bool) -> bool:
        last = self._last_step if self._request is None else self._request.step
        if self._interval is None or last is None or step is None:
            return True
        return step != last and not (check_interval and step < last + self._interval)

    def _free(self, counter: int) -> int:
        """The number of a plain save: the counter, unless that would write over somebody's."""
        taken = self._keeper.taken
        if counter not in taken or counter in self._own or self._source.was_restored:
            return counter
        return max(taken) + 1

    def _snapshot(self, step: int | None, beside: Mapping[str, Any]) -> Snapshot:
        taken = self._source.take()
        position = taken.position
        if position.step is None and step is not None and step >= 0:
            position = replace(position, step=step)
        return Snapshot(taken.arrays, {**taken.state, **beside}, position)

    def sync(self) -> None:
        """Returns once everything that was asked for is durable.

        Raises:
            SaveError: A save in the background failed. Checkpoints before it still stand.
        """
        self._settle(wait=True)

    def poll(self, *, wait: bool = False) -> Manifest | None:
        """The save that became durable since the last call, or ``None``.

        Args:
            wait: bool. Whether to wait for one that is still being written.

        Raises:
            SaveError: It failed.
        """
        self._settle(wait=wait)
        manifest, self._unseen = self._unseen, None
        return manifest

    def _settle(self, *, wait: bool) -> None:
        try:
            manifest = self._keeper.outcome(wait=wait)
        except BaseException:
            # Ctrl-C ends the waiting, and not the save that is waited for.
            if not self._keeper.is_busy:
                self._request = None
            raise
        if manifest is None or self._request is None:
            return
        request, self._request = self._request, None
        self._unseen = manifest
        self._latest = request.name
        self._source.save_counter, self._last_step = request.counter, request.step
        for callback in request.callbacks:
            callback(os.path.join(self.directory, request.name))

    def _notice(self) -> None:
        """Takes note of a save that became durable; of one that failed, the next save tells."""
        if not self._keeper.has_failed:
            self._settle(wait=False)

    def restore_or_initialize(self) -> str | None:
        """Brings back the newest whole checkpoint, or calls `init_fn` when there is none.

        The folder is taken: from here on other managers are refused.

        Returns:
            The path of the restored checkpoint, or ``None``.

        Raises:
            LockError: Another manager, or run, holds the folder.
            MismatchError: The checkpoint does not fit the objects. Nothing was changed.
            DamageError: There are checkpoints, and none is whole.
            ForeignFileError: The folder, or a checkpoint in it, belongs to another user. Nothing
                was read.
            RestoreError: The system refused to read.
        """
        self.sync()
        self._warn_of_other_workers()
        if self.restore() is not None:
            return self.latest_checkpoint
        self._warn_of_tensorflow()
        if self._init_fn is not None:
            self._init_fn()
        return None

    def _warn_of_tensorflow(self) -> None:
        if not self._warned:
            self._looked = self._warned = True
            _warn_of_tensorflow(self._folder, stacklevel=4)

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

    def restore(self) -> Save | None:
        """Brings back the newest whole checkpoint: it, or ``None`` when there is none."""
        self._looked = True
        if not os.path.isdir(self._folder):
            return None
        ownership.refuse_others(self._folder)
        self.open()
        name, save = self._keeper.newest()
        if save is None:
            return None
        self._source.put(save)
        self._latest = f"{name}-{save.manifest.number}"
        if self._interval is not None and self._step_counter is not None:
            self._last_step = self._step_counter()
        return save

    def close(self) -> None:
        """Waits for the last save, and lets go of the folder, whose checkpoints stay.

        A later save takes it again.

        Raises:
            SaveError: The last save in the background failed.
        """
        try:
            self.sync()
        finally:
            self._keeper.close()

    def clear(self) -> None:
        """Removes every checkpoint of this name in the folder, and lets go of it.

        The folder itself goes when it is then empty and rekindle made it. What the system refuses
        to remove stays, with a ``SaveWarning``.
        """
        self._sync_quietly()
        self._keeper.clear()
        self._latest = None

    def _sync_quietly(self) -> None:
        try:
            self.sync()
        except SaveError as error:
            warnings.warn(str(error), SaveWarning, stacklevel=3)

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
        self._sync_quietly()
        self.close()

    def open(self) -> None:
        """Takes the folder for this manager, and makes it where it is missing.

        Raises:
            LockError: Another manager, or run, holds it.
            ForeignFileError, FormatError: It holds files that rekindle must not write beside.
            RestoreError: The system refused.
        """
        self._keeper.open()


def _source(checkpoint: Any) -> Source:
    if hasattr(checkpoint, "take") and hasattr(checkpoint, "put"):
        found: Source = checkpoint
        return found
    if is_tensorflow_checkpoint(checkpoint):
        return TensorFlowCheckpoint(checkpoint)
    raise checks.invalid("checkpoint", checkpoint, "a rekindle.Checkpoint or a tf.train.Checkpoint")


def save_once(checkpoint: Any, file_prefix: str | os.PathLike[str]) -> str:
    """Saves a checkpoint that no manager manages: its path."""
    expected = "folder and first part of the name, as a string or an os.PathLike"
    directory, name = os.path.split(checks.path("file_prefix", file_prefix, expected))
    with CheckpointManager(checkpoint, directory or os.curdir, None, checkpoint_name=name) as one:
        return one.save_unmanaged()


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
    name = checkpointer.newest_name(os.path.abspath(folder))
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
