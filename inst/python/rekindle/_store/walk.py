"""JSON that somebody else may have made, read member by member and weighed before it is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

# The longest number that rekindle writes has 309 digits. Python refuses longer ones than 4300 from
# 3.11 on, and is slow at them before.
_MOST_DIGITS = 400

# What a value costs in memory beside its own text, in bytes, by the character that announces it.
_COSTS = {"{": 64, "[": 64, ",": 40, ":": 160}

# So much may any text cost.
_ALLOWANCE = 64 << 20

# And so many times its length, as factors for `weigh`: a whole manifest, whose rows of arrays are
# read one by one and kept as much less; and what is kept as it is.
OF_ALL = 8
OF_STATE = 4

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_SPACE = re.compile(r"[ \t\n\r]*")


def weigh(text: str, start: int, factor: int) -> None:
    """Refuses a text of values so many and so small that they would fill the memory.

    Args:
        text: JSON.
        start: What is before this place does not count.
        factor: How many times the length of the text its values may take.

    Raises:
        ValueError: They would take more.
    """
    most = _ALLOWANCE + factor * (len(text) - start)
    if _cost(text, start) > most and _cost(_STRING.sub("", text[start:]), 0) > most:
        raise ValueError("it has more values than its size accounts for")


def _cost(text: str, start: int) -> int:
    return sum(text.count(sign, start) * cost for sign, cost in _COSTS.items())


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
