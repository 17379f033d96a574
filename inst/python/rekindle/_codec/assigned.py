"""Which attributes the code of a class assigns, and which are no plain attributes."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import types
from collections.abc import Iterator
from typing import Any


def is_script(live: Any, name: str) -> bool:
    """Whether the name is a hook, a method or anything else that is not a plain attribute."""
    of_class = getattr(type(live), name, None)
    return name.startswith("__") or callable(of_class) or hasattr(of_class, "__get__")


@functools.cache
def assigned_by(kind: Any) -> frozenset[str]:
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
