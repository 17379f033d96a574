"""What checkpoints and witness hold of a whole run: its epochs, its attempts, its settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rekindle._format import epochs as _epochs
from rekindle._format import layout, witness
from rekindle._format.manifest import Damage, Manifest
from rekindle._format.witness import Record
from rekindle._inspection import lookup
from rekindle._inspection.lookup import Which
from rekindle._inspection.moment import Now
from rekindle._inspection.now import Watcher
from rekindle._inspection.results import History
from rekindle._saving.attempts import Attempts
from rekindle._storage.protocol import Storage
from rekindle.errors import MismatchError

# Settings in a forged checkpoint may be any number, of any length.
_ROWS, _LETTERS = 120, 300


@dataclass(frozen=True)
class Run:
    """A run, as its folder shows it.

    Attributes:
        now: What it is doing now, or what it did last.
        history: Its epochs up to the newest checkpoint; ``None`` if there is none, or no history.
        attempts: Its attempts, to their ends.
        steps: What the witness has of single batches, oldest attempt first.
        settings: Names and values, as text.
    """

    now: Now
    history: History | None
    attempts: Attempts
    steps: list[Record]
    settings: list[tuple[str, str]]


def run(directory: Any, options: lookup.Options = None) -> Run:
    """The run in a folder.

    Raises:
        RestoreError: There is neither a checkpoint nor a witness, or the system refused to read.
        DamageError: Every checkpoint is damaged.
    """
    watcher = Watcher(directory, storage_options=options)
    now, storage = watcher.look(), lookup.storage_at(directory, options)
    data = _witness(storage)
    steps = [one for one in witness.records(data) if one.kind & witness.STEP]
    steps.sort(key=lambda one: one.attempt)
    if now.checkpoint is None:
        attempts = _followed(Attempts(), data, goes_on=now.state == "running")
        if not attempts.rows:
            raise lookup.absent(storage)
        return Run(now, None, attempts, steps, [])

    def read(prefix: str, manifest: Manifest) -> Run:
        found = None
        if manifest.state.get("history"):
            found = _history(storage, f"{prefix}-{manifest.number}", manifest, data, now)
        told = _attempts(prefix, manifest, data, now)
        return Run(now, found, told, steps, list(_settings(manifest)))

    return lookup.with_save(storage, "latest", read)


def history(storage: Storage, which: Which) -> History:
    """The history in a checkpoint; see :func:`rekindle.inspection.history`."""

    def read(prefix: str, manifest: Manifest) -> History:
        name = f"{prefix}-{manifest.number}"
        if not manifest.state.get("history"):
            raise MismatchError(
                f"Checkpoint {name} in {storage.url!r} is not of a fit(), and has no history.",
                differences=["history: expected one, found none"],
            )
        data = _witness(storage) if which == "latest" else b""
        return _history(storage, name, manifest, data, None)

    return lookup.with_save(storage, which, read)


def _history(
    storage: Storage, name: str, manifest: Manifest, data: bytes, now: Now | None
) -> History:
    tree = lookup.tree(storage, manifest, "history")
    prefix = name.rpartition("-")[0]
    try:
        epochs = [int(epoch) for epoch in tree["epoch"]]
        table = {str(metric): list(column) for metric, column in tree["metrics"].items()}
        reported = _epochs.saved(epochs, tree)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise Damage(f"its history cannot be read: {error!r:.200}") from None
    if now is None and data:
        goes_on = _goes_on(storage)
        found = _followed(Attempts.of(manifest), data if prefix == layout.PREFIX else b"", goes_on)
    else:
        found = _attempts(prefix, manifest, data, now)
    return History(name, epochs, table, reported, list(found.rows), found.batches)


def _goes_on(storage: Storage) -> bool:
    with lookup.refusals(storage):
        return storage.probe().held is not False


def _attempts(prefix: str, manifest: Manifest, data: bytes, now: Now | None) -> Attempts:
    """The attempts up to a checkpoint and, as the witness has them, after it."""
    goes_on = now is None or now.state in ("running", "unseen")
    return _followed(Attempts.of(manifest), data if prefix == layout.PREFIX else b"", goes_on)


def _followed(attempts: Attempts, data: bytes, goes_on: bool) -> Attempts:
    found = attempts.followed(witness.read_pulse(data[: witness.BEGIN]), witness.records(data))
    return found if goes_on else found.over()


def _witness(storage: Storage) -> bytes:
    with contextlib.suppress(OSError):
        return storage.read(layout.WITNESS, witness.FILE)
    return b""


def _settings(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What the checkpoint says of its run's set-up: plain values, some of each part."""
    yield "rekindle", manifest.version
    yield "run", manifest.run
    for part, names in _PARTS:
        row = manifest.state.get(part)
        rows = row.items() if isinstance(row, dict) else ()
        for name, value in list(rows)[:_ROWS]:
            if value is not None and (names is None or name in names):
                yield names[name] if names else str(name)[:_LETTERS], _plain(value)


_PARTS: tuple[tuple[str, dict[str, str] | None], ...] = (
    ("versions", None),
    ("fingerprint", None),
    (
        "manager",
        {
            "max_to_keep": "checkpoints kept",
            "keep_checkpoint_every_n_hours": "one kept every so many hours",
            "keep_best": "best checkpoints kept",
        },
    ),
    (
        "schedule",
        {
            "save_freq": "save_freq",
            "interval": "seconds between checkpoints",
            "max_overhead": "max_overhead",
            "mean_time_between_failures": "mean_time_between_failures",
        },
    ),
)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)[:_LETTERS]
