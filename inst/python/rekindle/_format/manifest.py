"""The manifest of a checkpoint: its contents, where their bytes lie, and their digests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xxhash

from rekindle._format import layout


class Damage(Exception):  # noqa: N818  (the store handles it, users meet DamageError)
    """The bytes are not those that were written; the message describes the difference."""


@dataclass(frozen=True)
class Position:
    """The position of a run. The counts are of completed work, so they index the next work.

    Attributes:
        step: Training batches in total, or ``None`` for a checkpoint without steps.
        epoch: Whole epochs, or ``None``.
        batch: Batches of the current epoch, 0 between two epochs, or ``None``.
    """

    step: int | None = None
    epoch: int | None = None
    batch: int | None = None


# Slots, because a manifest may have a hundred thousand arrays.
@dataclass(frozen=True, slots=True)
class Array:
    """Where an array lies: bytes `start` to `stop` of the file `pack`, little-endian, C order."""

    dtype: str
    shape: tuple[int, ...]
    pack: str
    start: int
    stop: int
    digest: str


@dataclass(frozen=True)
class Pack:
    """A pack: its size in bytes, the size of its header, and the header's digest."""

    size: int
    header: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """The manifest of one checkpoint.

    Attributes:
        number: The checkpoint's number, as in its name.
        serial: Place in the order of saving in this folder. The newest checkpoint has the highest.
        run: Identifier of the run that wrote the checkpoint.
        time: POSIX seconds at which the commit began.
        version: The version of rekindle that wrote the checkpoint.
        position: The position of the run.
        arrays: The arrays, by name.
        packs: The packs that the arrays lie in, by file name.
        state: Everything else, as JSON values.
    """

    number: int
    serial: int
    run: str
    time: float
    version: str
    position: Position
    arrays: Mapping[str, Array]
    packs: Mapping[str, Pack]
    state: Mapping[str, Any] = field(default_factory=dict)


def encode(manifest: Manifest) -> bytes:
    """The bytes of the manifest's file: one fact on each line for people to read; digest last."""
    position = manifest.position
    head = {
        "rekindle_format": layout.FORMAT,
        "version": manifest.version,
        "run": manifest.run,
        "number": manifest.number,
        "serial": manifest.serial,
        "time": manifest.time,
        "step": position.step,
        "epoch": position.epoch,
        "batch": position.batch,
    }
    lines = [f"{_dump(name)}:{_dump(value)}" for name, value in head.items()]
    lines[0] = "{" + lines[0]
    packs = {name: _dump(_pack_entry(pack)) for name, pack in manifest.packs.items()}
    lines.append(_table("packs", packs))
    lines.append(_table("arrays", _array_entries(manifest)))
    lines.append(_table("state", {name: _dump(value) for name, value in manifest.state.items()}))
    body = (",\n".join(lines) + ",\n").encode("ascii")
    return body + f'"xxh3_128":"{xxhash.xxh3_128_hexdigest(body)}"}}\n'.encode("ascii")


# Create the encoder once: a manifest may have ten thousand lines.
_dump = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _table(name: str, rows: Mapping[str, str]) -> str:
    inner = ",\n".join(f"{_dump(key)}:{value}" for key, value in rows.items())
    return f'"{name}":{{\n{inner}\n}}' if rows else f'"{name}":{{}}'


def _pack_entry(pack: Pack) -> dict[str, Any]:
    return {"size": pack.size, "header": pack.header, "xxh3_128": pack.digest}


def _array_entries(manifest: Manifest) -> dict[str, str]:
    packs = {name: _dump(name) for name in manifest.packs}
    return {
        # The same text as from `_dump`, which takes three times as long.
        name: f'{{"dtype":"{array.dtype}","shape":[{",".join(map(str, array.shape))}],'
        f'"pack":{packs[array.pack]},"bytes":[{array.start},{array.stop}],'
        f'"xxh3_128":"{array.digest}"}}'
        for name, array in manifest.arrays.items()
    }
