"""Reading a manifest, trusting nothing: it is exactly what was written, or :class:`Damage`."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import xxhash

from rekindle._store import format as fmt
from rekindle._store.manifest import Array, Damage, Manifest, Pack, Position
from rekindle.errors import FormatError

_T = TypeVar("_T")

_HEXADECIMAL = frozenset("0123456789abcdef")


def decode(data: bytes, *, prefix: str, number: int, path: str) -> Manifest:
    """The manifest in `data`, which stands under the name of save `number`.

    Raises:
        Damage: The bytes are not a whole manifest of this save.
        FormatError: They are one of a newer format.
    """
    document = _checked_document(data)
    _refuse_newer(document, path)
    manifest = _manifest(document)
    if manifest.number != number:
        raise Damage(f"it is the manifest of save {manifest.number}, not {number}")
    _check_layout(manifest, prefix)
    return manifest


def _checked_document(data: bytes) -> dict[str, Any]:
    if not data:
        raise Damage("the manifest is empty")
    body, last = data[: -fmt.DIGEST_LINE_LENGTH], data[-fmt.DIGEST_LINE_LENGTH :]
    match = fmt.DIGEST_LINE.fullmatch(last)
    if match is None:
        raise Damage("the manifest has no digest line at its end")
    if xxhash.xxh3_128_hexdigest(body).encode("ascii") != match[1]:
        raise Damage("the manifest's digest does not match its bytes")
    # These are the bytes that somebody wrote; that it was rekindle is still to be seen.
    try:
        document = json.loads(
            data, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_small_int
        )
    except (ValueError, RecursionError) as error:
        raise Damage(f"the manifest is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise Damage("the manifest is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _small_int(digits: str) -> int:
    # Python refuses longer ones itself from 3.11 on, and is slow at them before.
    if len(digits) > 400:
        raise ValueError("a number has more than 400 digits")
    return int(digits)


def _refuse_newer(document: dict[str, Any], path: str) -> None:
    number = document.get("rekindle_format")
    if type(number) is not int or number < 1:
        raise Damage("the manifest names no format")
    if number > fmt.FORMAT:
        version = document.get("version")
        version = version[:40] if isinstance(version, str) else "unknown"
        raise FormatError(
            f"{path!r} was written by rekindle {version} in format {number}, and this rekindle"
            f" reads formats up to {fmt.FORMAT}. Upgrade rekindle to restore it.",
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
        packs=_rows(document, "packs", _pack),
        arrays=_rows(document, "arrays", _array),
        state=_typed(document, "state", dict),
    )


def _rows(
    document: dict[str, Any], name: str, read: Callable[[dict[str, Any]], _T]
) -> dict[str, _T]:
    table = _typed(document, name, dict)
    return {key: read(_typed(table, key, dict)) for key in table}


def _pack(row: dict[str, Any]) -> Pack:
    return Pack(_count(row, "size"), _count(row, "header"), _digest(row))


def _array(row: dict[str, Any]) -> Array:
    span = _counts(row, "bytes")
    if len(span) != 2:
        raise Damage("'bytes' is not a pair")
    dtype = _text(row, "dtype")
    return Array(dtype, _counts(row, "shape"), _text(row, "pack"), span[0], span[1], _digest(row))


def _typed(row: dict[str, Any], name: str, kind: type[_T]) -> _T:
    value = row.get(name)
    # `type(...) is`, because True is an int to isinstance().
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
    if type(value) is not int or not 0 <= value < fmt.COUNT_LIMIT:
        raise Damage(f"{name[:80]!r} is not a whole number from 0 to 2**63 - 1")
    return value


def _seconds(row: dict[str, Any], name: str) -> float:
    value: object = row.get(name)
    if type(value) is bool or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise Damage(f"{name!r} is not a time in POSIX seconds")
    return float(value)


def _digest(row: dict[str, Any]) -> str:
    value = _text(row, "xxh3_128")
    if len(value) != 32 or not _HEXADECIMAL.issuperset(value):
        raise Damage("'xxh3_128' is not 32 lower-case hexadecimal digits")
    return value


def _check_layout(manifest: Manifest, prefix: str) -> None:
    """Every array lies inside its pack, beside the others: no more is read than the files hold."""
    pattern = fmt.pack_pattern(prefix)
    for name, pack in manifest.packs.items():
        if not pattern.fullmatch(name):
            raise Damage(f"{name[:80]!r} is not the name of a pack")
        if pack.header > fmt.MAX_PACK_HEADER_BYTES:
            raise Damage(f"the header of {name!r} is larger than any")
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
    if array.dtype not in fmt.DTYPES:
        raise Damage(f"array {name[:200]!r} has the unknown dtype {array.dtype[:40]!r}")
    if len(array.shape) > fmt.MAX_AXES:
        raise Damage(f"array {name[:200]!r} has more than {fmt.MAX_AXES} axes")
    size = itemsize(array.dtype)
    # NumPy refuses even an empty array whose other axes would not fit.
    if math.prod(axis for axis in array.shape if axis) * size >= 2**62:
        raise Damage(f"array {name[:200]!r} is too large")
    if math.prod(array.shape) * size != array.stop - array.start:
        raise Damage(f"array {name[:200]!r} has not the bytes that its shape needs")


@functools.cache
def itemsize(dtype: str) -> int:
    """Bytes of one element of the dtype with this NumPy name."""
    if dtype == "bool" or dtype.startswith("float8"):
        return 1
    return int("".join(filter(str.isdigit, dtype))) // 8
