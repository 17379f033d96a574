"""Saves named objects of a training loop as one checkpoint, and restores them in place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from rekindle._base import checks, places
from rekindle._base.arrays import AnyArray
from rekindle._codec import source
from rekindle._codec.group import Group
from rekindle._codec.source import CheckpointSource
from rekindle._codec.status import RestoreStatus
from rekindle._inspection import lookup
from rekindle._policy.retention import Retention
from rekindle._saving import arguments, metadata
from rekindle._saving.checkpointer import Checkpointer
from rekindle.errors import ArgumentError

__all__ = ["Checkpoint", "RestoreStatus"]


class Checkpoint(Group):
    """Groups the objects of a training loop, so that you can save and restore them together.

    The objects are attributes: after ``checkpoint.step += 1``, the next save includes the new
    value. To save, give the checkpoint to a :class:`rekindle.CheckpointManager`, or call
    :meth:`save`.

    Args:
        **objects: Named objects. Each of them is:

            - a Keras model (its compiled optimizer included), layer, optimizer, metric, variable or
              ``SeedGenerator``;
            - a ``tf.Variable``, ``tf.Module``, ``tf.train.Checkpoint`` or another object that
              TensorFlow tracks;
            - a ``torch.nn.Module``, optimizer, scheduler or tensor;
            - a NumPy or JAX array, a JAX random key, or a random generator of Python, NumPy or
              PyTorch;
            - a number (complex or not), string, ``bytes``, ``bool`` or ``None``;
            - a ``pathlib.Path``, a member of an ``Enum``, a ``datetime``, ``date``, ``time`` or
              ``timedelta``;
            - a dict, ``OrderedDict``, ``defaultdict``, ``Counter``, list, deque, set, tuple, named
              tuple, dataclass or JAX pytree of these;
            - any object with the methods ``state_dict()`` and ``load_state_dict()``;
            - another ``Checkpoint``.

    Attributes:
        save_counter: int. How often you saved the object. :meth:`restore` restores this number.

    A restore changes variables, modules, tensors, NumPy arrays, lists, deques, sets, dicts and
    generators in place. It cannot change numbers, JAX arrays, named tuples and the like in place:
    read these from the attribute afterwards. An empty list or dict, and ``None``, take any saved
    value.

    Raises:
        ArgumentError: (a ``ValueError``) A name is that of a method, or begins with ``_``.

    Example::

        checkpoint = rekindle.Checkpoint(params=params, opt_state=opt_state, step=0)
        manager = rekindle.CheckpointManager(checkpoint, "ckpts", max_to_keep=3)
        manager.restore_or_initialize()
        params, opt_state = checkpoint.params, checkpoint.opt_state
    """

    save_counter: int
    was_restored: bool
    _objects: dict[str, Any]

    def __init__(self, **objects: Any) -> None:
        self._objects = {}
        self.save_counter = 0
        self.was_restored = False
        for name, value in objects.items():
            if self._is_own(name):
                raise ArgumentError(
                    f"Invalid name for an object in a Checkpoint. Received: {name!r}. Expected a"
                    " name that does not begin with an underscore, and that the class does not use"
                    f" itself: {', '.join(sorted(_own_names()))}.",
                    argument=name,
                    value=value,
                )
            self._objects[name] = value

    @staticmethod
    def _is_own(name: str) -> bool:
        return name.startswith("_") or name in _own_names()

    def __getattr__(self, name: str) -> Any:
        objects = self.__dict__.get("_objects", {})
        if name not in objects:
            raise AttributeError(f"this Checkpoint has no object {name!r}")
        return objects[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_own(name):
            object.__setattr__(self, name, value)
        else:
            self._objects[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._objects:
            raise AttributeError(f"this Checkpoint has no object {name!r}")
        del self._objects[name]

    def __dir__(self) -> Iterator[str]:
        yield from object.__dir__(self)
        yield from self._objects

    def __repr__(self) -> str:
        return f"<rekindle.Checkpoint of {', '.join(self._objects) or 'nothing'}>"

    def _group_objects(self) -> dict[str, Any]:
        """The objects by name."""
        return dict(self._objects)

    def _group_set(self, name: str, value: Any) -> None:
        """Replaces the object of this name."""
        self._objects[name] = value

    def save(self, file_prefix: str | os.PathLike[str]) -> str:
        """Saves as ``<file_prefix>-<save_counter>``, and returns that path.

        This removes no older checkpoint. No manager ever removes a checkpoint that you saved in
        this way.

        Args:
            file_prefix: str or ``os.PathLike``. Folder and first part of the name, such as
                ``"ckpts/final"``. A relative path counts from the working directory at the time of
                this call, and gives a relative path.

        Raises:
            SaveError: rekindle could not make the checkpoint durable.
            LockError: A manager, or another run, has locked the folder.
            ArgumentError: Something in the checkpoint cannot be saved, or `file_prefix` is not a
                path of the local file system.
        """
        expected = "folder and first part of the name, as a string or an os.PathLike"
        given = checks.place("file_prefix", file_prefix, expected)
        directory, name = places.split(given)
        name = arguments.checkpoint_name(name)
        folder = places.absolute(directory or os.curdir)
        one = Checkpointer(CheckpointSource(self), folder, name, Retention(last=None), False)
        try:
            return places.join(directory or os.curdir, one.save_unmanaged())
        finally:
            one.close()

    def restore(self, save_path: str | os.PathLike[str] | None) -> RestoreStatus:
        """Restores everything in a checkpoint that matches the objects, or changes nothing.

        Args:
            save_path: str, ``os.PathLike`` or ``None``. A path that :meth:`save` returned, or a
                manager's `latest_checkpoint`. With ``None``, which is `latest_checkpoint` before
                the first save, nothing happens.

        Returns:
            A status, with which you can assert what should have matched, as with
            ``tf.train.Checkpoint``. If something did not match and you call none of its methods, a
            ``MismatchWarning`` reports this.

        Raises:
            MismatchError: An object has another shape, dtype or kind than its saved value. The
                error lists each place in the tree, with what rekindle expected and what it found.
                Nothing was changed.
            DamageError: The checkpoint is not complete.
            FormatError: A newer rekindle wrote it, with a state that this rekindle does not know.
            RestoreError: There is no such checkpoint, or the system refused to read.
            ArgumentError: `save_path` is not a path of the local file system.
        """
        if save_path is None:
            return RestoreStatus(None, [], [])
        save = lookup.load(save_path)
        status = source.restore(self, save)
        self.save_counter = metadata.save_counter(save.manifest)
        self.was_restored = True
        return status

    @staticmethod
    def read(save_path: str | os.PathLike[str]) -> dict[str, AnyArray]:
        """Returns the arrays of a checkpoint by their places in the tree, and needs no objects.

        Args:
            save_path: str or ``os.PathLike``. A path that :meth:`save` returned.

        Returns:
            dict of str to NumPy arrays. rekindle has verified every byte of them.

        Raises:
            DamageError: The checkpoint is not complete.
            RestoreError: There is no such checkpoint, or the system refused to read.
        """
        return dict(lookup.load(save_path).arrays)


def _own_names() -> set[str]:
    public = {name for name in dir(Checkpoint) if not name.startswith("_")}
    return public | {"save_counter", "was_restored"}
