"""Finds the random generators within reach of an object, wherever the user's code keeps them.

Data draws from generators in attributes, in variables of a generator function, in closures, and in
global variables of the functions that make its batches. None of them has a name that Keras knows.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import itertools
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from rekindle._base.origin import module_of
from rekindle._codec import kinds
from rekindle._frameworks.loaded import loaded

# How many objects are looked at, how many items of a container, and how deep.
_MOST, _MOST_ITEMS, _DEPTH = 4000, 200, 12

_PLAIN = (str, bytes, int, float, complex, type(None), types.ModuleType, type, np.ndarray)
# Their objects are large, and their own generators are found by name.
_FRAMEWORKS = {"jax", "jaxlib", "keras", "numpy", "pandas", "rekindle", "tensorflow", "torch"}
# But these hold what the user gave.
_HOLDERS = {"_GeneratorState", "DataLoader"}

# A function of the source: for an object that it knows, the generators in it, by name.
Known = Callable[[Any], Mapping[str, Any] | None]


class Reach:
    """What is within reach of some objects.

    Args:
        roots: The objects, by name.
        known: For an object that the source knows, such as a layer, the generators in it by name;
            ``None`` for any other.

    Attributes:
        generators: Each random generator by its path. The global ones are left out.
        functions: The code of each function, with the values of its global and outer names.
        reached: Every object that was looked at.
    """

    def __init__(self, roots: Mapping[str, Any], known: Known) -> None:
        self.generators: dict[str, Any] = {}
        self.functions: list[tuple[types.CodeType, dict[str, Any]]] = []
        self._known = known
        seen: dict[int, Any] = {}
        level = list(roots.items())
        # Breadth first: a generator gets its shortest path.
        for _ in range(_DEPTH):
            following: list[tuple[str, Any]] = []
            for path, value in level:
                if isinstance(value, _PLAIN) or id(value) in seen or len(seen) >= _MOST:
                    continue
                seen[id(value)] = value
                # The user's own objects may fail at anything that is asked of them.
                with contextlib.suppress(Exception):
                    following += list(self._look(path, value))
            level = following
        self.reached = list(seen.values())

    def _look(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Notes a generator. Gives the parts of any other object, each with its path."""
        kind = kinds.kind_of(value)
        if kind not in (None, "state_dict"):
            if not any(value is one for one in _global_generators()):
                self.generators[path] = value
            return
        found = self._known(value)
        if found is not None:
            self.generators.update({f"{path}{name}": one for name, one in found.items()})
            return
        for name, part in self._parts(value):
            yield f"{path}/{name}", part

    def _parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, types.FunctionType):
            yield from self._of_code(value.__code__, _outer(value), value.__globals__)
            yield from enumerate_named(value.__defaults__ or ())
            yield from (value.__kwdefaults__ or {}).items()
        elif isinstance(value, types.MethodType):
            yield "self", value.__self__
            yield "function", value.__func__
        elif isinstance(value, functools.partial):
            yield "function", value.func
            yield from enumerate_named(value.args)
            yield from value.keywords.items()
        elif isinstance(value, types.GeneratorType):
            if value.gi_frame is not None:
                yield from self._of_code(
                    value.gi_code, dict(value.gi_frame.f_locals), value.gi_frame.f_globals
                )
            yield "from", value.gi_yieldfrom
        elif isinstance(value, dict):
            # Not any mapping: to read one may mean to open files.
            items = itertools.islice(dict.items(value), _MOST_ITEMS)
            yield from ((str(key), item) for key, item in items if isinstance(key, str | int))
        elif isinstance(value, list | tuple | set | frozenset):
            yield from enumerate_named(itertools.islice(value, _MOST_ITEMS))
        else:
            yield from self._of_object(value)

    def _of_code(
        self, code: types.CodeType, own: dict[str, Any], its_globals: dict[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """The variables of a function, and the global variables that it names."""
        is_own = is_users(str(its_globals.get("__name__", "")))
        named = {n: its_globals[n] for n in names(code) if n in its_globals} if is_own else {}
        if is_own:
            self.functions.append((code, named | own))
        yield from own.items()
        yield from named.items()

    def _of_object(self, value: Any) -> Iterator[tuple[str, Any]]:
        module = module_of(type(value))
        attributes = getattr(value, "__dict__", None)
        is_own = is_users(module)
        if isinstance(attributes, dict) and (
            is_own
            or module.partition(".")[0] not in _FRAMEWORKS
            or type(value).__name__ in _HOLDERS
        ):
            yield from list(attributes.items())
        for kind in type(value).__mro__ if is_own else ():
            if is_users(module_of(kind)):
                for name, function in functions_of(kind):
                    yield f"{kind.__name__}.{name}", function

    @property
    def draws_globally(self) -> bool:
        """Whether a function names a function that draws from a generator of the process.

        It may never call it. A library that it calls may draw, too: this sees only the user's code.
        """
        return any(_draws(code, names) for code, names in self.functions)


def enumerate_named(values: Any) -> Iterator[tuple[str, Any]]:
    return ((str(index), value) for index, value in enumerate(values))


def _outer(function: types.FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # Not assigned yet.
            continue
    return found


def functions_of(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions in the body of a class, by name: methods of each kind, and properties."""
    for name, member in vars(kind).items():
        inner = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(inner, types.FunctionType):
            yield name, inner


def names(code: types.CodeType) -> Iterator[str]:
    """The global names in a function, and in the functions inside of it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names(constant)


@functools.cache
def is_users(module: str) -> bool:
    """Whether a module is the user's own, and neither Python's nor installed."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return False
    file = str(getattr(loaded(module), "__file__", None) or "")
    return root not in _FRAMEWORKS and "site-packages" not in file and "dist-packages" not in file


def _global_generators() -> list[Any]:
    found = [_inner(loaded("random"), "random"), _inner(np.random, "rand")]
    torch = loaded("torch")
    return found if torch is None else [*found, getattr(torch, "default_generator", None)]


def _inner(module: Any, name: str) -> Any:
    """The generator behind a function of a module, such as ``random.random``."""
    return getattr(getattr(module, name, None), "__self__", None)


# What makes a generator, or draws from none.
_OWN = {
    "Random", "SystemRandom", "default_rng", "Generator", "RandomState", "SeedSequence",
    "PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937", "BitGenerator", "SeedGenerator",
}  # fmt: skip


def _draws(code: types.CodeType, names: Mapping[str, Any]) -> bool:
    steps = [(one.opname, one.argval) for one in dis.get_instructions(code)]
    for index, (operation, name) in enumerate(steps):
        if not operation.startswith("LOAD") or not isinstance(name, str) or name not in names:
            continue
        later = itertools.takewhile(
            lambda step: step[0] in ("LOAD_ATTR", "LOAD_METHOD"), steps[index + 1 :]
        )
        if _is_draw(names[name], [attribute for _, attribute in later]):
            return True
    return any(isinstance(one, types.CodeType) and _draws(one, names) for one in code.co_consts)


def _is_draw(value: Any, attributes: list[str]) -> bool:
    """Whether ``value.attribute.attribute`` is, or may be, a function that draws globally."""
    if not isinstance(value, types.ModuleType):
        owner = getattr(value, "__self__", None)
        return owner is not None and any(owner is one for one in _global_generators())
    path = ".".join([value.__name__, *attributes])
    for module in ("numpy.random", "random", "keras.random", "tensorflow.random"):
        if path == module or path.startswith(f"{module}."):
            rest = path[len(module) + 1 :].partition(".")[0]
            return rest not in _OWN
    name = path.removeprefix("torch.")
    return path != name and (name.startswith("rand") or name in ("normal", "bernoulli"))
