"""What is saved: the object, and the request for one save of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rekindle._format.snapshot import LoadedCheckpoint, Snapshot


class Source(Protocol):
    """The object to save and restore: a :class:`rekindle.Checkpoint`, or a running ``fit()``.

    Attributes:
        save_counter: How often it was saved.
        was_restored: Whether a checkpoint was restored into it.
    """

    save_counter: int
    was_restored: bool

    def take(self) -> Snapshot:
        """Captures the state as it is now. The arrays may share memory with the source."""

    def put(self, save: LoadedCheckpoint) -> Any:
        """Restores a checkpoint, or raises and changes nothing."""


@dataclass(frozen=True)
class Request:
    """The request for a save, kept until the checkpoint is durable or the save has failed.

    Attributes:
        counter: How often the source was saved, including this save.
        step: The training step, or ``None`` if it is not known.
        name: The checkpoint's name, such as ``ckpt-3``.
        callbacks: Called with that name once the checkpoint is durable.
    """

    counter: int
    step: int | None
    name: str
    callbacks: Sequence[Callable[[str], Any]] = ()
