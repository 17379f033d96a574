"""A `fit()` of Synalinks, as a :class:`rekindle._training.trainer.Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import synalinks

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._synalinks import doubts, fingerprint, internals, metrics, theirs, variables
from rekindle._synalinks.counters import Counters
from rekindle._synalinks.plain_attributes import PlainAttributes
from rekindle._synalinks.rehearsal import Rehearsal
from rekindle._synalinks.skipping import Skipping
from rekindle._synalinks.source import Source
from rekindle._synalinks.variables import Variables
from rekindle._training import frames
from rekindle._training.data_cursor import DataCursor
from rekindle._training.model_trainer import ModelTrainer
from rekindle._training.options import FitOptions
from rekindle._training.own_state import OwnState


class SynalinksTrainer(ModelTrainer):
    """One fit() of one program of Synalinks.

    A program has no arrays: all of its state is the trainer's own state, and that is JSON.
    """

    def __init__(
        self, program: Any, callbacks: list[Any], callback_list: Callable[[], Any], code: Any
    ) -> None:
        fit = internals.find_fit()
        internals.refuse_unknown(program, fit)
        super().__init__(program, callbacks, callback_list, code, fit)
        self._task = internals.current_task()
        self._dispatched: dict[str, bool] = {}
        self.data: DataCursor | None = None
        if self.knows_fit:
            self.data = DataCursor(Source(fit["epoch_iterator"], fit["x"]))

    @property
    def continues_imports(self) -> bool:
        """Synalinks' own callback begins the epoch again."""
        return False

    @property
    def _optimizer(self) -> Any:
        return self._model.optimizer

    def is_training(self) -> bool:
        return internals.is_running(self._callback_list(), self._code, self._task())

    def start_at(self, epoch: int | None) -> None:
        self._model._initial_epoch = epoch

    def step(self) -> int | None:
        return None if self._optimizer is None else int(self._optimizer.iterations)

    def versions(self) -> dict[str, str]:
        return fingerprint.versions()

    def fingerprint(self) -> dict[str, Any]:
        return fingerprint.take(self._model, self.fit)

    def build(self, manifest: Manifest) -> None:
        """Each part of the own state builds what it needs."""

    def trace(self) -> None:
        """No object beside the program has variables that a step makes."""

    def unbuilt(self, manifest: Manifest) -> list[str]:
        return []

    def build_to_skip(self) -> None:
        """Keeps the optimizer from choosing among candidates, as there are none."""
        self._at_the_optimizer("on_train_begin", _nothing)
        self._at_the_optimizer("on_train_end", _nothing)

    def capture(self, *, metrics: bool) -> dict[str, AnyArray]:
        return {}

    def differences(self, manifest: Manifest) -> list[str]:
        return []

    def put(self, arrays: Mapping[str, AnyArray]) -> list[str]:
        return []

    def put_again(self, arrays: Mapping[str, AnyArray]) -> None:
        """The own state is restored again by itself."""

    def put_before_epochs(self, put: Callable[[], None], is_new: bool) -> None:
        """The optimizer empties its population when training begins: `put` fills it again."""
        optimizer = self._optimizer

        async def begin_and_put(*args: Any) -> None:
            self._leave_the_optimizer()
            if is_new:
                # The checkpoint is older than the end of that fit().
                put()
                await optimizer.on_train_end(*args)
            await optimizer.on_train_begin(*args)
            if not is_new:
                put()

        self._at_the_optimizer("on_train_begin", begin_and_put)

    def _at_the_optimizer(self, hook: str, function: Callable[..., Any]) -> None:
        if self._optimizer is not None:
            # An optimizer tracks the attributes that are set in the usual way.
            vars(self._optimizer)[hook] = function

    def _leave_the_optimizer(self) -> None:
        for hook in ("on_train_begin", "on_train_end") if self._optimizer is not None else ():
            vars(self._optimizer).pop(hook, None)

    def rehearsal(self, extra: Mapping[str, Any]) -> Rehearsal:
        return Rehearsal(self._model)

    def own_states(self, extra: Mapping[str, Any]) -> dict[str, OwnState]:
        program, optimizer = self._model, self._optimizer
        parts = super().own_states(extra) | {
            "variables": Variables(
                "variables", "program", lambda: variables.of_program(program), lambda: None
            ),
            "metrics": Variables(
                "metrics",
                "metrics",
                lambda: variables.of_metrics(program),
                lambda: metrics.build(program, self.fit),
                must_fit=False,
            ),
        }
        if optimizer is not None:
            parts["optimizer"] = Variables(
                "optimizer",
                "optimizer",
                lambda: variables.of_optimizer(optimizer),
                self.build_optimizer,
            )
        return parts | {
            "attributes": PlainAttributes(program),
            "counters": Counters(program, self._callbacks),
            "baselines": metrics.Baselines(program, self.fit),
        }

    def build_optimizer(self) -> None:
        """Makes the programs with which the optimizer proposes candidates."""
        if not self._optimizer.built:
            variables = self._model.trainable_variables
            internals.run_to_the_end(self._optimizer.build(variables))

    def inexact(self) -> list[str]:
        return doubts.of_fit(self.fit)

    def replay(
        self,
        batches: int,
        logs: dict[str, Any],
        show: Callable[[int, int], None],
        done: Callable[[], None],
        look: Callable[[], None],
    ) -> Any:
        return Skipping(self._model, self.fit["epoch_iterator"], batches, logs, show, done, look)

    def _batches_done(self, batch: int) -> int:
        return internals.batches_done(self._model, batch)

    def progress_bar(self, total: int) -> Any:
        return synalinks.utils.Progbar(total, unit_name="batch")

    def place_in_epoch(self) -> tuple[int, dict[str, Any]] | None:
        return internals.place_in_epoch(self._model)

    def validation_begins(self) -> None:
        """Validation data is read from its beginning each time."""

    def answer_here(self) -> None:
        self._dispatched = frames.dispatch_here(self._callback_list())

    def answer_as_before(self) -> None:
        frames.dispatch_as_before(self._callback_list(), self._dispatched)

    def wait_for_hooks(self) -> None:
        internals.wait_for_hooks(self._callback_list())

    def _import_from(self, settings: FitOptions) -> Mapping[str, Any] | None:
        return theirs.begin(settings.directory, self)

    def _settle(self, directory: str) -> None:
        theirs.settle(directory)

    def close(self) -> None:
        super().close()
        self._leave_the_optimizer()


async def _nothing(*args: Any) -> None:
    """Takes the place of a hook of the optimizer."""
