"""The interface to a `fit()` of any library: a trainer and its data.

An adapter of a library (for Keras 3, :mod:`rekindle._keras`) gives a :class:`Trainer` to
:class:`rekindle._training.fit.Fit`. It calls this `Fit` at the hooks of its library's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._training.options import FitOptions


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

    def take(self) -> Any:
        """Captures the changed attributes, with copies of the arrays."""

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
        seed: The seed for data that has no seed of its own; ``None`` for other data.
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

    def renew(self, times: int) -> None:
        """Makes so many iterators, if the data's order depends on how many were made."""

    def advance(self, steps: int) -> None:
        """Makes the iterator that continues across epochs, and reads so many steps of it."""

    def digest(self, batch: Any) -> str | None:
        """A digest of a batch; ``None`` if there is none."""

    def generators(self) -> list[AnyArray]:
        """The states of the data's own random generators."""

    def set_generators(self, states: list[AnyArray]) -> None:
        """Restores such states."""

    def dataset_state(self) -> DatasetState:
        """The data's own attributes, compared with their values now."""


class Rehearsal(Protocol):
    """Finds, when a checkpoint is taken, state that a resumed run could not restore."""

    def step_ended(self) -> None:
        """At least one step has been trained."""

    def unknown(self) -> list[str]:
        """Names of variables that a fresh start would not have; each is given once."""

    def other_optimizers(self) -> list[str]:
        """Names of optimizers that are not saved; each is given once."""


class Replay(Protocol):
    """Reads the batches that were trained before the checkpoint, without training on them."""

    def start(self) -> None:
        """Called before the first of them."""

    def stop(self) -> None:
        """Makes the trainer train again. Safe to call again."""


class Trainer(Protocol):
    """One fit() of one library.

    Attributes:
        fit: The arguments of the fit() by name, as far as they are known; `epochs` and
            `initial_epoch` are among them.
        knows_fit: Whether a fit() was found; false in a custom training loop.
        can_replay: Whether batches can be read without training on them.
        data: The data; ``None`` if a position in it cannot be known.
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
        """Whether the fit() is still running."""

    def start_at(self, epoch: int | None) -> None:
        """Sets the fit()'s first epoch, counted from 0; ``None``: as the script has it."""

    def step(self) -> int | None:
        """How many steps the optimizer has made in all, if that is known."""

    def versions(self) -> dict[str, str]:
        """The versions of software that may compute other bits in another version."""

    def fingerprint(self) -> dict[str, Any]:
        """The settings that define a training step, as plain values."""

    def build(self, manifest: Manifest) -> None:
        """Makes the saved variables that the model does not have yet."""

    def trace(self) -> None:
        """Makes the variables that a first step would make in objects beside the model."""

    def unbuilt(self, manifest: Manifest) -> list[str]:
        """Names of saved variables that still do not exist."""

    def build_to_skip(self) -> None:
        """Makes the variables that the trainer needs even if no epoch is left to run."""

    def capture(self, *, metrics: bool) -> dict[str, AnyArray]:
        """Weights and optimizer by name, and metrics. They may share memory with the model.

        The names begin with ``model/``, ``optimizer/`` and ``metrics/``.
        """

    def differences(self, manifest: Manifest) -> list[str]:
        """A line for each difference between the saved weights and the model's weights."""

    def put(self, arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores weights and optimizer. Returns the names of the arrays that were used."""

    def put_again(self, arrays: Mapping[str, AnyArray]) -> None:
        """Restores weights, optimizer and metrics in the middle of an epoch."""

    def rehearsal(self, extra: Mapping[str, Any]) -> Rehearsal:
        """Watches, from now on, for state that a resumed run could not restore."""

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
        """The replay that reads the first batches of an epoch.

        Args:
            batches: How many batches, at least 1.
            logs: The logs of the last of them.
            show: Shows the progress: how many batches are read, and of how many.
            done: Called after the last batch, before anything else runs.
            look: Called after each batch. It may raise an exception that ends training.
        """

    def progress_bar(self, total: int) -> Any:
        """A progress bar with ``update(done, finalize=)``."""

    def place_in_epoch(self) -> tuple[int, dict[str, Any]] | None:
        """How many batches of the epoch are trained, and the last batch's logs, if known."""

    def answer_here(self) -> None:
        """Makes hooks run on the training thread. For a signal handler: only sets attributes."""

    def answer_as_before(self) -> None:
        """Undoes :meth:`answer_here`."""

    def wait_for_hooks(self) -> None:
        """Waits for hooks that still run beside the training thread."""

    def import_backup(self, settings: FitOptions) -> Mapping[str, Any] | None:
        """Resumes from a backup that the library's own callback left in the folder.

        Returns:
            The callback's `resume_report`; ``None`` if there is no such backup.
        """

    def settle_import(self, directory: str) -> None:
        """Notes that the run is complete: rekindle has finished with the library's backup."""
