"""The position in the validation data of a fit(): how often, and how far, it was read.

fit() reads validation data from its beginning each time. But a shuffled dataset counts its
iterators, a generator goes on where it was, and a loader or a PyDataset has state of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import generators, tree
from rekindle._codec.tags import is_count
from rekindle._keras import internals
from rekindle._keras.sources.arrays import ArrayData
from rekindle._keras.sources.feed_of import feed_of
from rekindle._keras.sources.feeds import PythonFeed
from rekindle._keras.sources.generator import GeneratorData
from rekindle._keras.sources.py_dataset import attributes_of
from rekindle._keras.sources.tensorflow_feed import TensorFlowFeed
from rekindle.errors import BrokenTreeError

_PLACE = "own/validation"
# More readings than any fit() has.
_MOST = 1 << 24


class ValidationPlace:
    """Watches the validation data from the first validation on.

    Args:
        model: The model that is being fitted.
        fit: The arguments of its fit(), as far as they are known.

    Attributes:
        lost: What a resume does not restore, with the reason.
        looks_for_draws: ``False``: draws in a validation are not looked for.
    """

    looks_for_draws = False

    def __init__(self, model: Any, fit: Mapping[str, Any]) -> None:
        self._model = model
        self._fit = fit
        self._feed: PythonFeed | TensorFlowFeed | None = None
        self._watched: Any = None
        # For each iterator, how many batches it gave.
        self._reads: list[int] = []
        self._attributes = attributes_of(fit.get("val_x"), _PLACE)
        self.lost: dict[str, str] = {}

    # Calls from the feed.

    def made(self) -> None:
        """An iterator is about to be made."""
        self._reads.append(0)

    def first_read(self) -> None:
        """The iterator is about to be read for the first time."""

    def has_read(self, batch: Any, *, drew: bool) -> None:
        """The iterator gave a batch."""
        self._reads[-1] += 1

    # Calls from the trainer.

    def begins(self) -> None:
        """A validation begins: watches its data, if it is the first."""
        self._watch(internals.validation_iterator(self._model))

    def _watch(self, iterator: Any) -> None:
        if iterator is None or iterator is self._watched:
            return
        self._watched = iterator
        variables = self._model.variables
        feed = feed_of(iterator, variables) if internals.can_place(iterator) else None
        # Keras does not shuffle arrays of validation.
        if feed is not None and feed.kind is not ArrayData:
            self._feed = feed
            feed.attach(self)

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures the position; it is empty before the first validation."""
        if self._feed is None:
            return {}
        self.lost = {}
        if self._reads_out_of_sight():
            self.lost["validation_data"] = (
                "is a Python generator, and TensorFlow reads it ahead. A resumed run begins with"
                " the generator of the script."
            )
        attributes = self._attributes.flatten(self._attributes.take(), arrays)
        self.lost |= self._attributes.lost
        return {
            "of": self._kind(),
            "reads": [[len(list(same)), count] for count, same in itertools.groupby(self._reads)],
            "loaders": tree.flatten(self._feed.generators(), f"{_PLACE}/loaders", arrays),
            "owned": tree.flatten(self._feed.owned.take(), f"{_PLACE}/owned", arrays),
            "attributes": attributes,
        }

    def _kind(self) -> str:
        return type(self._fit.get("val_x")).__name__

    def _is_of_this_data(self, saved: Mapping[str, Any]) -> bool:
        """Whether it is the place in data of this kind. The script may change validation data."""
        return bool(saved) and saved["of"] == self._kind()

    def _reads_out_of_sight(self) -> bool:
        feed = self._feed
        return feed is not None and feed.kind is GeneratorData and feed.reads_ahead

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Nothing: fit() makes what reads the data."""

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """None: other validation data is the script's choice."""
        return []

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Checks the position that :meth:`put` would restore.

        Raises:
            BrokenTreeError: It is not a captured position.
        """
        if not self._is_of_this_data(saved):
            return
        pairs = saved["reads"]
        is_right = isinstance(pairs, list) and all(
            isinstance(pair, list) and len(pair) == 2 and all(map(is_count, pair)) for pair in pairs
        )
        if not is_right or sum(times * (count + 1) for times, count in pairs) > _MOST:
            raise BrokenTreeError("the position in the validation data is not a count of readings")
        self._attributes.check(saved["attributes"], arrays)
        for state in tree.unflatten(saved["loaders"], arrays):
            generators.check_torch(state, None)

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Goes to the position, once. Returns a sentence if that is not possible."""
        if self._watched is not None or not self._is_of_this_data(saved):
            return []
        iterator = internals.make_validation_iterator(self._model, self._fit)
        if iterator is None:
            return ["the position in the validation data could not be restored"]
        self._watch(iterator)
        if self._feed is None:
            return []
        self._attributes.put(saved["attributes"], arrays)
        reads = [count for times, count in saved["reads"] for _ in range(times)]
        if self._feed.kind is GeneratorData and not self._reads_out_of_sight():
            self._read(reads)
        # A Python iterator makes that of the dataset when it is first read. Keras reads not all.
        is_late = isinstance(self._feed, PythonFeed)
        self._feed.renew(sum(count > 0 for count in reads) if is_late else len(reads))
        self._reads = reads
        owned = self._owned(saved, arrays)
        self._feed.owned.check(owned)
        self._feed.owned.put(owned)
        states = tree.unflatten(saved["loaders"], arrays)
        for state, live in zip(states, self._feed.generators(), strict=False):
            generators.check_torch(state, live)
        self._feed.set_generators(states)
        if self._reads_out_of_sight():
            return ["the validation data is a Python generator, which starts from its beginning"]
        return []

    @staticmethod
    def _owned(saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Any:
        # An older rekindle did not save it.
        return tree.unflatten(saved.get("owned", {}), arrays)

    def _read(self, reads: list[int]) -> None:
        """Reads what the interrupted run has read of a generator."""
        if self._feed is not None:
            self._feed.is_alone(True)
        for count in reads:
            for _ in itertools.islice(iter(self._watched._get_iterator()), count):
                pass
        if self._feed is not None:
            self._feed.is_alone(False)
