"""Where a fit() is in its data, and how to get there again without training.

Keras draws batches from iterators that it makes from the data, most often one for each epoch. A
place is known by how the iterator was born (the random states when it was made and when it was
first read, and how many were made before it) and by how many steps it has given. On resume the same
iterator is born again, and read as far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._keras import sources
from rekindle._training import cursor_check, random_states
from rekindle._training.data_proxy import Source
from rekindle._training.dataset_state import DatasetState


@dataclass
class _Birth:
    """Random states when an iterator was made, and when it was first read."""

    made: Any = None
    read: Any = None


class DataPlace:
    """The place of one fit() in its data.

    Args:
        epoch_iterator: Keras' own, which is watched from now on.
    """

    def __init__(self, epoch_iterator: Any) -> None:
        self._iterator = epoch_iterator
        self._adapter = epoch_iterator.data_adapter
        self._given = 0
        self._birth = _Birth()
        self._births = 0
        # Iterators made so far, and the birth of the one before the last, with the births by then.
        self._makes = 0
        self._before: tuple[_Birth, int] = (self._birth, 0)
        self._script: _Birth | None = None
        self._at_epoch: dict[str, Any] = {}
        self._last_batch: Any = None
        # Whether batches are drawn ahead from random states that training draws from, too.
        self._draws_ahead = False
        self._unseeded = sources.UnseededArrays.of(epoch_iterator)
        self._sees_reads = not sources.is_tensorflow() or sources.watch_python_source(
            epoch_iterator, lambda source: Source(self, source, reports_making=False)
        )
        self._watch()
        sources.drop_early_batches(self._adapter)
        self._dataset = DatasetState(getattr(self._adapter, "py_dataset", None))

    def _watch(self) -> None:
        """Stands between Keras and what it makes its iterators from."""
        iterator = self._iterator
        if sources.is_tensorflow():
            dataset = sources.unwrapped(iterator._distributed_dataset)
            iterator._distributed_dataset = Source(self, dataset)
        else:
            make = iterator._get_iterator
            iterator._get_iterator = lambda: Source(self, make())

    @property
    def batches(self) -> int | None:
        """How many batches an epoch has, where Keras knows."""
        known = self._iterator.steps_per_epoch or self._iterator._num_batches
        return None if known is None else int(known)

    def stop_watching(self) -> None:
        self._iterator.__dict__.pop("_get_iterator", None)

    # What a `Source` and its reader report.

    @property
    def looks_for_draws(self) -> bool:
        """Whether a read that draws from the process' random states is news."""
        return sources.is_tensorflow() and not self._draws_ahead

    def made(self) -> None:
        """An iterator is about to be made."""
        sources.wait_for_workers(self._adapter)
        if self._script is not None:
            self._put_random(self._script.made)
        self._before = (self._birth, self._births)
        self._makes += 1
        self._birth = _Birth(made=self._take_random())
        self._given = 0
        if not sources.is_tensorflow():
            return
        # TensorFlow's iterators are real as soon as they are made, and most are read out of sight.
        self._births += 1
        if not self._sees_reads:
            self._script = None
        if self._unseeded is not None:
            self._iterator._distributed_dataset.source = self._unseeded.begin(self._births)

    def first_read(self) -> None:
        """It is about to be read for the first time."""
        script, self._script = self._script, None
        if script is not None and script.read is not None:
            self._put_random(script.read)
        self._birth.read = self._take_random()
        if not sources.is_tensorflow():
            self._births += 1

    def has_read(self, batch: Any, *, drew: bool) -> None:
        """It gave a batch; `drew` tells whether that changed the process' random states."""
        if sources.is_tensorflow():
            # Read ahead by another thread: it is not the batch that is trained on next.
            self._draws_ahead = self._draws_ahead or drew
        else:
            self._last_batch = batch
            self._given += 1

    def _look_for_foreign_draws(self) -> None:
        """Whether R drew since the epoch began while TensorFlow reads Python code ahead.

        The data may be R code, or a callback may have drawn: nobody can tell from here.
        """
        began = self._at_epoch.get("random", {}).get("foreign")
        if began is not None and sources.is_tensorflow() and self._sees_reads:
            self._draws_ahead = self._draws_ahead or random_states.take_external() != began

    # What the run asks for.

    def epoch_begins(self) -> None:
        """Notes where the epoch begins, after every callback's `on_epoch_begin`."""
        self._at_epoch = {
            "live": self._is_live(),
            "steps": self._steps_given(),
            "makes": self._makes,
            "num_batches": self._iterator._num_batches,
            "random": random_states.take(),
            "dataset": self._dataset.take(),
        }

    def has_left_epoch(self) -> bool:
        """Whether Keras has made an iterator beyond that of the current epoch.

        It does so after the last batch, before validation, and throws it away.
        """
        expected = 0 if self._at_epoch["live"] else 1
        return self._makes > int(self._at_epoch["makes"]) + expected

    def random_at_end(self) -> Any:
        """The random states at the end of the epoch's last batch; ``None``: they are as they were.

        For a look from the validation that follows it.
        """
        return self._birth.made["process"] if self.has_left_epoch() else None

    def take(self, batch: int, arrays: dict[str, AnyArray]) -> Any:
        """The place after `batch` batches of the current epoch, 0 for the one about to begin."""
        self._look_for_foreign_draws()
        if batch == 0:
            self._last_batch = None
            self.epoch_begins()
        place = dict(self._at_epoch)
        birth, births = self._birth, self._births
        if batch and self.has_left_epoch():
            birth, births = self._before
        del place["makes"]
        current = place["live"] or batch > 0
        is_counted = sources.is_tensorflow() or birth.read is not None
        place["draws_ahead"] = self._draws_ahead
        place["earlier"] = births - 1 if current and is_counted else births
        place["made"] = birth.made if current else None
        place["read"] = birth.read if current else None
        place["loaders"] = sources.take_loaders(self._adapter)
        place["batch"] = sources.batch_digest(self._last_batch)
        place["base"] = None if self._unseeded is None else self._unseeded.base
        dataset = place.pop("dataset")
        return {
            "place": tree.flatten(place, "data", arrays),
            "dataset": self._dataset.flatten(dataset, arrays),
        }

    @property
    def lost(self) -> Mapping[str, str]:
        """``Class.attribute`` of what of the data set does not come back, each with the reason."""
        return self._dataset.lost

    def check(self, saved: Any, batch: int, epochs: int, arrays: Mapping[str, AnyArray]) -> None:
        """Checks what :meth:`put` would put back, and that going there comes to an end.

        Args:
            saved: The saved place.
            batch: How many batches of its epoch were trained.
            epochs: How many epochs this fit() has.
            arrays: The arrays of the save.

        Raises:
            MismatchError: An epoch has fewer batches than were trained.
            BrokenTreeError: It is not a place that was taken, or none that this fit() can come to.
        """
        self._dataset.check(saved["dataset"], arrays)
        # The last execution of several steps may count more than there are.
        spare = int(getattr(self._iterator, "steps_per_execution", 1) or 1) - 1
        most = None if self.batches is None else self.batches + spare
        loaders = sources.take_loaders(self._adapter)
        cursor_check.check(tree.unflatten(saved["place"], arrays), batch, epochs, most, loaders)

    def put(self, saved: Any, batch: int, arrays: Mapping[str, AnyArray]) -> bool:
        """Goes to the beginning of a place's epoch, from where `batch` batches are left to read.

        Returns:
            Whether what follows in the data can be what followed before the interruption.
        """
        now = random_states.take()
        place = tree.unflatten(saved["place"], arrays)
        self._dataset.put(saved["dataset"], arrays)
        iterator = self._iterator
        # Where the data itself says how many there are, that counts.
        if iterator._num_batches is None:
            iterator._num_batches = place["num_batches"]
        if place["base"] is not None and self._unseeded is not None:
            self._unseeded.base = place["base"]
        self._births = int(place["earlier"])
        dataset = sources.shuffling_dataset(iterator)
        if dataset is not None and self._unseeded is None:
            for _ in range(self._births):
                iter(dataset)
        if place["live"]:
            self._script = self._rehearsed(place)
            reborn = iter(
                iterator._distributed_dataset
                if sources.is_tensorflow()
                else iterator._get_iterator()
            )
            for _ in range(int(place["steps"])):
                next(reborn)
            iterator._current_iterator = reborn
            iterator._steps_seen = int(place["steps"])
        elif batch:
            self._script = self._rehearsed(place)
        # Workers of a PyDataset draw as soon as the epoch begins.
        random_states.put(place["random"] if batch else now)
        if not batch:
            sources.put_loaders(self._adapter, place["loaders"])
        return not place["draws_ahead"]

    def gave_the_same(self, saved: Any, arrays: Mapping[str, AnyArray]) -> bool:
        """Whether the batch read last is the one that was read last before the save.

        True also where nobody could look: on TensorFlow batches stay inside its graph.
        """
        expected = tree.unflatten(saved["place"], arrays)["batch"]
        found = sources.batch_digest(self._last_batch)
        return expected is None or found is None or expected == found

    def _steps_given(self) -> int:
        """How many steps the current iterator has given; TensorFlow's are read out of sight."""
        if sources.is_tensorflow():
            return int(getattr(self._iterator, "_steps_seen", 0))
        return self._given

    def _is_live(self) -> bool:
        """Whether the last epoch's iterator goes on in the next, as with `steps_per_epoch`."""
        iterator = self._iterator
        return iterator.steps_per_epoch is not None and iterator._current_iterator is not None

    def _take_random(self) -> Any:
        return {"process": random_states.take(), "loaders": sources.take_loaders(self._adapter)}

    def _rehearsed(self, place: Mapping[str, Any]) -> _Birth:
        """The states that are put back later, put once: broken ones are found while it is time."""
        now = self._take_random()
        for states in (place["made"], place["read"], now):
            self._put_random(states)
        return _Birth(place["made"], place["read"])

    def _put_random(self, states: Any) -> None:
        if states is None:
            return
        random_states.put(states["process"])
        sources.put_loaders(self._adapter, states["loaders"])
