"""The variables of a program, of its optimizer and of its metrics: JSON objects, in their order.

Their names are no help: an optimizer names inner programs by addresses in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle.errors import BrokenTreeError


def of_program(program: Any) -> list[Any]:
    """The trainable and the other variables of a program, without those of its metrics."""
    return list(program.variables)


def of_optimizer(optimizer: Any) -> list[Any]:
    """The variables of an optimizer, and of the programs that it proposes candidates with."""
    inner = [one for module in optimizer._modules for one in module.variables]
    return _each_once([*optimizer.variables, *inner])


def of_metrics(program: Any) -> list[Any]:
    """The variables of all metrics of a program that are made by now."""
    return _each_once(list(program.metrics_variables))


def _each_once(variables: list[Any]) -> list[Any]:
    return list({id(one): one for one in variables}.values())


class Variables:
    """The variables that a function finds.

    Args:
        place: The name of these variables in a checkpoint.
        whose: The words for them in a message.
        find: Finds the variables, in the same order in each run of a script.
        build: Makes those that do not exist yet.
        must_fit: Whether a checkpoint with other variables is refused. Otherwise, those variables
            are left out.
    """

    lost: Mapping[str, str] = {}  # Never changed.

    def __init__(
        self,
        place: str,
        whose: str,
        find: Callable[[], list[Any]],
        build: Callable[[], None],
        *,
        must_fit: bool = True,
    ) -> None:
        self._place = place
        self._whose = whose
        self._find = find
        self._build = build
        self._must_fit = must_fit

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        found = self._find()
        if not found:
            return {}
        return {
            # Optimizers change the values in place. This makes a copy.
            "values": [
                tree.flatten(one.get_json(), f"{self._place}/{number}", arrays)
                for number, one in enumerate(found)
            ],
            "paths": [str(one.path) for one in found],
            "fields": [_fields(one) for one in found],
            "trainable": [bool(one.trainable) for one in found],
        }

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        if len(_parts(saved, "values")) > len(self._find()):
            self._build()

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        if not self._must_fit:
            return []
        live, paths, fields = self._find(), _parts(saved, "paths"), _parts(saved, "fields")
        if len(live) != len(paths):
            return [
                f"variables of the {self._whose}: expected {len(live)}, found {len(paths)} in the"
                " backup"
            ]
        return [
            f"{one.path}: expected the fields {_fields(one)}, found {names} of {path!r:.200} in the"
            " backup"
            for one, names, path in zip(live, fields, paths, strict=True)
            if names != _fields(one)
        ]

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        self._read(saved, arrays)

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        values, live = self._read(saved, arrays), self._find()
        if saved and len(values) != len(live):
            return [f"the variables of the {self._whose} have changed, and were not restored"]
        for one, value in zip(live, values, strict=False):
            one.assign(value)
        return []

    def _read(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[Any]:
        values, live = _parts(saved, "values"), self._find()
        # New containers each time: training changes them in place.
        found = [tree.unflatten(value, arrays) for value in values]
        for value, one in zip(found, live, strict=False):
            check_value(value, one)
        return found


def _parts(saved: Mapping[str, Any], name: str) -> list[Any]:
    found = saved.get(name, [])
    if not isinstance(found, list):
        raise BrokenTreeError(f"{name!r} of the variables is not a list")
    return found


@dataclass(frozen=True)
class Saved:
    """A variable in a checkpoint.

    Attributes:
        path: Its name.
        trainable: Whether an optimizer may change it.
        value: Its value.
    """

    path: str
    trainable: bool
    value: dict[str, Any]


def saved(part: Any, arrays: Mapping[str, AnyArray]) -> list[Saved]:
    """The variables that :meth:`Variables.take` has captured, without live ones beside them.

    Raises:
        BrokenTreeError: They are not captured variables.
    """
    if not isinstance(part, dict):
        raise BrokenTreeError("the variables are not an object")
    paths, trainable = _parts(part, "paths"), _parts(part, "trainable")
    values = [tree.unflatten(value, arrays) for value in _parts(part, "values")]
    if not len(paths) == len(trainable) == len(values):
        raise BrokenTreeError("the variables have not as many names as values")
    if not all(isinstance(path, str) for path in paths):
        raise BrokenTreeError("the name of a variable is not a string")
    if not all(isinstance(value, dict) for value in values):
        raise BrokenTreeError("the value of a variable is not an object")
    return [
        Saved(path, bool(flag), value)
        for path, flag, value in zip(paths, trainable, values, strict=True)
    ]


def _properties(variable: Any) -> dict[str, Any]:
    found = (variable.get_schema() or {}).get("properties")
    return found if isinstance(found, dict) else {}


def _fields(variable: Any) -> list[str]:
    """The names of the fields of a variable: what a checkpoint of another program differs in."""
    return sorted(map(str, _properties(variable)))


def check_value(value: Any, variable: Any) -> None:
    """Checks a value that Synalinks would take, to fail with it in the middle of training.

    Raises:
        BrokenTreeError: It cannot be the value of this variable.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BrokenTreeError("the value of a variable is not an object")
    for name, schema in _properties(variable).items():
        is_list = isinstance(schema, dict) and schema.get("type") == "array"
        if is_list and not isinstance(value.get(name, []), list | type(None)):
            raise BrokenTreeError(f"the field {name!r:.100} of a variable is not a list")
