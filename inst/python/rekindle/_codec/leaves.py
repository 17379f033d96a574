"""Values without parts, beyond those of JSON: each is a kind in a saved tree, with its content.

Content never names a class to look up. So a member of an enumeration, whose class is the script's,
comes back only through a live member of the same class.
"""

from __future__ import annotations

import base64
import datetime
import enum
import math
import pathlib
import struct
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any

from rekindle.errors import BrokenTreeError, UnsupportedValueError

# Limits that every reader of JSON can handle.
_MAX_BITS = 1024

PATHS = {
    "Path": type(pathlib.Path()),
    "PurePosixPath": pathlib.PurePosixPath,
    "PureWindowsPath": pathlib.PureWindowsPath,
}
_TIMES: Mapping[str, Any] = {
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
}

_NOT_FINITE = ("nan", "inf", "-inf")
# The bits of the NaN that computations give.
_NAN = "7ff8000000000000"

# Kinds that hold text, which the script may use as a name or a path.
OF_TEXT = ("bytes", *PATHS)
KINDS = ("float", "nan", "complex", "enum", "timedelta", "bytearray", *OF_TEXT, *_TIMES)


def encode(value: Any, place: str) -> tuple[str, Any] | None:
    """The kind and content of a value; ``None`` if the value is of no kind of this module.

    Raises:
        UnsupportedValueError: The value is of such a kind, and cannot be saved.
    """
    kind: Any = type(value)
    if isinstance(value, enum.Enum):
        # A combination of flags has no name.
        name: Any = value.name if value.name in kind.__members__ else value.value
        if not isinstance(name, str | int):
            raise UnsupportedValueError(place, f"a member of {kind.__name__!r} without a name")
        return "enum", [kind.__name__, name]
    if isinstance(value, bytes) or kind is bytearray:
        return kind.__name__, base64.b64encode(value).decode("ascii")
    if kind is complex:
        return "complex", [_number(value.real), _number(value.imag)]
    if kind is datetime.timedelta:
        return "timedelta", [value.days, value.seconds, value.microseconds]
    for name, cls in PATHS.items():
        if kind is cls:
            return name, str(value)
    for name, cls in _TIMES.items():
        if kind is cls:
            return name, _time(value, place)
    return None


def _time(value: Any, place: str) -> list[Any]:
    zone, fold = getattr(value, "tzinfo", None), getattr(value, "fold", 0)
    if zone is None or type(zone) is datetime.timezone:
        return [value.isoformat(), fold]
    if type(zone) is zoneinfo.ZoneInfo and zone.key is not None:
        return [value.replace(tzinfo=None).isoformat(), fold, zone.key]
    what = f"a time in a zone of type {type(zone).__name__!r}"
    raise UnsupportedValueError(
        place, f"{what} cannot be saved: use a zoneinfo.ZoneInfo or a datetime.timezone"
    )


def _number(value: float) -> float | str:
    """The number, or the text for one that JSON does not have: "inf", "nan", or the bits of a NaN.

    R's missing value is a NaN with bits of its own.
    """
    if math.isnan(value):
        bits = struct.pack(">d", value).hex()
        return "nan" if bits == _NAN else bits
    return value if math.isfinite(value) else repr(value)


def is_leaf(value: Any) -> bool:
    """Whether the value is a number, a text or of a kind of this module, and no enumeration's."""
    known = (bool, int, float, str, bytes, bytearray, complex, datetime.timedelta, type(None))
    kinds = (*known, *PATHS.values(), *_TIMES.values())
    return type(value) in kinds


def plain_number(value: int | float, place: str) -> Any:
    """A number of Python as JSON; a tuple of kind and content if JSON does not have it."""
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise UnsupportedValueError(
                place, f"an integer of more than {_MAX_BITS} bits cannot be saved"
            )
        return int(value)
    number = _number(float(value))
    if not isinstance(number, str):
        return number
    return ("float" if number in _NOT_FINITE else "nan"), number


def decode(kind: str, content: Any) -> Any:
    """The value of a kind of this module.

    Raises:
        BrokenTreeError, ValueError, TypeError: It is not the content of this kind.
    """
    if kind == "enum":
        raise BrokenTreeError(
            f"a member of {enum_name(content)!r} can only take the place of another member"
        )
    return _DECODERS[kind](content)


def enum_name(content: Any) -> str:
    """The name of the class of a saved member of an enumeration."""
    if not isinstance(content, list) or len(content) != 2 or not isinstance(content[0], str):
        raise BrokenTreeError("a member of an enumeration has the wrong form")
    return content[0]


def member(live: enum.Enum, content: Any) -> enum.Enum:
    """The saved member, of the class of the live member.

    Raises:
        BrokenTreeError: The class has another name, or no such member.
    """
    kind, (name, key) = type(live), (enum_name(content), content[1])
    if name == kind.__name__ and isinstance(key, str) and key in kind.__members__:
        return kind.__members__[key]
    if name == kind.__name__ and issubclass(kind, enum.Flag) and type(key) is int:
        return kind(key)
    raise BrokenTreeError(f"the enumeration {kind.__name__} has no member {str(key)[:100]!r}")


def _float(content: Any) -> float:
    if content not in _NOT_FINITE:
        raise BrokenTreeError("a number that is not finite has the wrong form")
    return float(content)


def _nan(content: Any) -> float:
    bits = bytes.fromhex(content)
    number = struct.unpack(">d", bits)[0] if len(bits) == 8 else 0.0
    if not math.isnan(number):
        raise BrokenTreeError("a number that is none has the wrong form")
    return float(number)


def _complex(content: Any) -> complex:
    real, imaginary = (
        part if not isinstance(part, str) else (_float if part in _NOT_FINITE else _nan)(part)
        for part in content
    )
    if not all(type(part) in (int, float) for part in (real, imaginary)):
        raise BrokenTreeError("a complex number has parts that are no numbers")
    return complex(real, imaginary)


def _timedelta(content: Any) -> datetime.timedelta:
    days, seconds, micros = content
    if not all(type(part) is int for part in (days, seconds, micros)):
        raise BrokenTreeError("a length of time has parts that are no whole numbers")
    return datetime.timedelta(days, seconds, micros)


def _path_of(cls: Any) -> Callable[[Any], Any]:
    def make(content: Any) -> Any:
        if not isinstance(content, str):
            raise BrokenTreeError("a path is no text")
        return cls(content)

    return make


def _time_of(cls: Any) -> Callable[[Any], Any]:
    def make(content: Any) -> Any:
        text, fold, *zone = content
        found = cls.fromisoformat(text)
        if zone:
            found = found.replace(tzinfo=_zone(*zone))
        return found.replace(fold=1) if fold == 1 and hasattr(found, "fold") else found

    return make


def _zone(key: Any) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(key)
    except (zoneinfo.ZoneInfoNotFoundError, OSError):
        raise BrokenTreeError(f"this machine does not know the time zone {key!r:.100}") from None


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "float": _float,
    "nan": _nan,
    "complex": _complex,
    "bytes": lambda content: base64.b64decode(content, validate=True),
    "bytearray": lambda content: bytearray(base64.b64decode(content, validate=True)),
    "timedelta": _timedelta,
    **{name: _path_of(cls) for name, cls in PATHS.items()},
    **{name: _time_of(cls) for name, cls in _TIMES.items()},
}
