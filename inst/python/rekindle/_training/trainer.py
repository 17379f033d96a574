"""The interface to a `fit()` of any library: its trainer.

An adapter of a library (for Keras 3, :mod:`rekindle._keras`) gives a :class:`Trainer` to
:class:`rekindle._training.fit.Fit`. It calls this `Fit` at the hooks of its library's loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._training.data_cursor import DataCursor
from rekindle._training.options import FitOptions
from rekindle._training.own_state import OwnState
from rekindle._training.team import Team


class Rehearsal(Protocol):
    """Finds, when a checkpoint is taken, state that a resumed run could not restore."""

    def step_ended(self) -> None:
        """At least one step has been trained."""

    def unknown(self) -> list[str]:
        """Names of variables that a fresh start would not have; each is given once."""

    def other_optimizers(self) -> list[str]:
        """Names of optimizers that a resumed run could not build again; each is given once."""


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
        data: The position in the data; ``None`` if it cannot be known.
        team: The workers that train the model together; ``None`` if this process trains alone.
        history: The epochs of this call, with `epoch`, `history` and `params` as Keras has them.
        stop_training: Whether training stops after this epoch.
        continues_imports: Whether a backup of the library's own callback is continued in the middle
            of an epoch, and not at the epoch's start.
    """

    stop_training: bool

    @property
    def continues_imports(self) -> bool: ...

    @property
    def fit(self) -> Mapping[str, Any]: ...

    @property
    def knows_fit(self) -> bool: ...

    @property
    def can_replay(self) -> bool: ...

    @property
    def data(self) -> DataCursor | None: ...

    @property
    def team(self) -> Team | None: ...

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

    def shared(self) -> Collection[str]:
        """Names of captured arrays that are the same in each worker; for a team only."""

    def differences(self, manifest: Manifest) -> list[str]:
        """A line for each difference between the saved weights and the model's weights."""

    def put(self, arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores weights and optimizer. Returns the names of the arrays that were used."""

    def put_again(self, arrays: Mapping[str, AnyArray]) -> None:
        """Restores weights, optimizer and metrics in the middle of an epoch."""

    def keep_learning_rate(self) -> None:
        """Makes :meth:`put` and :meth:`put_again` leave the script's learning rate as it is."""

    def put_before_epochs(self, put: Callable[[], None], is_new: bool) -> None:
        """Calls `put` once before the first epoch, if the fit() still changes restored state.

        Args:
            put: Restores everything but the arrays.
            is_new: Whether the checkpoint is the end of an earlier fit() of the script.
        """

    def rehearsal(self, extra: Mapping[str, Any]) -> Rehearsal:
        """Watches, from now on, for state that a resumed run could not restore."""

    def own_states(self, extra: Mapping[str, Any]) -> Mapping[str, OwnState]:
        """The trainer's own state, from now on: each part by its name in a checkpoint.

        Args:
            extra: The user's own objects, by name. They are saved by themselves.
        """

    def inexact(self) -> list[str]:
        """What a resumed run may not repeat, in sentences; known after the first step."""

    def validation_begins(self) -> None:
        """A validation is about to read its data."""

    def watch(
        self, step_ended: Callable[[int, Any], None], epoch_ends: Callable[[int, Any], None]
    ) -> Callable[[], None]:
        """Reports each trained step and each end of an epoch, from now on, on this thread.

        Returns:
            Ends the reports. Safe to call again.

        Args:
            step_ended: Called with how many batches of the epoch are done, and the step's results
                by name, which a device may still compute.
            epoch_ends: Called with the epoch, counted from 0, and its metrics, before any callback
                changes them.
        """

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

    def close(self) -> None:
        """Takes back all that the trainer has put on the model. Safe to call again."""
