"""The attributes of a data set in Python that training changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds
from rekindle._codec.changeable import Baseline
from rekindle.errors import BrokenTreeError, UnsupportedValueError

# An attribute that is larger than this holds the data, not a position in the data.
_DATA_BYTES = 1 << 26

# Saved attributes, each with its arrays.
Taken = dict[str, tuple[Any, dict[str, AnyArray]]]


class DatasetState:
    """The attributes of one data set, from the beginning of a fit().

    An attribute is state only if its value differs from the value at that moment. No checkpoint
    changes the values that the script sets: paths, the number of workers, functions.

    Args:
        dataset: The PyDataset or Sequence; ``None`` if the data is of another kind, which has no
            such state.
        configuration: Names of attributes that the library's own constructor sets.

    Attributes:
        lost: Attributes that are not restored: ``Class.attribute`` and the reason.
    """

    def __init__(self, dataset: Any, configuration: Collection[str]) -> None:
        self._dataset = dataset
        self._configuration = configuration
        self.lost: dict[str, str] = {}
        self._baseline = Baseline(self._attributes(), dataset)

    def _attributes(self) -> dict[str, Any]:
        if self._dataset is None:
            return {}
        return {
            name: value
            for name, value in vars(self._dataset).items()
            if name not in self._configuration and getattr(value, "nbytes", 0) <= _DATA_BYTES
        }

    def take(self) -> Taken:
        """Captures the changed attributes, with copies of the arrays."""
        taken: Taken = {}
        self.lost = {}
        for name, value in self._attributes().items():
            arrays: dict[str, AnyArray] = {}
            try:
                saved = kinds.take(value, f"dataset/{name}", arrays)
            except UnsupportedValueError:
                continue
            if self._baseline.is_as_it_was(name, saved, arrays):
                continue
            refusal = self._baseline.refusal(name, saved, arrays)
            if refusal is not None:
                self.lost[f"{type(self._dataset).__name__}.{name}"] = refusal
                continue
            taken[name] = saved, {key: np.array(array) for key, array in arrays.items()}
        return taken

    @staticmethod
    def flatten(taken: Taken, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Turns them into JSON values; the arrays go into `arrays`."""
        for _, own in taken.values():
            arrays.update(own)
        return {name: saved for name, (saved, _) in taken.items()}

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks the attributes that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not captured attributes, or they would change values that the
                script set.
        """
        self._read(saved, arrays)

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Restores the attributes; raises as :meth:`check` does, before anything is changed."""
        for put in self._read(saved, arrays):
            put()

    def _read(self, saved: Any, arrays: Mapping[str, AnyArray]) -> list[Callable[[], None]]:
        if not isinstance(saved, dict):
            raise BrokenTreeError("the state of the data set is not an object")
        if self._dataset is None:
            return []
        puts = [self._baseline.read(name, state, arrays) for name, state in saved.items()]
        # The class may have changed since, and may no longer know a name.
        return [put for put in puts if put is not None]
