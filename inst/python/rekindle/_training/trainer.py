"""What a `fit()` of any library is to the rest of this package: a trainer and its data.

An adapter of a library (for Keras 3, :mod:`rekindle._keras`) gives a :class:`Trainer` to
:class:`rekindle._training.fit.Fit` and calls that at the hooks of its library's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._training.options import FitOptions


class DataListener(Protocol):
    """Who is told of what is read of the data.

    Attributes:
        looks_for_draws: Whether it wants to know of draws; looking takes longer than a fast step.
    """

    @property
    def looks_for_draws(self) -> bool: ...

    def made(self) -> None:
        """An iterator is about to be made."""

    def first_read(self) -> None:
        """It is about to be read for the first time."""

    def has_read(self, batch: Any, *, drew: bool) -> None:
        """It gave a batch; `drew` tells whether that changed the process' random states."""


class DatasetState(Protocol):
    """What the data keeps beside its place: attributes that training changes.

    Attributes:
        lost: ``Class.attribute`` of what does not come back, each with the reason.
    """

    @property
    def lost(self) -> Mapping[str, str]: ...

    def take(self) -> Any:
        """What has changed, with copies of the arrays."""

    def flatten(self, taken: Any, arrays: dict[str, AnyArray]) -> Any:
        """As JSON values; the arrays go into `arrays`."""

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks what :meth:`put` would put back."""

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Puts the attributes back."""


class DataSource(Protocol):
    """The data of one fit(), and how the trainer reads it.

    Attributes:
        batches: How many batches an epoch has, where that is known.
        most_batches: How many the trainer may count in one, where that is known.
        counted: How many an epoch was found to have, once one has ended. Setting it has no effect
            where the data says so itself.
        reads_ahead: Whether batches are read ahead of training, on other threads.
        sees_reads: Whether the listener is told of reads.
        seed: The seed that is drawn from where the data has none; ``None`` for other data.
    """

    seed: int | None
    counted: int | None

    @property
    def batches(self) -> int | None: ...

    @property
    def most_batches(self) -> int | None: ...

    @property
    def reads_ahead(self) -> bool: ...

    @property
    def sees_reads(self) -> bool: ...

    def attach(self, listener: DataListener) -> None:
        """Tells the listener of each iterator and each read, from now on."""

    def detach(self) -> None:
        """Tells nobody any more."""

    def is_live(self) -> bool:
        """Whether the last epoch's iterator goes on in the next."""

    def steps_given(self) -> int | None:
        """How many steps the current iterator has given; ``None`` where the listener sees them."""

    def wait(self) -> None:
        """Waits until the data is ready for an iterator to be made."""

    def begin(self, number: int) -> None:
        """The next iterator is the one of this number."""

    def renew(self, times: int) -> None:
        """Makes so many iterators of data whose order depends on how many were made."""

    def advance(self, steps: int) -> None:
        """Makes the iterator that goes on beyond epochs, and reads so many steps of it."""

    def digest(self, batch: Any) -> str | None:
        """A digest of a batch; ``None`` when there is none."""

    def generators(self) -> list[AnyArray]:
        """The states of the data's own random generators."""

    def set_generators(self, states: list[AnyArray]) -> None:
        """Puts such states back."""

    def dataset_state(self) -> DatasetState:
        """The data's own attributes, compared with what they are now."""


class Rehearsal(Protocol):
    """Finds at a save what a resumed run could not have."""

    def step_ended(self) -> None:
        """A step or more has been trained."""

    def unknown(self) -> list[str]:
        """Names of variables that a fresh start would not have; each is told once."""

    def other_optimizers(self) -> list[str]:
        """Names of optimizers that are not saved; each is told once."""


class Replay(Protocol):
    """The reading of batches that were trained before the save, without training on them."""

    def start(self) -> None:
        """Before the first of them."""

    def stop(self) -> None:
        """The trainer trains again. Safe to call again."""


class Trainer(Protocol):
    """One fit() of one library.

    Attributes:
        fit: What it was asked for, by the names of its arguments, as far as that is known:
            `epochs` and `initial_epoch` among it.
        knows_fit: Whether a fit() was found, and not a loop of one's own.
        can_replay: Whether batches can be read without being trained on.
        data: The data; ``None`` when a place in it cannot be known.
        history: The epochs of this call, with `epoch`, `history` and `params` as Keras has them.
        stop_training: Whether training stops after this epoch.
    """

    stop_training: bool

    @property
    def fit(self) -> Mapping[str, Any]: ...

    @property
    def knows_fit(self) -> bool: ...

    @property
    def can_replay(self) -> bool: ...

    @property
    def data(self) -> DataSource | None: ...

    @property
    def history(self) -> Any: ...

    def callbacks(self) -> list[Any]:
        """The other callbacks, in their order."""

    def is_training(self) -> bool:
        """Whether the fit() is still going on."""

    def start_at(self, epoch: int | None) -> None:
        """The fit() begins with this epoch, counted from 0; ``None``: as the script has it."""

    def step(self) -> int | None:
        """How many steps the optimizer has made in all, where that is known."""

    def versions(self) -> dict[str, str]:
        """Of what may compute other bits in another version."""

    def fingerprint(self) -> dict[str, Any]:
        """What decides what a training step is, as plain values."""

    def build(self, manifest: Manifest) -> None:
        """Gives the model what was saved of it and does not exist yet."""

    def trace(self) -> None:
        """Gives objects beside the model what a first step would give them."""

    def unbuilt(self, manifest: Manifest) -> list[str]:
        """Names of what was saved and does still not exist."""

    def build_to_skip(self) -> None:
        """Gives the model what the trainer asks it for even when no epoch is left to run."""

    def capture(self, *, metrics: bool) -> dict[str, AnyArray]:
        """Weights and optimizer by name, and metrics. They may share memory with the model.

        The names begin with ``model/``, ``optimizer/`` and ``metrics/``.
        """

    def differences(self, manifest: Manifest) -> list[str]:
        """How the saved weights differ from the model's: a line for each."""

    def put(self, arrays: Mapping[str, AnyArray]) -> list[str]:
        """Puts weights and optimizer back: the names of what was used."""

    def put_again(self, arrays: Mapping[str, AnyArray]) -> None:
        """Puts weights, optimizer and metrics back in the midst of an epoch."""

    def rehearsal(self, extra: Mapping[str, Any]) -> Rehearsal:
        """Watches, from now on, for what a resumed run could not have."""

    def other_optimizers(self, extra: Mapping[str, Any]) -> list[str]:
        """Names of the optimizers that are neither the model's own nor in `extra`."""

    def replay(
        self,
        batches: int,
        logs: dict[str, Any],
        show: Callable[[int, int], None],
        done: Callable[[], None],
        look: Callable[[], None],
    ) -> Replay:
        """What reads the first batches of an epoch.

        Args:
            batches: How many, at least 1.
            logs: What the last of them reported.
            show: Shows the progress: how many batches are read, and of how many.
            done: Called after the last of them, before anything else runs.
            look: Called after each; may raise what ends training.
        """

    def progress_bar(self, total: int) -> Any:
        """A bar with ``update(done, finalize=)``."""

    def place_in_epoch(self) -> tuple[int, dict[str, Any]] | None:
        """How many batches of the epoch are trained, and what the last reported, if known."""

    def answer_here(self) -> None:
        """Has hooks called on the training thread. Called in a handler: sets attributes alone."""

    def answer_as_before(self) -> None:
        """Takes that back."""

    def wait_for_hooks(self) -> None:
        """Waits for hooks that still run behind the training thread."""

    def import_backup(self, settings: FitOptions) -> Mapping[str, Any] | None:
        """Resumes from what the library's own callback left in the folder: what it was.

        Returns:
            The callback's `resume_report`; ``None`` where there is nothing.
        """

    def settle_import(self, directory: str) -> None:
        """The run is complete: the library's own backup in the folder is done with."""
