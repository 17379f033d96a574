"""Finds checkpoints in TensorFlow's own format. rekindle never reads or changes these."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable

from rekindle._base import places
from rekindle._format import layout
from rekindle._storage.local import fs
from rekindle.errors import TakeoverWarning

_INDEX = re.compile(r"(?P<name>.+?(?:-(?P<number>[0-9]+))?)\.index", re.DOTALL)
_DATA = re.compile(r"(?P<name>.+)\.data-[0-9]{5}-of-[0-9]{5}", re.DOTALL)

# The file `checkpoint` names the newest one. rekindle has a file of this name as well.
_NEWEST = re.compile(rb'^model_checkpoint_path: "([^"\n]*)"', re.MULTILINE)


# In this folder, the BackupAndRestore of Keras 2 keeps a checkpoint.
KERAS_2 = "chief"


def of_keras_2(directory: str) -> list[str]:
    """Paths of the checkpoints of Keras 2's `BackupAndRestore`, newest first."""
    return complete(os.path.join(directory, KERAS_2))


def indexes_of_keras_2(directory: str) -> list[str]:
    """The names in `directory` of the files that hold the checksums of these checkpoints."""
    return [f"{KERAS_2}/{os.path.basename(path)}.index" for path in of_keras_2(directory)]


def newest(directory: str) -> str | None:
    """Path of TensorFlow's newest checkpoint in the folder; ``None`` if there is none."""
    return next(iter(complete(directory)), None)


def complete(directory: str) -> list[str]:
    """Paths of TensorFlow's checkpoints in the folder that have an index and data, newest first."""
    if places.is_remote(directory):
        return []
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
    if listed is not None and (not found or listed in paths):
        paths = [listed, *(name for name in paths if name != listed)]
    return [os.path.join(directory, name) for name in paths]


def files_of(names: Iterable[str], checkpoint: str) -> list[str]:
    """The names of a checkpoint's files among the names in its folder."""
    starts = (f"{checkpoint}.index", f"{checkpoint}.data-")
    return sorted(name for name in names if name.startswith(starts))


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


def warn_of_models(directory: str) -> None:
    """Warns that a fit() of Keras 3 starts afresh beside checkpoints of TensorFlow."""
    found = newest(directory)
    if found is None:
        return
    warnings.warn(
        TakeoverWarning(
            f"There is a checkpoint of TensorFlow, {found!r}. Keras 3 cannot resume from it, so"
            " training starts afresh. Its files stay as they are.",
            directory=directory,
        ),
        stacklevel=2,
    )


def _listed(directory: str) -> str | None:
    try:
        text = fs.read_file(os.path.join(directory, layout.STATE), layout.MAX_STATE_BYTES)
    # Do not report a file that cannot be read: this is only a quick check.
    except (OSError, MemoryError):
        return None
    match = None if text.startswith(layout.STATE_MAGIC) else _NEWEST.search(text)
    # TensorFlow writes the folder, too. No file may lead out of the folder that it is in, and the
    # folder may have been moved.
    name = os.path.basename(os.fsdecode(match[1])) if match else ""
    return None if name in ("", os.curdir, os.pardir) else name
