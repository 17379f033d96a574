"""Finds checkpoints in TensorFlow's own format. rekindle never reads or changes these."""

from __future__ import annotations

import os
import re

from rekindle._format import layout
from rekindle._storage.local import fs

_INDEX = re.compile(r"(?P<name>.+?(?:-(?P<number>[0-9]+))?)\.index", re.DOTALL)
_DATA = re.compile(r"(?P<name>.+)\.data-[0-9]{5}-of-[0-9]{5}", re.DOTALL)

# The file `checkpoint` names the newest one. rekindle has a file of this name as well.
_NEWEST = re.compile(rb'^model_checkpoint_path: "([^"\n]*)"', re.MULTILINE)


def newest(directory: str) -> str | None:
    """Path of TensorFlow's newest checkpoint in the folder; ``None`` if there is none."""
    try:
        names = fs.names_in(directory)
    except OSError:
        return None
    with_data = {match["name"] for match in map(_DATA.fullmatch, names) if match}
    found = [
        (int(match["number"] or -1), match["name"])
        for match in map(_INDEX.fullmatch, names)
        if match and match["name"] in with_data
    ]
    listed = _listed(directory)
    if listed is not None and (os.path.isabs(listed) or not found or listed in with_data):
        return os.path.join(directory, listed)
    return os.path.join(directory, max(found)[1]) if found else None


def _listed(directory: str) -> str | None:
    try:
        text = fs.read_file(os.path.join(directory, layout.STATE), layout.MAX_STATE_BYTES)
    # Do not report a file that cannot be read: this is only a quick check.
    except (OSError, MemoryError):
        return None
    match = None if text.startswith(layout.STATE_MAGIC) else _NEWEST.search(text)
    return os.fsdecode(match[1]) if match and match[1] else None
