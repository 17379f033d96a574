"""Which attributes a checkpoint may change: those that training changes, never the script's.

A checkpoint is a file. Its author must not decide where a script writes or which code it runs. So a
checkpoint gives values only to attributes that the live object has, or that the code of its class
assigns. Text (a string or bytes) has stricter rules:

- Text that was there when training began does not change. If it is inside of a container, the
  checkpoint adds no text to this container either.
- Text never replaces another value. It may come only inside of a container, and this container may
  replace only ``None`` or a container without text.

The same rules apply at a capture: rekindle then names the attributes that it could not restore.
"""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import json
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rekindle import errors
from rekindle._base.arrays import AnyArray, as_bytes, digest
from rekindle._codec import kinds, mappings, tree

# Reasons why an attribute cannot be restored. In a message, they follow the attribute's name.
OF_A_TYPE = "is of a type that cannot be saved"
IS_NEW = "did not exist when training began"
IS_TEXT = (
    "was set to a string during training, and a resume does not change strings that the script sets"
)

_ARRAYS = ("array", "scalar", "jax", "torch", "tensorflow")
_WITHOUT_PARTS = (*_ARRAYS, "jax.key", "float", "bytes")


class Baseline:
    """The attributes of one object as they were when training began.

    Args:
        values: The attributes that may be state.
        live: The object, or ``None`` if there is none.
    """

    def __init__(self, values: Mapping[str, Any], live: Any) -> None:
        self._live = live
        self._names = frozenset(() if live is None else vars(live))
        self._before: dict[str, _Before] = {}
        for name, value in values.items():
            before = _before(value)
            if before is not None:
                self._before[name] = before

    @property
    def digests(self) -> dict[str, str]:
        """A digest of each attribute's value when training began, by name."""
        return {name: before.digest for name, before in self._before.items()}

    def is_as_it_was(self, name: str, saved: Any, arrays: Mapping[str, AnyArray]) -> bool:
        """Whether the attribute has the same value as when training began."""
        return name in self._before and digest_of(saved, arrays) == self._before[name].digest

    def refusal_of(
        self, name: str, value: Any, saved: Any, arrays: Mapping[str, AnyArray]
    ) -> str | None:
        """Why the attribute's value, and the same captured, cannot be restored later."""
        return self.refusal(name, saved, arrays) or (
            None if mappings.comes_back(value) else OF_A_TYPE
        )

    def refusal(self, name: str, saved: Any, arrays: Mapping[str, AnyArray]) -> str | None:
        """Why a checkpoint may not give the attribute this value; ``None`` if it may."""
        if name in self._names and name not in self._before:
            return OF_A_TYPE
        kind: Any = type(self._live)
        if name not in self._names and name not in _assigned_by(kind):
            return IS_NEW
        # If training has not made the attribute yet, compare with the value of its class, or None.
        before = self._before.get(name) or _before(getattr(kind, name, None))
        if before is None or before.kind != kinds.saved_kind(saved):
            return OF_A_TYPE
        if before.kind is not None:
            return None
        return None if _keeps_text(before.text, _text_of(saved, arrays)) else IS_TEXT

    def read(
        self, name: str, saved: Any, arrays: Mapping[str, AnyArray]
    ) -> Callable[[], None] | None:
        """A function that sets the attribute; ``None`` if the object does not know the attribute.

        Raises:
            BrokenTreeError: A checkpoint may not give the attribute this value.
        """
        live = self._live
        where = f"{type(live).__name__}.{name}"
        if name not in self._names and is_script(live, name):
            raise errors.BrokenTreeError(
                f"the checkpoint has a value for {where}, which only the script sets"
            )
        refusal = self.refusal(name, saved, arrays)
        if refusal == IS_NEW:
            return None
        if refusal is not None:
            raise errors.BrokenTreeError(
                f"the checkpoint has a value for {where} that training cannot have set"
            )
        current = getattr(live, name, None)
        put = kinds.read(saved, arrays, current)
        return lambda: setattr(live, name, mappings.like(put(), current))


def is_script(live: Any, name: str) -> bool:
    """Whether the name is a hook, a method or anything else that is not a plain attribute."""
    of_class = getattr(type(live), name, None)
    return name.startswith("__") or callable(of_class) or hasattr(of_class, "__get__")


@functools.cache
def _assigned_by(kind: Any) -> frozenset[str]:
    """The names of attributes that the methods of a class assign to the object itself."""
    members = [member for base in kind.__mro__ for member in vars(base).values()]
    codes = [getattr(inspect.unwrap(one), "__code__", None) for one in members if callable(one)]
    return frozenset(name for code in codes if code is not None for name in _assigned_in(code))


def _assigned_in(code: types.CodeType) -> Iterator[str]:
    steps = list(dis.get_instructions(code))
    owner = code.co_varnames[:1]

    def is_of_owner(step: dis.Instruction) -> bool:
        # Newer versions of Python load two names in one step, the object last.
        loaded = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        is_loaded = "LOAD_FAST" in step.opname or step.opname == "LOAD_DEREF"
        return is_loaded and loaded[-1:] == owner

    # `self.count += 1` keeps the object on the stack, below the value that it reads.
    added_to = {
        read.argval
        for load, keep, read in zip(steps, steps[1:], steps[2:], strict=False)
        if is_of_owner(load) and keep.opname in ("COPY", "DUP_TOP") and read.opname == "LOAD_ATTR"
    }
    for before, step in itertools.pairwise(steps):
        if step.opname != "STORE_ATTR":
            continue
        is_kept = before.opname in ("SWAP", "ROT_TWO") and step.argval in added_to
        if is_kept or is_of_owner(before):
            yield step.argval


class _Holder(dict[str, Any]):
    """The text in a container, by place. Each inner container has a holder of its own."""


class _Before(NamedTuple):
    """An attribute as it was when training began.

    Attributes:
        digest: The digest of its value.
        kind: The kind of an object with a state of its own; ``None`` for a plain value.
        text: Its text: a string, a :class:`_Holder`, or ``None`` if the value cannot hold text.
    """

    digest: str
    kind: str | None
    text: str | _Holder | None


def _before(value: Any) -> _Before | None:
    """The record of a value; ``None`` if the value has a type that cannot be saved."""
    arrays: dict[str, AnyArray] = {}
    try:
        saved = kinds.take(value, "", arrays)
    except errors.UnsupportedValueError:
        return None
    kind = kinds.saved_kind(saved)
    text = None if kind is not None else _text_of(saved, arrays)
    return _Before(digest_of(saved, arrays), kind, text)


def _text_of(saved: Any, arrays: Mapping[str, AnyArray]) -> str | _Holder | None:
    if isinstance(saved, str) or tree.tagged(saved)[0] == "bytes":
        return json.dumps(saved)
    parts = {} if saved is None else _parts(saved, arrays)
    if parts is None:
        return None
    return _Holder({key: _text_of(part, arrays) for key, part in parts.items()})


def _keeps_text(before: str | _Holder | None, after: str | _Holder | None) -> bool:
    """Whether the old text stays, and new text comes only into a container without text."""
    if isinstance(before, _Holder) and isinstance(after, _Holder):
        if not _holds_text(before):
            return True
        return all(
            _keeps_text(before.get(key), after.get(key)) for key in before.keys() | after.keys()
        )
    return before == after or not (_holds_text(before) or _holds_text(after))


def _holds_text(text: str | _Holder | None) -> bool:
    return isinstance(text, str) or (text is not None and any(map(_holds_text, text.values())))


def _parts(saved: Any, arrays: Mapping[str, AnyArray]) -> dict[str, Any] | None:
    """The values in a container, each by a stable key; ``None`` if the value is no container."""
    if isinstance(saved, list):
        return {str(index): item for index, item in enumerate(saved)}
    if not isinstance(saved, dict):
        return None
    kind, content = tree.tagged(saved)
    if kind is None:
        return saved
    if kind in _WITHOUT_PARTS:
        return None
    if kind == "tuple":
        return {str(index): item for index, item in enumerate(content)}
    if kind in ("set", "frozenset"):
        return {_key(item, arrays): item for item in content}
    if kind in ("dict", "Counter"):
        return {_key(key, arrays): item for key, item in content}
    raise errors.BrokenTreeError(f"an attribute cannot be a {kind!r}")


def _key(key: Any, arrays: Mapping[str, AnyArray]) -> str:
    """A digest of a key. The names of its arrays, which are NumPy numbers, do not change it."""
    numbers = {name: arrays[name] for name in _names_in(key) if name in arrays}
    if any(number.shape != () for number in numbers.values()):
        raise errors.BrokenTreeError("an array cannot be a key")
    return digest_of(key, numbers)


def _names_in(saved: Any) -> Iterator[str]:
    """Yields the names of the arrays in a value, in their order."""
    if isinstance(saved, list):
        for item in saved:
            yield from _names_in(item)
    elif isinstance(saved, dict):
        kind, content = tree.tagged(saved)
        if kind in _ARRAYS and isinstance(content, str):
            yield content
        elif kind is not None:
            yield from _names_in(content)
        else:
            yield from _names_in(list(saved.values()))


def digest_of(saved: Any, arrays: Mapping[str, AnyArray]) -> str:
    """A digest of a captured value. The names of its arrays do not change the digest."""
    parts = [
        digest(as_bytes(array)) + str(array.dtype) + str(array.shape) for array in arrays.values()
    ]
    text = json.dumps(_without_names(saved), sort_keys=True)
    return digest("\0".join([text, *parts]).encode())


def _without_names(saved: Any) -> Any:
    if isinstance(saved, list):
        return [_without_names(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    kind, _ = tree.tagged(saved)
    if kind in _ARRAYS:
        return {"$": [kind]}
    return {key: _without_names(value) for key, value in saved.items()}
