"""Writes the variables of a checkpoint into a file for ``program.load_variables()`` of Synalinks.

Such a file names variables by their paths, and a checkpoint has these paths. So no program is
needed, and Synalinks is not imported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from rekindle._format.manifest import Damage, Manifest
from rekindle._inspection import lookup, new_file
from rekindle._inspection.lookup import Which
from rekindle._repository import reader
from rekindle._saving import metadata
from rekindle._storage.protocol import Storage
from rekindle._synalinks import variables
from rekindle.errors import BrokenTreeError, MismatchError

ENDING = ".variables.json"

# The groups of such a file: a part of the checkpoint, and whether its trainable variables are
# meant; ``None`` stands for all of them.
_GROUPS = {
    "trainable_variables": ("variables", True),
    "non_trainable_variables": ("variables", False),
    "optimizer_trainable_variables": ("optimizer", True),
    "optimizer_non_trainable_variables": ("optimizer", False),
    "metrics_variables": ("metrics", None),
}


def export(storage: Storage, path: str, which: Which, *, force: bool = False) -> str:
    """Writes the file, completely or not at all. Returns the checkpoint's name.

    Raises:
        ForeignFileError: A file of that name exists, and `force` is False.
        SaveError: The system refused to write.
        ArgumentError: The name of the file has another end.
        MismatchError: The checkpoint is not of a program, or no such file can hold it.
        DamageError, RestoreError: As :func:`rekindle._inspection.lookup.with_save`.
    """
    new_file.check(path, ENDING, "Synalinks", force=force)

    def read(prefix: str, manifest: Manifest) -> tuple[str, bytes]:
        metadata.refuse_newer(storage.url, manifest)
        name = f"{prefix}-{manifest.number}"
        return name, _content(storage, name, manifest)

    name, content = lookup.with_save(storage, which, read, whole=which == "latest")

    def write(temporary: str) -> None:
        with open(temporary, "xb") as file:
            file.write(content)

    new_file.write(path, ENDING, write, force=force)
    return name


def _content(storage: Storage, name: str, manifest: Manifest) -> bytes:
    fingerprint, own = manifest.state.get("fingerprint"), manifest.state.get("own")
    if not isinstance(fingerprint, dict) or fingerprint.get("backend") != "synalinks":
        raise _refused(storage.url, name, "is not of a program of Synalinks")
    if not isinstance(own, dict):
        raise Damage("its own state is not an object")
    parts = {part for part, _ in _GROUPS.values()}
    names = [key for key in manifest.arrays if key.partition("/")[0] in parts]
    arrays = reader.read(storage, manifest, names).arrays
    try:
        found = {part: variables.saved(own.get(part, {}), arrays) for part in parts}
    except BrokenTreeError as error:
        raise Damage(f"its variables cannot be read: {error}") from None
    try:
        tree = {
            group: _nested(_of_group(found[part], trainable))
            for group, (part, trainable) in _GROUPS.items()
            if found[part] or part != "optimizer"
        }
        return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise _refused(storage.url, name, f"cannot be in a file of Synalinks: {error}") from None


def _of_group(found: list[variables.Saved], trainable: bool | None) -> list[variables.Saved]:
    return [one for one in found if trainable is None or one.trainable == trainable]


def _nested(found: list[variables.Saved]) -> dict[str, Any]:
    """A tree of the variables, whose levels are the parts of their paths.

    Raises:
        ValueError: A path occurs twice, or a value is not JSON.
    """
    tree: dict[str, Any] = {}
    seen = set()
    for one in found:
        if one.path in seen:
            raise ValueError(
                f"two variables have the path {one.path!r:.200}. Give the modules of the program"
                " different names"
            )
        seen.add(one.path)
        *levels, last = one.path.split("/")
        level = tree
        for part in levels:
            level = level.setdefault(part, {})
        level[last] = _json(one.value, one.path)
    return tree


def _json(value: Any, path: str) -> Any:
    """The value as Synalinks' own library for JSON writes and reads it."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{path!r:.200} has a key that is not a string")
        return {key: _json(item, path) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, path) for item in value]
    if isinstance(value, float):
        # Synalinks writes null for a reward that is not a number.
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    raise ValueError(f"{path!r:.200} has a value of the type {type(value).__name__!r}")


def _refused(directory: str, name: str, why: str) -> MismatchError:
    return MismatchError(
        f"Checkpoint {name} in {directory!r} {why}. Nothing was written.", differences=[why]
    )
