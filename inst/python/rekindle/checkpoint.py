"""Named objects of a training loop, saved as one checkpoint and brought back in place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from rekindle._base import checks
from rekindle._base.arrays import AnyArray
from rekindle._codec.capture import Group, Taking
from rekindle._codec.restore import Matching
from rekindle._codec.status import RestoreStatus
from rekindle._format.manifest import Damage, Manifest
from rekindle._format.snapshot import Save, Snapshot
from rekindle._repository import reader
from rekindle._saving import metadata
from rekindle.errors import (
    ArgumentError,
    DamageError,
    MismatchError,
    RekindleError,
    RestoreError,
    UnsupportedValueError,
    bulleted,
)

__all__ = ["Checkpoint", "RestoreStatus"]

_T = TypeVar("_T")

_TREE = "checkpoint"

_A_SAVE = "what a save returned, as a string or an os.PathLike"


class Checkpoint(Group):
    """Groups the objects of a training loop, to be saved and brought back together.

    The objects are attributes: ``checkpoint.step += 1`` is saved with the next save. To save, give
    the checkpoint to a :class:`rekindle.CheckpointManager`, or call :meth:`save`.

    Args:
        **objects: By name, each one of:

            - a Keras model (its compiled optimizer included), layer, optimizer, metric, variable or
              ``SeedGenerator``;
            - a ``tf.Variable``, ``tf.Module``, ``tf.train.Checkpoint`` or another object that
              TensorFlow tracks;
            - a ``torch.nn.Module``, optimizer, scheduler or tensor;
            - a NumPy or JAX array, a JAX random key, or a random generator of Python, NumPy or
              PyTorch;
            - a number, string, ``bytes``, ``bool`` or ``None``;
            - a dict, list, tuple, named tuple, dataclass or JAX pytree of these;
            - any object with the methods ``state_dict()`` and ``load_state_dict()``;
            - another ``Checkpoint``.

    Attributes:
        save_counter: int. How often it was saved; comes back with a restore.

    Variables, modules, tensors, NumPy arrays, lists, dicts and generators are changed in place by a
    restore. What cannot be, such as a number, a JAX array or a named tuple, is to be read from the
    attribute afterwards. An empty list or dict, and ``None``, take whatever was saved.

    Raises:
        ArgumentError: (a ``ValueError``) A name is one of the methods' or begins with ``_``.

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

    def group_objects(self) -> dict[str, Any]:
        """The objects by name."""
        return dict(self._objects)

    def group_set(self, name: str, value: Any) -> None:
        """The object of this name is another from now on."""
        self._objects[name] = value

    def save(self, file_prefix: str | os.PathLike[str]) -> str:
        """Saves under ``<file_prefix>-<save_counter>``: the path. Nothing older is removed.

        No manager ever removes a checkpoint that was saved so.

        Args:
            file_prefix: str or ``os.PathLike``. Folder and first part of the name, as
                ``"ckpts/final"``. A relative one counts from the working directory of now, and
                gives a relative path.

        Raises:
            SaveError: It could not be made durable.
            LockError: A manager holds the folder.
            ArgumentError: Something in the checkpoint cannot be saved, or `file_prefix` is no path
                of the local file system.
        """
        from rekindle.manager import save_once

        return save_once(self, file_prefix)

    def restore(self, save_path: str | os.PathLike[str] | None) -> RestoreStatus:
        """Brings a checkpoint back into the objects: everything that matches, or nothing.

        Args:
            save_path: str, ``os.PathLike`` or ``None``. What a save returned, or a manager's
                `latest_checkpoint`; ``None``, as that is where nothing was saved yet, does nothing.

        Returns:
            What was matched and what was not, to be asserted, as ``tf.train.Checkpoint`` has it.
            When something was not, and nobody asks, a ``MismatchWarning`` says so.

        Raises:
            MismatchError: Something has another shape, dtype or kind than what was saved; with
                each place in the tree, what was expected and what was found. Nothing was changed.
            DamageError: The checkpoint is not whole.
            RestoreError: There is none, or the system refused to read.
            ArgumentError: `save_path` is no path of the local file system.
        """
        if save_path is None:
            return RestoreStatus(None, [], [])
        return self.put(load(save_path))

    @staticmethod
    def read(save_path: str | os.PathLike[str]) -> dict[str, AnyArray]:
        """The arrays of a checkpoint by their places in the tree, without any object.

        Args:
            save_path: str or ``os.PathLike``. What a save returned.

        Returns:
            dict of str to NumPy arrays, every byte of them verified.

        Raises:
            DamageError: The checkpoint is not whole.
            RestoreError: There is none, or the system refused to read.
        """
        return dict(load(save_path).arrays)

    def take(self) -> Snapshot:
        """The state as it is now, for a manager. The arrays may share memory with the objects."""
        try:
            taking = Taking(self)
            tree = taking.take(self, "")
        except UnsupportedValueError as error:
            raise ArgumentError(
                f"Something in the checkpoint cannot be saved. {error}.",
                argument="checkpoint",
                value=None,
            ) from None
        return Snapshot(taking.arrays, {_TREE: tree})

    def put(self, save: Save) -> RestoreStatus:
        """Brings the state of a save back, for a manager; see :meth:`restore`."""
        path = f"Checkpoint {save.manifest.number}"
        saved = save.manifest.state.get(_TREE)
        if not isinstance(saved, dict):
            raise MismatchError(
                f"{path} was not saved from a Checkpoint: it has no tree of objects.",
                differences=["checkpoint: expected a tree of objects, found none"],
            )
        matching = _reading(path, lambda: Matching(save.arrays, self))
        bring_back = _reading(path, lambda: matching.match(self, saved, ""))
        if matching.differences:
            raise MismatchError(
                f"{path} does not fit the objects. Nothing was changed.\n"
                + bulleted(matching.differences),
                differences=matching.differences,
            )
        matching.states.put(path)
        bring_back()
        self.save_counter = metadata.save_counter(save.manifest)
        self.was_restored = True
        return RestoreStatus(path, matching.unmatched, matching.unconsumed)


def _own_names() -> set[str]:
    public = {name for name in dir(Checkpoint) if not name.startswith("_")}
    return public | {"save_counter", "was_restored"}


def find(path: str | os.PathLike[str]) -> tuple[str, str, Manifest]:
    """Folder, prefix and manifest of the checkpoint at this path.

    Raises:
        DamageError: Its manifest is not whole.
        RestoreError: There is none, or the system refused to read.
    """
    name = checks.path("save_path", path, _A_SAVE)
    directory = os.path.dirname(os.path.abspath(name))
    try:
        return reader.find(name)
    except FileNotFoundError as error:
        raise RestoreError(
            f"There is no checkpoint {name!r}. rekindle.latest_checkpoint() names the newest in a"
            " folder.",
            directory=directory,
            errno=error.errno,
        ) from None
    except Damage as damage:
        raise _damaged(name, directory, damage) from None


def load(path: str | os.PathLike[str]) -> Save:
    """The checkpoint at this path, every byte of it verified.

    Raises:
        DamageError: It is not whole.
        RestoreError: There is none, or the system refused to read.
    """
    name = checks.path("save_path", path, _A_SAVE)
    directory, _, manifest = find(name)
    try:
        return reader.read(directory, manifest)
    except Damage as damage:
        raise _damaged(name, directory, damage) from None


def _damaged(path: str, directory: str, damage: object) -> DamageError:
    return DamageError(
        f"The checkpoint {path!r} is damaged: {damage}. Nothing was changed."
        " rekindle.latest_checkpoint() finds the newest that is whole.",
        directory=directory,
        damages=[str(damage)],
    )


def _reading(path: str, read: Callable[[], _T]) -> _T:
    """What `read` gives; what it raises on a tree that is none is told as the damage it is."""
    try:
        return read()
    except RekindleError:
        raise
    # A tree that somebody made up meets anybody's objects: what these raise cannot be listed.
    except Exception as error:
        raise DamageError(
            f"{path} cannot be read as the state of these objects: {error!r:.500}. Nothing was"
            " changed.",
            directory="",
            damages=[f"{error!r:.500}"],
        ) from error
