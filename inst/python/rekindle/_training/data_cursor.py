"""The position of a fit() in its data, and how to get there again without training.

Keras draws batches from iterators that it makes from the data, most often one for each epoch. A
position has two parts. The first is the birth of the iterator: the random states when it was made
and when it was first read, and how many iterators were made before it. The second is how many steps
the iterator has given. On resume, rekindle makes the same iterator again and reads as many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._training import cursor_check, data_moment, random_states
from rekindle._training.data_moment import Birth
from rekindle._training.data_source import DataSource


class DataCursor:
    """The position of one fit() in its data.

    Args:
        source: The data. The cursor watches it from now on.
    """

    def __init__(self, source: DataSource) -> None:
        self._source = source
        self._birth = Birth()
        # How many iterators were made so far; and the birth of the iterator before the current one,
        # with the number of births at that time.
        self._given, self._births, self._makes = 0, source.made_before, 0
        self._before: tuple[Birth, int] = (self._birth, 0)
        self._script: Birth | None = None
        self._at_epoch: dict[str, Any] = {}
        self._last_batch: Any = None
        self._unseen = data_moment.UnseenDraws(source)
        # What of the checkpoint the data cannot continue, in sentences.
        self.notes: list[str] = []
        # The same of the position that was taken last.
        self.doubts: list[str] = []
        # Reading ahead draws from random states that training draws from, too.
        self._draws_ahead = False
        # Sees each batch that this thread reads.
        self.observer: Callable[[Any], None] | None = None
        source.attach(self)
        self._dataset = source.dataset_state()

    @property
    def batches(self) -> int | None:
        """How many batches an epoch has, if that is known."""
        return self._source.batches

    @property
    def is_made_early(self) -> bool:
        """Whether :meth:`put` is to be called before the epoch begins, and not when it begins."""
        return self._source.made_early

    @property
    def draws(self) -> Collection[str]:
        """The random states of the process that only the data draws from, ahead of training."""
        return self._source.draws

    def stop_watching(self) -> None:
        self._source.detach()

    def is_replayed(self, on: bool) -> None:
        """Between a call with true and one with false, the data is read and nothing else runs."""
        self._source.is_alone(on)

    # Calls from the source.

    @property
    def looks_for_draws(self) -> bool:
        """Whether the cursor still looks for reads that draw from the process' random states."""
        return self._source.reads_ahead and not self._draws_ahead

    def made(self) -> None:
        """An iterator is about to be made."""
        self._source.wait()
        if self._script is not None:
            data_moment.put(self._source, self._script.made)
        self._before = (self._birth, self._births)
        self._makes += 1
        self._birth = Birth(made=data_moment.take(self._source), dataset=self._dataset_at_birth())
        self._given = 0
        if self._source.reads_ahead:
            # Such an iterator counts as soon as it is made: most of them are read out of sight.
            self._births += 1
            if not self._source.sees_reads:
                self._script = None
            self._source.begin(self._births)

    def first_read(self) -> None:
        """The iterator is about to be read for the first time."""
        script, self._script = self._script, None
        if script is not None and script.read is not None:
            data_moment.put(self._source, script.read)
        self._birth.read = data_moment.take(self._source)
        if not self._source.reads_ahead:
            self._births += 1
            self._source.begin(self._births)

    def has_read(self, batch: Any, *, drew: bool) -> None:
        """The iterator gave a batch. `drew`: whether this changed the process' random states."""
        self._draws_ahead = self._draws_ahead or drew
        # A batch that was read ahead is not the batch that training uses next.
        if not self._source.reads_ahead:
            self._last_batch = batch
            self._given += 1
            self._source.has_given(self._given)
            if self.observer is not None and not self._source.is_elsewhere:
                self.observer(batch)

    # Calls from the run.

    def epoch_begins(self) -> None:
        """Notes the position where the epoch begins, after every callback's `on_epoch_begin`."""
        if self._source.made_early and self._birth.made is not None and self._birth.read is None:
            self.first_read()
        self._unseen.epoch_begins()
        self._at_epoch = {
            "live": self._source.is_live(),
            "steps": self._steps_given(),
            "makes": self._makes,
            "num_batches": self._source.counted,
            "random": random_states.take(),
            "owned": self._source.owned.take(),
            "dataset": self._dataset.take(),
        }

    def has_left_epoch(self) -> bool:
        """Whether Keras has made an iterator beyond that of the current epoch.

        Keras makes it after the last batch, before validation, and throws it away.
        """
        expected = 0 if self._at_epoch["live"] else 1
        return self._makes > int(self._at_epoch["makes"]) + expected

    def random_at_end(self) -> Any:
        """Random states at the end of the epoch's last batch; ``None`` if they are still the same.

        For a snapshot in the validation that follows this batch.
        """
        return self._birth.made["process"] if self.has_left_epoch() else None

    def take(self, batch: int, arrays: dict[str, AnyArray]) -> Any:
        """Captures the position after `batch` batches of the epoch; 0 if it is about to begin."""
        if self._unseen.have_happened(self._at_epoch.get("random", {}).get("foreign")):
            self._draws_ahead = True
        if batch == 0:
            self._last_batch = None
            self.epoch_begins()
        place = dict(self._at_epoch)
        birth, births = self._birth, self._births
        if batch and self.has_left_epoch():
            birth, births = self._before
        del place["makes"]
        current = place["live"] or batch > 0
        is_counted = self._source.reads_ahead or birth.read is not None
        place["draws_ahead"] = self._draws_ahead
        place["earlier"] = births - 1 if current and is_counted else births
        place["made"] = birth.made if current else None
        place["read"] = birth.read if current else None
        place["loaders"] = self._source.generators()
        place["batch"] = self._source.digest(self._last_batch)
        place["base"] = self._source.seed
        place["validations"] = self._source.validations
        place["supply"] = self._source.supply()
        self.doubts = data_moment.doubts(self._source, place)
        dataset = place.pop("dataset")
        is_born = place["live"] and birth.dataset is not None
        born = self._dataset.flatten(birth.dataset, arrays) if is_born else {}
        return {
            "place": tree.flatten(place, "data", arrays),
            "dataset": self._dataset.flatten(dataset, arrays),
            **({"born": born} if is_born else {}),
        }

    def _dataset_at_birth(self) -> Any:
        """The attributes of the data, if the iterator that is about to be made lives on."""
        is_needed = self._source.lives_on and self._source.settles
        return self._dataset.take("born") if is_needed else None

    @property
    def lost(self) -> Mapping[str, str]:
        """Attributes of the data set that are not restored: ``Class.attribute`` and the reason."""
        return self._dataset.lost

    def check(self, saved: Any, batch: int, epochs: int, arrays: Mapping[str, AnyArray]) -> None:
        """Checks the position that :meth:`put` would restore, and that reading up to it ends.

        Args:
            saved: The saved position.
            batch: How many batches of its epoch were trained.
            epochs: How many epochs this fit() has.
            arrays: The arrays of the checkpoint.

        Raises:
            MismatchError: An epoch has fewer batches than were trained.
            BrokenTreeError: It is not a captured position, or this fit() cannot reach it.
        """
        self._dataset.check(saved["dataset"], arrays)
        most = self._source.most_batches
        loaders = self._source.generators()
        place = tree.unflatten(saved["place"], arrays)
        cursor_check.check(place, batch, epochs, most, loaders)
        data_moment.check(self._source, place)
        self._dataset.check(saved.get("born", {}), arrays)

    def put(self, saved: Any, batch: int, arrays: Mapping[str, AnyArray]) -> bool:
        """Goes to the beginning of the position's epoch; `batch` batches are then left to read.

        Returns:
            Whether the data can continue as it did before the interruption.
        """
        now = random_states.take()
        place = tree.unflatten(saved["place"], arrays)
        self._dataset.put(saved.get("born", saved["dataset"]), arrays)
        owned = place.get("owned", {})
        self._source.counted = place["num_batches"]
        self._source.seed = place["base"]
        # An older rekindle did not save it.
        self._source.validations = int(place.get("validations", 0))
        self._births = int(place["earlier"])
        self.notes = data_moment.follow(self._source, place, is_new=False)
        self._source.renew(self._births)
        if place["live"]:
            self._script = data_moment.rehearsed(self._source, place)
            self._source.advance(int(place["steps"]))
            # The epochs before may have changed the data between two batches.
            self._dataset.put(saved["dataset"], arrays)
        elif batch:
            self._script = data_moment.rehearsed(self._source, place)
        if not place["live"] or self._source.settles:
            self._source.owned.put(owned)
        # Workers of a PyDataset draw as soon as the epoch begins. Data that draws ahead is on its
        # own way already.
        random_states.put(place["random"] if batch else now, self._source.draws)
        if not batch:
            self._source.continue_epochs()
            self._source.set_generators(place["loaders"])
        return not place["draws_ahead"]

    def begin_at(self, iterators: int, steps: int) -> None:
        """Goes to the beginning of an epoch of which only its number is known.

        Args:
            iterators: How many iterators were made before, if there is one for each epoch.
            steps: How many steps were given before, if there is one for all epochs.
        """
        self._births = iterators
        if self._source.is_live():
            self._births = 0
            self._source.advance(steps)
        else:
            self._source.renew(iterators)

    def began_at(self, epoch: int) -> None:
        """Says with which epoch the fit() began whose position :meth:`put` goes to."""
        self._source.began = epoch

    def begin_stage(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Begins after the end of an earlier fit() of the script: iterators are made anew.

        Args:
            saved: The saved position at the end of that fit().
            arrays: The arrays of the checkpoint.
        """
        now = random_states.take()
        place = tree.unflatten(saved["place"], arrays)
        self._dataset.put(saved["dataset"], arrays)
        self.notes = data_moment.follow(self._source, place, is_new=True)
        if not place["live"] or not self._source.made_early:
            # The fit() before has made the iterator that lived on, too.
            self._births = int(place["earlier"]) + bool(place["live"])
            if not self._source.is_used:
                self._source.renew(self._births)
        if place.get("supply") is None:
            # What a generator draws from is where its batches are: Keras has taken the first ones.
            self._source.owned.put(place.get("owned", {}))
        random_states.put(now)
        self._source.set_generators(place["loaders"])
        self._source.continue_epochs()

    def gave_the_same(self, saved: Any, arrays: Mapping[str, AnyArray]) -> bool:
        """Whether the batch read last is the batch that was read last before the checkpoint.

        Also ``True`` where rekindle cannot see the batch: on TensorFlow, batches stay in its graph.
        """
        expected = tree.unflatten(saved["place"], arrays)["batch"]
        found = self._source.digest(self._last_batch)
        return expected is None or found is None or expected == found

    def _steps_given(self) -> int:
        """How many steps the current iterator has given."""
        told = self._source.steps_given()
        return self._given if told is None else told
