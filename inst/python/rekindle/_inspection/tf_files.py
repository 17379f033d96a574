"""Finds checkpoints in TensorFlow's own format. rekindle never reads or changes these."""

from __future__ import annotations

import os
import re
import warnings

from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle.errors import TakeoverWarning

_INDEX = re.compile(r"(?P<name>.+?(?:-(?P<number>[0-9]+))?)\.index", re.DOTALL)
_DATA = re.compile(r"(?P<name>.+)\.data-[0-9]{5}-of-[0-9]{5}", re.DOTALL)

# The file `checkpoint` names the newest one. rekindle has a file of this name as well.
_NEWEST = re.compile(rb'^model_checkpoint_path: "([^"\n]*)"', re.MULTILINE)


def newest(directory: str) -> str | None:
    """Path of TensorFlow's newest checkpoint in the folder; ``None`` if there is none."""
    return next(iter(complete(directory)), None)


def complete(directory: str) -> list[str]:
    """Paths of TensorFlow's checkpoints in the folder that have an index and data, newest first."""
    try:
        names = fs.names_in(directory)
    except OSError:
        return []
    with_data = {match["name"] for match in map(_DATA.fullmatch, names) if match}
    found = [
        (int(match["number"] or -1), match["name"])
        for match in map(_INDEX.fullmatch, names)
        if match and match["name"] in with_data
    ]
    paths = [name for _, name in sorted(found, reverse=True)]
    listed = _listed(directory)
    if listed is not None and (os.path.isabs(listed) or not found or listed in with_data):
        paths = [listed, *(name for name in paths if name != listed)]
    return [os.path.join(directory, name) for name in paths]


def warn(directory: str, stacklevel: int) -> None:
    """Warns if training would start afresh although there are checkpoints of TensorFlow."""
    found = newest(directory)
    if found is None:
        return
    warnings.warn(
        TakeoverWarning(
            f"There is no checkpoint of rekindle in {directory!r}, but there are TensorFlow's"
            " own, which rekindle does not read, so training starts afresh. To continue from"
            f" {found!r}, restore it with TensorFlow into the objects that it was saved from,"
            f" tf.train.Checkpoint(...).restore({found!r}), and save these here. TensorFlow's"
            " files stay as they are.",
            directory=directory,
        ),
        stacklevel=stacklevel,
    )


def _listed(directory: str) -> str | None:
    try:
        text = fs.read_file(os.path.join(directory, layout.STATE), layout.MAX_STATE_BYTES)
    # Do not report a file that cannot be read: this is only a quick check.
    except (OSError, MemoryError):
        return None
    match = None if text.startswith(layout.STATE_MAGIC) else _NEWEST.search(text)
    return os.fsdecode(match[1]) if match and match[1] else None
