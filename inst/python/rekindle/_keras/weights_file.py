"""Checks the HDF5 file of a backup by Keras' own callback, before Keras reads it.

A file of this format can lead to other files, and can claim arrays that are far larger than itself.
Keras itself began to refuse both only in its later versions. Its callback writes each array in one
piece, under one name, uncompressed. So this module accepts nothing else, and then a file holds no
more bytes of arrays than it has bytes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np

from rekindle._printable import printable
from rekindle._training.keras_files import UnusableError

# A layer may save arrays that are not among the model's variables, and not every layer has
# variables. So the limits leave more room than the model's variables need.
_SPARE_BYTES, _TIMES_BYTES = 1 << 30, 4
_SPARE_OBJECTS, _TIMES_OBJECTS = 20_000, 20

# Each model inside another one takes two levels.
_MOST_LEVELS = 100

_MOST_ATTRIBUTES = 64
_LARGEST_ATTRIBUTE = 1 << 16

# Types of arrays: numbers, truth values, bytes, and bfloat16, which HDF5 knows only as two bytes.
_KINDS = frozenset("biufcSV")
_ATTRIBUTE_CLASSES = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)

_LINKS = {
    h5py.h5l.TYPE_SOFT: "a link to another name",
    h5py.h5l.TYPE_EXTERNAL: "a link to another file",
}


class Limits:
    """How much a file of this model's weights may hold.

    Args:
        variables: The variables of the model, its optimizer and its metrics.

    Attributes:
        nbytes: The most bytes, of the file and of all arrays.
        objects: The most groups and arrays.
    """

    def __init__(self, variables: Iterable[Any]) -> None:
        sizes = [_nbytes(variable) for variable in variables]
        self.nbytes = _SPARE_BYTES + _TIMES_BYTES * sum(sizes)
        self.objects = _SPARE_OBJECTS + _TIMES_OBJECTS * len(sizes)


def _nbytes(variable: Any) -> int:
    # No type of Keras is larger.
    return math.prod(int(size) for size in variable.shape) * 16


def check(path: str, shown: str, limits: Limits) -> None:
    """Refuses a file that Keras' callback did not write, or that holds too much.

    Args:
        path: The file, as a name that leads to the file that Keras will read.
        shown: The file's name for messages.
        limits: How much the file may hold.

    Raises:
        UnusableError: The file is not acceptable.
    """
    try:
        with h5py.File(path, "r") as file:
            _Walk(shown, limits, file.id.get_filesize()).run(file.id)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UnusableError(f"{shown} is half-written or damaged ({error})") from error


class _Walk:
    """One walk through all names of a file. It ends at the first that is not acceptable."""

    def __init__(self, shown: str, limits: Limits, size: int) -> None:
        self._shown = shown
        self._limits = limits
        self._size = size
        self._bytes = 0
        self._seen: set[int] = set()
        # Groups whose names are still to be looked at, with their paths and levels.
        self._left: list[tuple[Any, str, int]] = []

    def run(self, file: Any) -> None:
        root = h5py.h5g.open(file, b"/")
        self._note(root, "/")
        self._left.append((root, "", 1))
        while self._left:
            group, path, level = self._left.pop()
            look = functools.partial(self._caught, group, path, level)
            problem, _ = group.links.iterate(look, info=True)
            if problem is not None:
                raise problem

    def _caught(self, *arguments: Any) -> BaseException | None:
        """The error of :meth:`_link`. h5py cannot pass on an error of a function that it calls."""
        try:
            self._link(*arguments)
        except BaseException as error:  # noqa: BLE001  (the caller raises it again)
            return error
        return None

    def _link(self, group: Any, path: str, level: int, name: bytes, link: Any) -> None:
        at = f"{path}/{name.decode('utf-8', 'surrogateescape')}"
        if link.type != h5py.h5l.TYPE_HARD:
            raise self._refused(at, _LINKS.get(link.type, "a link of an unknown kind"))
        if level >= _MOST_LEVELS:
            raise self._refused(at, f"more than {_MOST_LEVELS} groups inside each other")
        one = h5py.h5o.open(group, name)
        self._note(one, at)
        if isinstance(one, h5py.h5g.GroupID):
            self._left.append((one, at, level + 1))
        elif isinstance(one, h5py.h5d.DatasetID):
            self._dataset(one, at)
        else:
            raise self._refused(at, "an object that is no group and no array")

    def _note(self, one: Any, at: str) -> None:
        """Counts an object, and looks at its attributes."""
        address = h5py.h5o.get_info(one).addr
        if address in self._seen:
            # Groups that hold each other would never end.
            raise self._refused(at, "an object with two names")
        self._seen.add(address)
        if len(self._seen) > self._limits.objects:
            raise self._refused(at, f"more than {self._limits.objects} groups and arrays")
        count = h5py.h5a.get_num_attrs(one)
        if count > _MOST_ATTRIBUTES:
            raise self._refused(at, f"more than {_MOST_ATTRIBUTES} attributes")
        for index in range(count):
            attribute = h5py.h5a.open(one, index=index)
            kind = attribute.get_type()
            many = kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()
            if (
                kind.get_class() not in _ATTRIBUTE_CLASSES
                or attribute.get_storage_size() > _LARGEST_ATTRIBUTE
                # Each of these strings could lead to the same bytes of the file.
                or (many and math.prod(attribute.shape) > 1)
            ):
                raise self._refused(at, "an attribute that is too large, or of an unknown type")

    def _dataset(self, dataset: Any, at: str) -> None:
        how = dataset.get_create_plist()
        if how.get_external_count():
            raise self._refused(at, "an array whose bytes are in another file")
        if how.get_layout() == h5py.h5d.VIRTUAL:
            raise self._refused(at, "an array that is put together from other arrays")
        if how.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or how.get_nfilters():
            raise self._refused(at, "an array in several pieces, or a compressed one")
        dtype = np.dtype(dataset.dtype)
        if dtype.kind not in _KINDS or dtype.hasobject:
            raise self._refused(at, "an array that is not of numbers")
        space = dataset.get_space()
        if space.get_simple_extent_type() == h5py.h5s.NULL:
            raise self._refused(at, "an array without a shape")
        # HDF5's own product of the sizes can overflow.
        claimed = math.prod(space.shape) * max(dtype.itemsize, dataset.get_type().get_size())
        if claimed > dataset.get_storage_size():
            raise self._refused(at, "an array that is larger than its bytes in the file")
        # Several arrays could claim the same bytes of the file.
        self._bytes += claimed
        if self._bytes > min(self._size, self._limits.nbytes):
            raise self._refused(at, "more bytes of arrays than the file or this model can have")

    def _refused(self, at: str, what: str) -> UnusableError:
        return UnusableError(
            f"{self._shown} has {what} ({printable(at)[-100:]}), which Keras' callback does not"
            " write, so rekindle does not read it"
        )
