"""The results of the functions that read a backup folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rekindle._saving.attempts import Attempt
from rekindle._storage.protocol import Holder


@dataclass(frozen=True)
class SaveInfo:
    """One checkpoint.

    Attributes:
        name: Its name, such as ``ckpt-12``.
        number: Its number.
        damage: The damage, or ``None`` if the checkpoint is whole: the manifest to the last byte,
            the packs as far as their sizes and headers show. :func:`verify` reads the rest.
        time: When it was saved, in POSIX seconds. If the manifest cannot be read, this attribute
            and all below but `size` are ``None``, 0 or empty.
        epoch: Whole epochs done, or ``None`` if the checkpoint is not of a ``fit()``.
        batch: Batches done of the next epoch, or ``None``.
        step: Training steps done in all, or ``None``.
        version: The version of rekindle that wrote it.
        size: Bytes of the files that were written with it.
        shared: Bytes of its arrays that did not change since an older checkpoint. They are in the
            files of that checkpoint.
        metrics: The metrics that were reported with it, by name: numbers, strings and bools.
        schedule: With a `save_freq` by the clock: ``save_freq`` ("time" or "auto") and the
            ``interval`` in seconds. With "auto" also the bounds that the user gave; the ``reason``
            for the interval: "max_overhead", "mean_time_between_failures", "writing" (as often as
            a checkpoint can be written) or "shortest" (one second); the costs of a save, ``stall``
            and ``interference``; the ``duration`` of a save, and that of a ``step``, in seconds.
            The first save only measures, and has only the bounds. Without such a `save_freq`:
            empty.
        evidence: Of a run that had resumed before this save: the ``number`` of the checkpoint that
            it resumed from, with its ``epoch`` and ``batch`` (of a custom loop that reports its
            steps, its ``step``); the ``evidence`` ("verified",
            "unverified", "changed" or "differs"), and how many ``batches``, ``losses`` and
            ``epochs`` were those of the interrupted run, with the ``largest`` relative difference
            of a loss, all until this save. Empty if the run had not resumed.
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
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FolderInfo:
    """The contents of a folder.

    Attributes:
        directory: The folder, as an absolute path.
        state: ``"whole"``; ``"damaged"`` if a checkpoint is damaged and another is whole;
            ``"lost"`` if there are checkpoints and none is whole; ``"foreign"`` if there is no
            checkpoint, but files that are not rekindle's; ``"empty"``; or ``"missing"`` if there is
            no such folder.
        held: Whether a run holds the folder now; ``None`` if this process cannot tell, for example
            because the run is on another host.
        holder: The run that holds the folder or, if `held` is ``None``, the last known one:
            ``host``, ``pid`` and ``started`` (POSIX seconds), each of which may be ``None``.
            ``None`` if the folder is unlocked.
        is_here: Whether this process itself holds the folder.
        saves: The checkpoints, oldest first.
        size: Bytes of all of rekindle's files.
        set_aside: Quarantined files: their new names, with their sizes in bytes.
        foreign: Names of files that are not rekindle's.
        of_keras: Whether `foreign` includes a backup of Keras' own callback.
        of_keras_2: Whether it includes a backup of the callback of Keras 2 (tf_keras).
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
    of_keras_2: bool = False


@dataclass(frozen=True)
class Check:
    """The result of reading every byte of a checkpoint.

    Attributes:
        name: The checkpoint's name.
        number: Its number.
        bytes: Bytes of its arrays.
        damage: The damage; ``None`` if every byte is as it was written.
    """

    name: str
    number: int
    bytes: int
    damage: str | None


@dataclass(frozen=True)
class History:
    """Every epoch of a run up to a checkpoint.

    Attributes:
        save: The checkpoint's name.
        epoch: The epochs that ended, counted from 0.
        metrics: For each metric, its values in the order of the epochs that reported it.
        epochs: For each metric, these epochs, one for each value. ``None`` stands for an epoch that
            is not known: earlier versions of rekindle did not save it.
        attempts: The attempts of the run up to this checkpoint, oldest first; of the latest
            checkpoint, also what is known of the time after it. Empty if an earlier version of
            rekindle wrote the checkpoint. Of very many attempts, the newest 64.
        batches: How many batches an epoch has, or ``None`` if that is not known.
    """

    save: str
    epoch: list[int]
    metrics: Mapping[str, list[Any]]
    epochs: Mapping[str, list[int | None]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    batches: int | None = None


@dataclass(frozen=True)
class ArrayInfo:
    """An array of a checkpoint: name, NumPy's name of the dtype, shape, and size in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Deletion:
    """The result of :func:`rekindle.inspection.delete`.

    Attributes:
        removed: Names of the removed files.
        kept: Names of the files that stay: foreign files, and quarantined files.
        folder_removed: Whether the folder was removed, too: it was empty, and rekindle had made it.
    """

    removed: list[str]
    kept: list[str]
    folder_removed: bool


# Users know these as `rekindle.inspection.SaveInfo`.
for _class in (SaveInfo, FolderInfo, Check, History, ArrayInfo, Deletion, Attempt):
    _class.__module__ = "rekindle.inspection"
