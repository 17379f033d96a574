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
from collections.abc import Callable, Mapping
from typing import Any

from rekindle.errors import BrokenTreeError, UnsupportedValueError

# Limits that every reader of JSON can handle.
_MAX_BITS = 1024

_PATHS = {
    "Path": type(pathlib.Path()),
    "PurePosixPath": pathlib.PurePosixPath,
    "PureWindowsPath": pathlib.PureWindowsPath,
}
_TIMES: Mapping[str, Any] = {
    "datetime": datetime.datetime,
    "date": datetime.date,
    "time": datetime.time,
}

# Kinds that hold text, which the script may use as a name or a path.
OF_TEXT = ("bytes", *_PATHS)
KINDS = ("float", "complex", "enum", "timedelta", *OF_TEXT, *_TIMES)


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
    if isinstance(value, bytes):
        return "bytes", base64.b64encode(value).decode("ascii")
    if kind is complex:
        return "complex", [_finite(value.real), _finite(value.imag)]
    if kind is datetime.timedelta:
        return "timedelta", [value.days, value.seconds, value.microseconds]
    for name, cls in _PATHS.items():
        if kind is cls:
            return name, str(value)
    for name, cls in _TIMES.items():
        if kind is cls:
            return name, _time(value, place)
    return None


def _time(value: Any, place: str) -> list[Any]:
    zone = getattr(value, "tzinfo", None)
    if zone is not None and type(zone) is not datetime.timezone:
        what = f"a time in a zone of type {type(zone).__name__!r}"
        raise UnsupportedValueError(place, f"{what} cannot be saved: use a datetime.timezone")
    return [value.isoformat(), getattr(value, "fold", 0)]


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def is_leaf(value: Any) -> bool:
    """Whether the value is a number, a text or of a kind of this module, and no enumeration's."""
    known = (bool, int, float, str, bytes, complex, datetime.timedelta, type(None))
    kinds = (*known, *_PATHS.values(), *_TIMES.values())
    return type(value) in kinds


def plain_number(value: int | float, place: str) -> Any:
    """A number of Python as JSON; a tuple of kind and content if JSON does not have it."""
    if isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise UnsupportedValueError(
                place, f"an integer of more than {_MAX_BITS} bits cannot be saved"
            )
        return int(value)
    return float(value) if math.isfinite(value) else ("float", repr(float(value)))


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
    if content not in ("nan", "inf", "-inf"):
        raise BrokenTreeError("a number that is not finite has the wrong form")
    return float(content)


def _complex(content: Any) -> complex:
    real, imaginary = (_float(part) if isinstance(part, str) else part for part in content)
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
        text, fold = content
        found = cls.fromisoformat(text)
        return found.replace(fold=1) if fold == 1 and hasattr(found, "fold") else found

    return make


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "float": _float,
    "complex": _complex,
    "bytes": lambda content: base64.b64decode(content, validate=True),
    "timedelta": _timedelta,
    **{name: _path_of(cls) for name, cls in _PATHS.items()},
    **{name: _time_of(cls) for name, cls in _TIMES.items()},
}
