"""Which attributes of an object a save may change: those that training changes, never the script's.

A save is a file, and whoever wrote it must not decide where a script writes or what it runs. So a
save gives values only to attributes that the live object has, or that the code of its class
assigns. Text (a string or bytes) that was there when training began stays what it is, also inside
of a container, and no text takes the place of something else.

The same rule holds when a save is taken: what could not be put back is named then.
"""

from __future__ import annotations

import dis
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from rekindle import _tree
from rekindle._objects import stateful
from rekindle._store.pack import AnyArray, as_bytes, digest

# Why an attribute cannot come back, to follow its name in a message.
OF_A_TYPE = "is of a type that cannot be saved"
IS_NEW = "was not there when training began"
IS_TEXT = "was set to a string in training, and a backup does not set strings in the script's place"

_ARRAYS = ("array", "scalar", "jax", "torch", "tensorflow")
_WITHOUT_PARTS = (*_ARRAYS, "jax.key", "float", "bytes")


class Baseline:
    """The attributes of one object as they were when training began.

    Args:
        values: The attributes that may be state.
        live: The object; ``None``: there is none.
    """

    def __init__(self, values: Mapping[str, Any], live: Any) -> None:
        self._live = live
        self._names = frozenset(() if live is None else vars(live))
        self._saved: dict[str, Any] = {}
        self._digests: dict[str, str] = {}
        for name, value in values.items():
            arrays: dict[str, AnyArray] = {}
            try:
                saved = stateful.take(value, "", arrays)
            except _tree.UnsupportedValueError:
                continue
            self._saved[name] = saved
            self._digests[name] = digest_of(saved, arrays)

    def is_as_it_was(self, name: str, saved: Any, arrays: Mapping[str, AnyArray]) -> bool:
        """Whether the attribute has the value that it had."""
        return name in self._digests and digest_of(saved, arrays) == self._digests[name]

    def refusal(self, name: str, saved: Any) -> str | None:
        """Why a save may not give the attribute this value; ``None`` when it may."""
        if name in self._names and name not in self._saved:
            return OF_A_TYPE
        kind: Any = type(self._live)
        if name not in self._names and name not in _assigned_by(kind):
            return IS_NEW
        # What training has still to make is nothing yet.
        before = self._saved.get(name)
        if stateful.saved_kind(before) != stateful.saved_kind(saved):
            return OF_A_TYPE
        if stateful.saved_kind(before) is not None:
            return None
        return None if _keeps_text(before, saved) else IS_TEXT

    def read(
        self, name: str, saved: Any, arrays: Mapping[str, AnyArray]
    ) -> Callable[[], None] | None:
        """What gives the attribute its saved value; ``None`` when the object does not know it.

        Raises:
            BrokenTreeError: A save may not give it this value.
        """
        live = self._live
        where = f"{type(live).__name__}.{name}"
        if name not in self._names and is_script(live, name):
            raise _tree.BrokenTreeError(f"the save gives {where} a value, which is the script's")
        refusal = self.refusal(name, saved)
        if refusal == IS_NEW:
            return None
        if refusal is not None:
            raise _tree.BrokenTreeError(
                f"the save gives {where} a value that training cannot have given it"
            )
        put = stateful.read(saved, arrays, getattr(live, name, None))
        return lambda: setattr(live, name, put())


def is_script(live: Any, name: str) -> bool:
    """Whether the name is that of a hook, a method or anything else that is no plain attribute."""
    of_class = getattr(type(live), name, None)
    return name.startswith("__") or callable(of_class) or hasattr(of_class, "__get__")


@functools.cache
def _assigned_by(kind: Any) -> frozenset[str]:
    """The names of attributes that the methods of a class assign."""
    members = [member for base in kind.__mro__ for member in vars(base).values()]
    codes = [getattr(inspect.unwrap(one), "__code__", None) for one in members if callable(one)]
    return frozenset(
        step.argval
        for code in codes
        if code is not None
        for step in dis.get_instructions(code)
        if step.opname == "STORE_ATTR"
    )


def _keeps_text(before: Any, after: Any) -> bool:
    """Whether text stays what it is, and no text takes the place of something else.

    Text may come where nothing was: a container grows in training.
    """
    if _is_text(before) or _is_text(after):
        return bool(before == after)
    now = _parts(after)
    return all(
        _keeps_text(part, now[key]) if key in now else not _holds_text(part)
        for key, part in _parts(before).items()
    )


def _is_text(saved: Any) -> bool:
    return isinstance(saved, str) or _tree.tagged(saved)[0] == "bytes"


def _holds_text(saved: Any) -> bool:
    return _is_text(saved) or any(map(_holds_text, _parts(saved).values()))


def _parts(saved: Any) -> dict[Any, Any]:
    """The values inside of a container, each by what it is known again by."""
    if isinstance(saved, list):
        return dict(enumerate(saved))
    if not isinstance(saved, dict):
        return {}
    kind, content = _tree.tagged(saved)
    if kind is None:
        return saved
    if kind in _WITHOUT_PARTS:
        return {}
    if kind == "tuple":
        return dict(enumerate(content))
    if kind in ("set", "frozenset"):
        return {json.dumps(item): item for item in content}
    if kind in ("dict", "Counter"):
        return {json.dumps(_without_names(key)): item for key, item in content}
    raise _tree.BrokenTreeError(f"an attribute cannot be a {kind!r}")


def digest_of(saved: Any, arrays: Mapping[str, AnyArray]) -> str:
    """A digest of a value that was taken; where its arrays stand in a save does not count."""
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
    kind, _ = _tree.tagged(saved)
    if kind in _ARRAYS:
        return {"$": [kind]}
    return {key: _without_names(value) for key, value in saved.items()}
