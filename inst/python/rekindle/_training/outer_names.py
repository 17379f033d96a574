"""Where the user's functions find values outside of themselves, and what they may call."""

from __future__ import annotations

import dis
import functools
import itertools
import types
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rekindle._base.origin import module_of, package_of
from rekindle._training import reach

# Values that cannot change in place.
PLAIN = (str, bytes, int, float, complex, type(None))

_MOST_ITEMS = 100
# The package of the functions that R's are wrapped in.
_WRAPPERS = "rpytools"
# Methods that only add to a container.
_ADDS = {"add", "append", "appendleft", "extend"}


class Place(NamedTuple):
    """Where a value is.

    Attributes:
        key: Its name in a checkpoint: the same in each run of the script.
        words: The words for it in a message, up to the verb.
        owner: What holds it: the names of a module, a dict, a cell or a class.
        name: Its name there.
        is_read: Whether a function reads the value, and does not only add to it.
    """

    key: str
    words: str
    owner: Any
    name: Any
    is_read: bool = True

    @property
    def identity(self) -> tuple[int, Any]:
        return id(self.owner), self.name

    def get(self) -> Any:
        """The value; ``None`` if there is none."""
        if isinstance(self.owner, types.CellType):
            try:
                return self.owner.cell_contents
            except ValueError:  # Not assigned yet.
                return None
        names = vars(self.owner) if isinstance(self.owner, type) else self.owner
        return names.get(self.name)

    def set(self, value: Any) -> None:
        if isinstance(self.owner, types.CellType):
            self.owner.cell_contents = value
        elif isinstance(self.owner, type):
            setattr(self.owner, self.name, value)
        else:
            self.owner[self.name] = value

    def item(self, name: Any) -> Place:
        """The place of an item of the dict that is at this place."""
        words = f"[{name!r}] of {self.words}"
        return Place(f"{self.key}[{name!r}]", words, self.get(), name)


def places(value: Any) -> Iterator[Place]:
    """The outer values of a function, or the attributes of the user's own class of an object."""
    if isinstance(value, types.FunctionType) and _is_users(module_of(value)):
        yield from _of_function(value)
    for kind in users_classes(value):
        for name in sorted(own_names(kind)):
            yield of_class(kind, name)


def named_attributes(value: Any) -> set[str]:
    """The names of attributes in a function; empty for any other value."""
    is_users = isinstance(value, types.FunctionType) and _is_users(module_of(value))
    return set(reach.names(value.__code__)) if is_users else set()


def of_class(kind: type, name: str) -> Place:
    key = f"{module_of(kind)}.{kind.__qualname__}.{name}"
    return Place(key, f"{kind.__name__}.{name}, an attribute of the class,", kind, name)


def inner(value: Any, *, with_attributes: bool) -> Iterator[Any]:
    """What a value holds: functions, and objects whose functions may be called.

    Args:
        value: The value.
        with_attributes: Whether the attributes of the object count.
    """
    if isinstance(value, types.FunctionType) and package_of(value) == _WRAPPERS:
        yield from (cell.cell_contents for cell in value.__closure__ or ())
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, dict):
        yield from itertools.islice(dict.values(value), _MOST_ITEMS)
    elif isinstance(value, list | tuple):
        yield from value[:_MOST_ITEMS]
    for kind in users_classes(value):
        yield from (function for _, function in reach.functions_of(kind))
    if with_attributes:
        yield from vars(value).values()


def _of_function(function: types.FunctionType) -> Iterator[Place]:
    code, who, known = function.__code__, _shown(function), function.__globals__
    module, uses = module_of(function), _uses(code)
    # A set has another order in each process, and keys are numbered in the order of the places.
    for name in sorted(uses.globals & (known.keys() | uses.sets)):
        words, is_read = f"{name!r}, a global variable that {who} uses,", name in uses.reads
        yield Place(f"{module}.{name}", words, known, name, is_read)
        value = known.get(name)
        if isinstance(value, types.ModuleType) and _is_users(value.__name__):
            for one in sorted(set(reach.names(code)) & vars(value).keys()):
                words = f"{value.__name__}.{one}, which {who} uses,"
                yield Place(f"{value.__name__}.{one}", words, vars(value), one)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        if name != "__class__":
            key = f"{module}.{function.__qualname__}/{name}"
            words, is_read = f"{name!r}, a variable around {who},", name in uses.reads
            yield Place(key, words, cell, name, is_read)
    yield from _defaults(function, who)


def _defaults(function: types.FunctionType, who: str) -> Iterator[Place]:
    """The default values of arguments. A function may change those that are containers."""
    code, values = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    found = dict(zip(names, values, strict=True)) | (function.__kwdefaults__ or {})
    for name, value in found.items():
        if not isinstance(value, PLAIN):
            words = f"the default value of {name!r} in {who}"
            yield Place(f"{module_of(function)}.{function.__qualname__}={name}", words, found, name)


class _Uses(NamedTuple):
    """The outer names of a function, and of the functions in it.

    Attributes:
        globals: The global names.
        sets: Those of the names that the function sets.
        reads: Those that it reads, and does not only add to.
    """

    globals: set[str]
    sets: set[str]
    reads: set[str]


@functools.lru_cache(maxsize=1000)
def _uses(code: types.CodeType) -> _Uses:
    found = _Uses(set(), set(), set())
    steps = [one for one in dis.get_instructions(code) if one.opname not in ("CACHE", "PUSH_NULL")]
    for index, step in enumerate(steps):
        action, _, where = step.opname.partition("_")
        if where not in ("GLOBAL", "NAME", "DEREF", "CLASSDEREF"):
            continue
        if where in ("GLOBAL", "NAME"):
            found.globals.add(step.argval)
        if action == "STORE":
            found.sets.add(step.argval)
        # A function ends by another step than this one.
        elif steps[index + 1].argval not in _ADDS:
            found.reads.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for mine, theirs in zip(found, _uses(constant), strict=True):
                mine |= theirs
    return found


def _shown(function: types.FunctionType) -> str:
    name = function.__name__
    return "a lambda function" if name == "<lambda>" else f"{name}()"


def own_names(kind: type) -> set[str]:
    """The names of the values that a class has beside its code."""
    return {
        name
        for name, member in vars(kind).items()
        if not (name.startswith("__") or name == "_abc_impl" or isinstance(member, type))
        and not hasattr(type(member), "__get__")
    }


def users_classes(value: Any) -> list[type]:
    """The user's own classes that the object, or the class, is made from."""
    kind = value if isinstance(value, type) else type(value)
    return [one for one in kind.__mro__ if _is_users(module_of(one))]


def is_foreign(value: Any) -> bool:
    """Whether the value is a function of another language, such as R's in its wrapper."""
    return type(value).__name__ == "PyCapsule"


def of_foreign(variables: Mapping[str, Any]) -> Iterator[Place]:
    """The places of the variables of such a function: an object with the state of each, by name."""
    for name in variables:
        words = f"{name!r}, a variable that an R function assigns by `<<-`,"
        yield Place(f"R:{name}", words, variables, name)


def _is_users(module: str) -> bool:
    return module.partition(".")[0] != _WRAPPERS and reach.is_users(module)
