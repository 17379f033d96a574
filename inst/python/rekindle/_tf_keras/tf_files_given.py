"""Opens a checkpoint of TensorFlow for TensorFlow's own reader, if it is not larger than its model.

TensorFlow opens the files by name, follows links, waits at a FIFO, and takes memory for the shapes
that the checkpoint claims before it looks for their bytes.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from rekindle._inspection import tf_files
from rekindle._storage.local import by_descriptor, fs, guard
from rekindle._storage.local.open_folder import OpenFolder

# Beside the variables, a checkpoint has the graph of its objects.
_SPARE_BYTES, _TIMES_BYTES = 1 << 30, 4
_MOST_FILES = 1000

# How much memory a text takes at least.
_TEXT = 24


@contextlib.contextmanager
def opened(path: str, variables: Iterable[Any]) -> Iterator[tuple[str, float]]:
    """Opens a checkpoint's files.

    Args:
        path: The checkpoint.
        variables: The variables that it is to be read into.

    Yields:
        The checkpoint under a name that leads to the opened files, and when it was written, in
        POSIX seconds.

    Raises:
        OSError: The checkpoint has a file that is no regular one, or is too large.
        ForeignFileError: A file belongs to another user.
    """
    folder, name = os.path.split(path)
    with contextlib.ExitStack() as stack:
        files, total = {}, 0
        inside = stack.enter_context(contextlib.closing(OpenFolder.of(folder, follow=False)))
        for file in tf_files.files_of(inside.names(), name)[:_MOST_FILES]:
            fd, size = fs.open_regular(inside.place(file))
            stack.enter_context(fs.closing(fd))
            guard.refuse_other(folder, fd, file)
            files[file] = fd
            total += size
        limit = _SPARE_BYTES + _TIMES_BYTES * sum(_nbytes(one) for one in variables)
        if total > limit:
            raise OSError(errno.EFBIG, f"larger than {limit} bytes, the most for this model")
        if f"{name}.index" not in files:
            raise FileNotFoundError(errno.ENOENT, "its index is missing", path)
        written = os.fstat(files[f"{name}.index"]).st_mtime
        private = stack.enter_context(by_descriptor.named(files))
        given = os.path.join(private, name)
        _refuse_larger(given, total)
        yield given, written


def _nbytes(variable: Any) -> int:
    # No type of TensorFlow that a variable can have is larger.
    return math.prod(int(size) for size in variable.shape) * 16


def _refuse_larger(given: str, total: int) -> None:
    """Refuses a checkpoint that claims more bytes of arrays than its files have."""
    reader = tf.train.load_checkpoint(given)
    types = reader.get_variable_to_dtype_map()
    claimed = sum(
        math.prod(shape) * (_TEXT if types[name] == tf.string else types[name].size)
        for name, shape in reader.get_variable_to_shape_map().items()
        # A single text may be short.
        if shape or types[name] != tf.string
    )
    if claimed > total:
        raise OSError(errno.EFBIG, f"its arrays claim {claimed} bytes, and its files have {total}")
