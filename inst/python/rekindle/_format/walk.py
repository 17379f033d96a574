"""JSON that somebody else may have made, read member by member and weighed before it is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

# The longest number that rekindle writes has 309 digits. Python refuses longer ones than 4300 from
# 3.11 on, and is slow at them before.
_MOST_DIGITS = 400

# What a value costs in memory beside its own text, in bytes, by the character that announces it.
_COSTS = {"{": 64, "[": 64, ",": 48, ":": 160}

# So much may any text cost; and so many times its length.
_ALLOWANCE = 32 << 20
_TIMES = 3

# What is looked at together.
_PIECE = 1 << 20

_SPACE = re.compile(r"[ \t\n\r]*")

# An object without others inside of it, as one row of a table is.
_FLAT = re.compile(r'\{(?:[^"{}]|"[^"\\]*(?:\\.[^"\\]*)*")*\}')
_LONGEST_ROW = 20_000


def weigh(text: str, start: int, times: int = _TIMES) -> None:
    """Refuses values so many and so small that they would fill the memory.

    Args:
        text: JSON.
        start: What is before this place is not counted.
        times: How many times the length of the text the values may take.

    Raises:
        ValueError: They would take more.
    """
    most = _ALLOWANCE + times * len(text)
    crude = sum(text.count(sign, start) * cost for sign, cost in _COSTS.items())
    if crude > most and _cost_outside_strings(text, start) > most:
        raise ValueError("it has more values than its size accounts for")


def _cost_outside_strings(text: str, start: int) -> int:
    if "\\" in text:
        # A quote that is escaped ends no string.
        text = text.replace("\\\\", "__").replace('\\"', "__")
    cost, is_inside = 0, 0
    for at in range(start, len(text), _PIECE):
        piece = np.frombuffer(text[at : at + _PIECE].encode("utf-8", "replace"), np.uint8)
        # Sums that run over keep what counts: whether they are odd.
        inside = np.cumsum(piece == ord('"'), dtype=np.uint8) + np.uint8(is_inside) & 1
        is_inside = int(inside[-1])
        counts = np.bincount(piece[inside == 0], minlength=256)
        cost += sum(int(counts[ord(sign)]) * each for sign, each in _COSTS.items())
    return cost


class Walk:
    """A JSON text, read from its beginning on: one value, or one member of an object, at a time.

    Args:
        text: The text.

    Attributes:
        text: The same.
        at: The place of the next character that is not read yet.
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
        """Whether it is an object that is small, and has none inside of it."""
        return _FLAT.match(self.text, self.at, self.at + _LONGEST_ROW) is not None

    @property
    def is_at_many(self) -> bool:
        """Whether the next value is one that holds others."""
        return self.text.startswith(("{", "["), self.at)

    def value(self) -> Any:
        """The next value.

        Raises:
            ValueError, RecursionError: There is none that rekindle could have written.
        """
        found, at = _DECODER.raw_decode(self.text, self.at)
        self.at = _after_space(self.text, at)
        return found

    def members(self) -> Iterator[str]:
        """The names of the object that begins here; each one's value is read before the next.

        A name may come twice: that is for the caller to refuse.

        Raises:
            ValueError: There is no object.
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
        """Raises ValueError unless all of the text is read."""
        if self.at != len(self.text):
            raise ValueError("something follows its end")

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
