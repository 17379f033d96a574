"""Decodes manifests and trusts no byte: anything that is not as written is :class:`Damage`."""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import xxhash

from rekindle._format import layout
from rekindle._format.manifest import Array, Damage, Manifest, Pack, Position
from rekindle._format.walk import Walk, twice, weigh
from rekindle.errors import FormatError

_T = TypeVar("_T")

_HEXADECIMAL = frozenset("0123456789abcdef")


def decode(data: bytes, *, prefix: str, number: int, path: str) -> Manifest:
    """Decodes the manifest in `data`, the file of checkpoint `number`.

    Raises:
        Damage: The bytes are not a whole manifest of this checkpoint.
        FormatError: The manifest has a newer format.
    """
    walk = _checked(data)
    # From here on only the text is needed. A large manifest must not be in memory twice.
    del data
    with _as_damage():
        manifest = _manifest(_document(walk, path))
    if manifest.number != number:
        raise Damage(f"it is the manifest of checkpoint {manifest.number}, not {number}")
    _check_layout(manifest, prefix)
    return manifest


def serial(data: bytes) -> int:
    """The serial of the manifest in `data`: its place in the order of saving. Skips the tables.

    Raises:
        Damage: The bytes are not a whole manifest.
    """
    walk = _checked(data)
    with _as_damage():
        for name in walk.members():
            # The serial comes before the tables.
            if walk.is_at_many:
                break
            value = walk.value()
            if name == "serial":
                return _as_count(value, name)
    raise Damage("'serial' is missing")


def may_be_whole(head: bytes, tail: bytes) -> None:
    """Checks the first and the last bytes of a file, before the whole file is read.

    Raises:
        Damage: The file is not a whole manifest.
    """
    if not head and not tail:
        raise Damage("the manifest is empty")
    if layout.DIGEST_LINE.fullmatch(tail) is None:
        raise Damage("the manifest has no digest line at its end")
    if not head.startswith(layout.MANIFEST_MAGIC):
        raise Damage("the manifest does not begin with its format")


def _checked(data: bytes) -> Walk:
    body, last = memoryview(data)[: -layout.DIGEST_LINE_LENGTH], data[-layout.DIGEST_LINE_LENGTH :]
    may_be_whole(data[: len(layout.MANIFEST_MAGIC)], last)
    if xxhash.xxh3_128_hexdigest(body) != last[-35:-3].decode("ascii"):
        raise Damage("the manifest's digest does not match its bytes")
    # The digest shows only that the bytes are unchanged. Another program may have written them.
    with _as_damage():
        return Walk(data.decode("ascii"))


@contextlib.contextmanager
def _as_damage() -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise Damage(f"the manifest is not valid JSON: {error}") from None


def _document(walk: Walk, path: str) -> dict[str, Any]:
    """The members of the manifest; the rows of its two tables become objects."""
    found: dict[str, Any] = {}
    same: dict[str, str] = {}
    is_weighed = False
    for name in walk.members():
        if name in found:
            raise twice()
        if name == "packs" and walk.is_at_object:
            found[name] = _table(walk, _pack)
        elif name == "arrays" and walk.is_at_object:
            found[name] = _table(walk, functools.partial(_array, same=same))
        else:
            if walk.is_at_many and not is_weighed:
                weigh(walk.text, walk.at)
                is_weighed = True
            found[name] = walk.value()
        if name == "rekindle_format":
            _refuse_newer(found[name], walk.text, path)
    walk.end()
    return found


def _table(walk: Walk, read: Callable[[dict[str, Any]], _T]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for key in walk.members():
        if not walk.is_at_row:
            raise Damage(f"{key[:80]!r} is not of type dict, or no row of a table")
        if key in found:
            raise twice()
        found[key] = read(walk.value())
    return found


# The version is next to the format, whatever else a newer manifest holds.
_VERSION = re.compile(r'"version": ?"([^"\\]{1,40})')


def _refuse_newer(number: object, text: str, path: str) -> None:
    if type(number) is not int or number < 1:
        raise Damage("the manifest names no format")
    if number > layout.FORMAT:
        match = _VERSION.search(text, 0, 4096)
        version = match[1] if match else "unknown"
        raise FormatError(
            f"{path!r} was written by rekindle {version} in format {number}, and this rekindle"
            f" reads formats up to {layout.FORMAT}. Upgrade rekindle to restore it.",
            path=path,
            format=number,
            version=version,
        )


def _manifest(document: dict[str, Any]) -> Manifest:
    return Manifest(
        number=_count(document, "number"),
        serial=_count(document, "serial"),
        run=_text(document, "run"),
        time=_seconds(document, "time"),
        version=_text(document, "version"),
        position=Position(
            step=_optional_count(document, "step"),
            epoch=_optional_count(document, "epoch"),
            batch=_optional_count(document, "batch"),
        ),
        packs=_typed(document, "packs", dict),
        arrays=_typed(document, "arrays", dict),
        state=_typed(document, "state", dict),
    )


def _pack(row: dict[str, Any]) -> Pack:
    return Pack(_count(row, "size"), _count(row, "header"), _digest(row))


def _array(row: dict[str, Any], same: dict[str, str]) -> Array:
    """Decodes a row; `same` holds one copy of each string that many rows share."""
    span = _counts(row, "bytes")
    if len(span) != 2:
        raise Damage("'bytes' is not a pair")
    dtype, pack = _text(row, "dtype"), _text(row, "pack")
    dtype, pack = same.setdefault(dtype, dtype), same.setdefault(pack, pack)
    return Array(dtype, _counts(row, "shape"), pack, span[0], span[1], _digest(row))


def _typed(row: dict[str, Any], name: str, kind: type[_T]) -> _T:
    value = row.get(name)
    # `type(...) is`, because isinstance() takes True for an int.
    if type(value) is not kind:
        raise Damage(f"{name[:80]!r} is missing or not of type {kind.__name__}")
    return value


def _text(row: dict[str, Any], name: str) -> str:
    return _typed(row, name, str)


def _count(row: dict[str, Any], name: str) -> int:
    return _as_count(row.get(name), name)


def _optional_count(row: dict[str, Any], name: str) -> int | None:
    return None if row.get(name) is None else _count(row, name)


def _counts(row: dict[str, Any], name: str) -> tuple[int, ...]:
    return tuple(_as_count(value, name) for value in _typed(row, name, list))


def _as_count(value: object, name: str) -> int:
    if type(value) is not int or not 0 <= value < layout.COUNT_LIMIT:
        raise Damage(f"{name[:80]!r} is not a whole number from 0 to 2**63 - 1")
    return value


def _seconds(row: dict[str, Any], name: str) -> float:
    value: object = row.get(name)
    # A wrong clock may have given a time before 1970.
    if type(value) is bool or not isinstance(value, int | float) or abs(value) > layout.LAST_TIME:
        raise Damage(f"{name!r} is not a time in POSIX seconds")
    return float(value)


def _digest(row: dict[str, Any]) -> str:
    value = _text(row, "xxh3_128")
    if len(value) != 32 or not _HEXADECIMAL.issuperset(value):
        raise Damage("'xxh3_128' is not 32 lower-case hexadecimal digits")
    return value


def _check_layout(manifest: Manifest, prefix: str) -> None:
    """Checks that arrays lie inside their packs without overlap, so readers stay in the files."""
    for name, pack in manifest.packs.items():
        if layout.pack_number(name, prefix) is None:
            raise Damage(f"{name[:80]!r} is not the name of a pack")
        if pack.header > layout.MAX_PACK_HEADER_BYTES:
            raise Damage(f"the header of {name!r} is larger than any that rekindle writes")
        if pack.header > pack.size:
            raise Damage(f"the header of {name!r} is larger than the file")
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name in manifest.packs}
    for name, array in manifest.arrays.items():
        where = spans.get(array.pack)
        if where is None:
            raise Damage(f"array {name[:200]!r} lies in a pack that is not listed")
        _check_array(name, array)
        where.append((array.start, array.stop))
    for name, where in spans.items():
        end = manifest.packs[name].header
        for start, stop in sorted(where):
            if start < end or stop > manifest.packs[name].size:
                raise Damage(f"arrays in {name!r} overlap, or lie outside of it")
            end = stop


def _check_array(name: str, array: Array) -> None:
    if array.dtype not in layout.DTYPES:
        raise Damage(f"array {name[:200]!r} has the unknown dtype {array.dtype[:40]!r}")
    if len(array.shape) > layout.MAX_AXES:
        raise Damage(f"array {name[:200]!r} has more than {layout.MAX_AXES} axes")
    size = itemsize(array.dtype)
    # NumPy refuses even an empty array if its other axes would not fit.
    if math.prod(axis for axis in array.shape if axis) * size >= 2**62:
        raise Damage(f"array {name[:200]!r} is too large")
    if math.prod(array.shape) * size != array.stop - array.start:
        raise Damage(f"array {name[:200]!r} does not have the number of bytes that its shape needs")


@functools.cache
def itemsize(dtype: str) -> int:
    """Bytes of one element of the dtype with this NumPy name."""
    if dtype == "bool" or dtype.startswith("float8"):
        return 1
    return int("".join(filter(str.isdigit, dtype))) // 8
