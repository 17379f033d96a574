"""The interface to the data of a `fit()`, and how the trainer reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from rekindle._base.arrays import AnyArray
from rekindle._training.owned import NOTHING, Owned


class DataListener(Protocol):
    """Receives reports of reads from the data.

    Attributes:
        looks_for_draws: Whether to report draws. Looking for them takes longer than a fast step.
    """

    @property
    def looks_for_draws(self) -> bool: ...

    def made(self) -> None:
        """An iterator is about to be made."""

    def first_read(self) -> None:
        """The iterator is about to be read for the first time."""

    def has_read(self, batch: Any, *, drew: bool) -> None:
        """The iterator gave a batch. `drew`: whether this changed the process' random states."""


class DatasetState(Protocol):
    """The state of the data beside its position: attributes that training changes.

    Attributes:
        lost: Attributes that are not restored: ``Class.attribute`` and the reason.
    """

    @property
    def lost(self) -> Mapping[str, str]: ...

    def take(self, place: str | None = None) -> Any:
        """Captures the changed attributes, with copies of the arrays; `place` names the arrays."""

    def flatten(self, taken: Any, arrays: dict[str, AnyArray]) -> Any:
        """Turns them into JSON values; the arrays go into `arrays`."""

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks the attributes that :meth:`put` would restore."""

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Restores the attributes."""


class DataSource(Protocol):
    """The data of one fit(), and how the trainer reads it.

    Attributes:
        batches: How many batches an epoch has, if that is known.
        most_batches: How many batches the trainer may count in an epoch, if that is known.
        counted: How many batches an epoch was found to have, once an epoch has ended. Setting it
            has no effect if the data itself gives the number.
        reads_ahead: Whether other threads read batches ahead of training.
        sees_reads: Whether the listener gets reports of reads.
        made_early: Whether the trainer makes the iterator of an epoch before `on_epoch_begin`, and
            reads it after all such hooks.
        draws: The random states of the process that reads draw from, ahead of training, while
            nothing else does: names as in `random_states.put`.
        is_elsewhere: Whether batches are read on another thread than that of the training.
        calls_unseen: Whether a pipeline of TensorFlow calls Python code ahead of training.
        lives_on: Whether one iterator serves many epochs.
        settles: Whether all state of the data stands where training stands when an epoch begins.
        owned: The random generators of the data, wherever the user's code keeps them.
        validations: How many validations have begun in this fit().
        began: The epoch with which the data's first iterator began.
        made_before: How many iterators earlier fit()s of this process have made of the same data.
        misses_passes: Whether the order also depends on how far earlier iterators were read, and
            :meth:`renew` leaves that out.
        is_used: Whether an earlier fit() of this process has read the same data.
        seed: The seed for data that has no seed of its own; ``None`` for other data.
    """

    seed: int | None
    counted: int | None
    validations: int
    began: int
    is_elsewhere: bool
    calls_unseen: bool
    owned: Owned

    @property
    def lives_on(self) -> bool: ...

    @property
    def settles(self) -> bool: ...

    @property
    def made_before(self) -> int: ...

    @property
    def misses_passes(self) -> bool: ...

    @property
    def is_used(self) -> bool: ...

    @property
    def made_early(self) -> bool: ...

    @property
    def draws(self) -> Collection[str]: ...

    @property
    def batches(self) -> int | None: ...

    @property
    def most_batches(self) -> int | None: ...

    @property
    def reads_ahead(self) -> bool: ...

    @property
    def sees_reads(self) -> bool: ...

    def attach(self, listener: DataListener) -> None:
        """Reports each iterator and each read to the listener, from now on."""

    def detach(self) -> None:
        """Reports nothing any more."""

    def is_live(self) -> bool:
        """Whether the last epoch's iterator continues in the next epoch."""

    def steps_given(self) -> int | None:
        """How many steps the current iterator has given; ``None`` if the listener sees them."""

    def wait(self) -> None:
        """Waits until an iterator can be made from the data."""

    def begin(self, number: int) -> None:
        """Gives this number to the next iterator."""

    def has_given(self, number: int) -> None:
        """The current iterator gave its batch of this number, counted from 1."""

    def supply(self) -> list[int] | None:
        """How many batches of data that comes once were taken before this fit(), and so far."""

    def go_to(self, position: int) -> bool:
        """Makes this fit() begin after so many batches of data that comes once.

        Returns:
            Whether the data is there.
        """

    def renew(self, times: int) -> None:
        """Makes so many iterators, if the data's order depends on how many were made."""

    def advance(self, steps: int) -> None:
        """Makes the iterator that continues across epochs, and reads so many steps of it."""

    def continue_epochs(self) -> None:
        """Does what the trainer does between a checkpoint at an epoch's end and the next epoch."""

    def is_alone(self, on: bool) -> None:
        """Between a call with true and one with false, only the data draws random numbers."""

    def digest(self, batch: Any) -> str | None:
        """A digest of a batch; ``None`` if there is none."""

    def generators(self) -> list[AnyArray]:
        """The states of the data's own random generators."""

    def set_generators(self, states: list[AnyArray]) -> None:
        """Restores such states."""

    def dataset_state(self) -> DatasetState:
        """The data's own attributes, compared with their values now."""


class WithoutOwn:
    """The answers for data that has no generators and starts afresh in each fit()."""

    calls_unseen = False
    made_before = 0
    misses_passes = False
    owned = NOTHING

    def has_given(self, number: int) -> None:
        """Nothing is counted."""

    def supply(self) -> list[int] | None:
        return None

    def go_to(self, position: int) -> bool:
        return True
