"""Reads untrusted JSON member by member, and limits its memory cost before it decodes values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

# The longest number that rekindle writes has 309 digits. From 3.11 on, Python refuses numbers of
# more than 4300 digits; earlier versions are slow to read them.
_MOST_DIGITS = 400

# Bytes of memory that a value costs beyond its own text, by the character before the value.
_COSTS = {"{": 64, "[": 64, ",": 48, ":": 160}

# The most that a text may cost: _ALLOWANCE bytes, plus _TIMES times the length of the text.
_ALLOWANCE = 32 << 20
_TIMES = 3

# The number of characters that are checked together.
_PIECE = 1 << 20

_SPACE = re.compile(r"[ \t\n\r]*")

# An object without nested objects, such as one row of a table.
_FLAT = re.compile(r'\{(?:[^"{}]|"[^"\\]*(?:\\.[^"\\]*)*")*\}')
_LONGEST_ROW = 20_000


def weigh(text: str, start: int, times: int = _TIMES) -> None:
    """Refuses a text whose many small values would fill the memory.

    Args:
        text: JSON.
        start: Values before this index do not count.
        times: How many times the length of the text the values may cost.

    Raises:
        ValueError: The values would cost more.
    """
    most = _ALLOWANCE + times * len(text)
    crude = sum(text.count(sign, start) * cost for sign, cost in _COSTS.items())
    if crude > most and _cost_outside_strings(text, start) > most:
        raise ValueError("it has more values than its size allows")


def _cost_outside_strings(text: str, start: int) -> int:
    if "\\" in text:
        # An escaped quote does not end a string.
        text = text.replace("\\\\", "__").replace('\\"', "__")
    cost, is_inside = 0, 0
    for at in range(start, len(text), _PIECE):
        piece = np.frombuffer(text[at : at + _PIECE].encode("utf-8", "replace"), np.uint8)
        # The sums may overflow: only whether they are odd counts, and overflow keeps that.
        inside = np.cumsum(piece == ord('"'), dtype=np.uint8) + np.uint8(is_inside) & 1
        is_inside = int(inside[-1])
        counts = np.bincount(piece[inside == 0], minlength=256)
        cost += sum(int(counts[ord(sign)]) * each for sign, each in _COSTS.items())
    return cost


class Walk:
    """Reads a JSON text from its beginning: one value, or one member of an object, at a time.

    Args:
        text: The text.

    Attributes:
        text: The text.
        at: The index of the next unread character.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = _after_space(text, 0)

    @property
    def is_at_object(self) -> bool:
        """Whether the next value is an object."""
        return self.text.startswith("{", self.at)

    @property
    def is_at_row(self) -> bool:
        """Whether the next value is a small object without nested objects."""
        return _FLAT.match(self.text, self.at, self.at + _LONGEST_ROW) is not None

    @property
    def is_at_many(self) -> bool:
        """Whether the next value is an object or an array."""
        return self.text.startswith(("{", "["), self.at)

    def value(self) -> Any:
        """Reads the next value.

        Raises:
            ValueError, RecursionError: rekindle could not have written this value.
        """
        found, at = _DECODER.raw_decode(self.text, self.at)
        self.at = _after_space(self.text, at)
        return found

    def members(self) -> Iterator[str]:
        """Yields the names in the object that begins here; read each value before the next name.

        A name may come twice. The caller must refuse that.

        Raises:
            ValueError: The text here is not an object.
        """
        self._take("{")
        if self._takes("}"):
            return
        while True:
            name = self.value()
            if type(name) is not str:
                raise ValueError("a name is not a string")
            self._take(":")
            yield name
            if not self._takes(","):
                self._take("}")
                return

    def end(self) -> None:
        """Raises ValueError unless the whole text was read."""
        if self.at != len(self.text):
            raise ValueError("there is text after its end")

    def _takes(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at = _after_space(self.text, self.at + 1)
        return True

    def _take(self, sign: str) -> None:
        if not self._takes(sign):
            raise ValueError(f"there is no {sign!r} at character {self.at}")


def twice() -> ValueError:
    return ValueError("a key stands twice in one object")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise twice()
    return found


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _int(digits: str) -> int:
    return int(_short(digits))


def _float(digits: str) -> float:
    found = float(_short(digits))
    if math.isinf(found):
        raise ValueError("a number is larger than any that rekindle writes")
    return found


def _short(digits: str) -> str:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has more than {_MOST_DIGITS} digits")
    return digits


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_int, parse_float=_float
)
