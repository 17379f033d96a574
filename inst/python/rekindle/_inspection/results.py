"""What a look into a backup folder gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rekindle._storage.local.lock import Holder


@dataclass(frozen=True)
class SaveInfo:
    """One save.

    Attributes:
        name: Its name, such as ``ckpt-12``.
        number: Its number.
        damage: What is wrong with it, or ``None`` when it is whole: its manifest to the last byte,
            its packs as far as their sizes and headers show. :func:`verify` reads the rest.
        time: When it was taken, in POSIX seconds. Like all below, ``None`` (or empty) when the
            manifest cannot be read.
        epoch: Whole epochs done, or ``None`` when it is not of a ``fit()``.
        batch: Batches done of the epoch after these, or ``None``.
        step: Training steps done in all, or ``None``.
        version: The version of rekindle that wrote it.
        size: Bytes of the files that were written with it.
        shared: Bytes of its arrays that did not change since an older save, and lie in its files.
        metrics: What was reported with it, by name: numbers, strings and bools.
        schedule: With a `save_freq` by the clock: ``save_freq`` ("time" or "auto") and the
            ``interval`` in seconds. With "auto" also the bounds that were given; the ``reason``,
            what decided: "max_overhead", "mean_time_between_failures", "writing" (as often as a
            save can be written) or "shortest" (a second); what a save costs, ``stall`` and
            ``interference``; its ``duration``, and that of a ``step``, in seconds. The first save
            is there to measure, and has the bounds alone. Else empty.
    """

    name: str
    number: int
    damage: str | None = None
    time: float | None = None
    epoch: int | None = None
    batch: int | None = None
    step: int | None = None
    version: str | None = None
    size: int = 0
    shared: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    schedule: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FolderInfo:
    """What a folder holds.

    Attributes:
        directory: The folder, as an absolute path.
        state: ``"whole"``, ``"damaged"`` when a save is damaged and another is whole, ``"lost"``
            when there are saves and none is whole, ``"foreign"`` when there is no save and
            somebody else's files are there, ``"empty"``, or ``"missing"`` when there is no such
            folder.
        held: Whether a run holds the folder now; ``None`` when it cannot be told from here, as of
            a run on another host.
        holder: Who holds it, or last did when it cannot be told: ``host``, ``pid`` and ``started``
            (POSIX seconds), each of which may be ``None``. ``None`` when nobody does.
        is_here: Whether this process itself holds it.
        saves: The saves, oldest first.
        size: Bytes of all of rekindle's files.
        set_aside: Files that were found damaged, by the names they were given then, with their
            sizes in bytes.
        foreign: Names of files that are not rekindle's.
        of_keras: Whether a backup by Keras' own callback is among these.
    """

    directory: str
    state: str
    held: bool | None = False
    holder: Holder | None = None
    is_here: bool = False
    saves: list[SaveInfo] = field(default_factory=list)
    size: int = 0
    set_aside: Mapping[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    of_keras: bool = False


@dataclass(frozen=True)
class Check:
    """What reading every byte of a save showed.

    Attributes:
        name: The save's name.
        number: Its number.
        bytes: Bytes of its arrays.
        damage: What is wrong with it; ``None`` when every byte is what was written.
    """

    name: str
    number: int
    bytes: int
    damage: str | None


@dataclass(frozen=True)
class History:
    """Every epoch of a run up to a save.

    Attributes:
        save: The save's name.
        epoch: The epochs that ended, counted from 0.
        metrics: For each metric, its values in the order of the epochs that reported it.
        epochs: For each metric, these epochs, one for each value. ``None`` stands for an epoch that
            is not known: earlier versions did not save it.
    """

    save: str
    epoch: list[int]
    metrics: Mapping[str, list[Any]]
    epochs: Mapping[str, list[int | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class ArrayInfo:
    """An array of a save: its name, NumPy's name of its dtype, its shape, its size in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Deletion:
    """What :func:`rekindle.inspection.delete` did.

    Attributes:
        removed: Names of the files that are gone.
        kept: Names of those that stay: somebody else's, and what was set aside as damaged.
        folder_removed: Whether the folder, being empty and made by rekindle, went, too.
    """

    removed: list[str]
    kept: list[str]
    folder_removed: bool


# Users meet these as `rekindle.inspection.SaveInfo`.
for _class in (SaveInfo, FolderInfo, Check, History, ArrayInfo, Deletion):
    _class.__module__ = "rekindle.inspection"
