"""A `fit()` of Keras 2, as a :class:`rekindle._training.trainer.Trainer`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import tf_keras

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest, Position
from rekindle._frameworks import table as frameworks
from rekindle._tf_keras import (
    collectives,
    doubts,
    fingerprint,
    internals,
    strategies,
    tf_import,
    variables,
)
from rekindle._tf_keras.feed import Feed
from rekindle._tf_keras.rehearsal import Rehearsal, other_optimizers
from rekindle._tf_keras.stepping import CountedStep
from rekindle._training import stages
from rekindle._training.data_cursor import DataCursor
from rekindle._training.model_trainer import ModelTrainer
from rekindle._training.options import FitOptions
from rekindle._training.own_state import OwnState


class TfKerasTrainer(ModelTrainer):
    """One fit() of one model of Keras 2."""

    def __init__(
        self,
        model: Any,
        callbacks: list[Any],
        callback_list: Callable[[], Any],
        code: Any,
        worker_timeout: float,
    ) -> None:
        super().__init__(model, callbacks, callback_list, code, internals.find_fit())
        self.team = self._workers = workers = collectives.team_of(
            model.distribute_strategy, worker_timeout
        )
        # With parameter servers, other processes read the data and trace the step.
        is_remote = strategies.has_parameter_servers(model)
        self._flags: dict[str, Any] = {}
        self._extra: Mapping[str, Any] = {}
        # Optimizers that are not saved, once looked for: the walk through the model takes time.
        self._lost: list[str] | None = None
        self._handler = self.fit.get("data_handler")
        can_place = internals.can_place(self._handler) and not is_remote
        self._feed = Feed(self.fit) if can_place else None
        self.data: DataCursor | None = None if self._feed is None else DataCursor(self._feed)
        self._step: CountedStep | None = None
        if self.knows_fit and not is_remote:
            waiting = contextlib.nullcontext if workers is None else workers.waiting
            self._step = CountedStep(model, waiting)
        self._executed = self._steps_in_execution()

    def _steps_in_execution(self) -> int:
        steps = getattr(self._model, "_steps_per_execution", None)
        found = 1 if steps is None else int(steps.numpy())
        batches = None if self._feed is None else self._feed.batches
        return found if batches is None else min(found, batches)

    @property
    def continues_imports(self) -> bool:
        return self.can_replay and self.data is not None

    def start_at(self, epoch: int | None) -> None:
        internals.set_initial_epoch(self._model, epoch)

    def step(self) -> int | None:
        iterations = getattr(getattr(self._model, "optimizer", None), "iterations", None)
        return None if iterations is None else int(frameworks.to_numpy(iterations))

    def versions(self) -> dict[str, str]:
        return fingerprint.versions()

    def fingerprint(self) -> dict[str, Any]:
        # Not as it is now: fit() shortens the last execution of an epoch.
        executed = {"steps_per_execution": self._executed}
        settings = self._settings.as_fingerprint()
        return fingerprint.take(self._model, self.fit) | settings | executed

    def build(self, manifest: Manifest) -> None:
        if variables.missing(self._model, manifest):
            self.trace()

    def trace(self) -> None:
        if self._step is not None and self._handler is not None:
            self._step.trace(self._handler._dataset)

    def unbuilt(self, manifest: Manifest) -> list[str]:
        # A model that is built has variables, or the backup is of another model.
        return [] if self._model.built else variables.missing(self._model, manifest)

    def build_to_skip(self) -> None:
        # tf_keras asks the optimizer for its moving averages even if there is no epoch to run.
        optimizer = getattr(self._model, "optimizer", None)
        if getattr(optimizer, "use_ema", False) and not self._model.built:
            self.trace()

    def capture(self, *, metrics: bool) -> dict[str, AnyArray]:
        found = variables.named(self._model)
        return variables.values(found | variables.metrics(self._model) if metrics else found)

    def shared(self) -> set[str]:
        return variables.same_in_all_workers(self._model)

    def differences(self, manifest: Manifest) -> list[str]:
        return variables.differences(variables.named(self._model), manifest)

    def put(self, arrays: Mapping[str, AnyArray]) -> list[str]:
        found = variables.named(self._model)
        variables.assign(self._restorable(found), arrays)
        return list(found)

    def put_again(self, arrays: Mapping[str, AnyArray]) -> None:
        found = variables.named(self._model) | variables.metrics(self._model)
        found = {name: one for name, one in found.items() if name in arrays}
        variables.assign(self._restorable(found), arrays)

    def rehearsal(self, extra: Mapping[str, Any]) -> Rehearsal:
        return Rehearsal(self._model)

    def own_states(self, extra: Mapping[str, Any]) -> dict[str, OwnState]:
        """All else that a model of tf_keras saves has a path to a variable."""
        self._extra = extra
        return super().own_states(extra)

    def inexact(self) -> list[str]:
        if strategies.has_parameter_servers(self._model):
            return [doubts.ASYNCHRONOUS]
        if self._step is None:
            return []
        if self._lost is None:
            self._lost = other_optimizers(self._model, self._extra)
        lost = [f"the optimizer {name} is not saved, so it starts afresh" for name in self._lost]
        return self._step.inexact() + doubts.of_fit(self._model, self.fit) + lost

    def _steps_per_call(self) -> int:
        handler: Any = self._handler
        return int(handler.step_increment) + 1

    def _batches_done(self, batch: int) -> int:
        return batch + 1

    def progress_bar(self, total: int) -> Any:
        return tf_keras.utils.Progbar(total, unit_name="batch")

    def place_in_epoch(self) -> tuple[int, dict[str, Any]] | None:
        return internals.place_in_epoch()

    def validation_begins(self) -> None:
        """A validation is about to make its iterators."""
        if self._feed is not None:
            self._feed.validation_begins(getattr(self._model, "_eval_data_handler", None))

    def answer_here(self) -> None:
        self._flags = internals.call_batch_hooks(self._callback_list())

    def answer_as_before(self) -> None:
        internals.call_hooks_as_before(self._callback_list(), self._flags)

    def wait_for_hooks(self) -> None:
        """tf_keras calls all hooks on the training thread."""

    def _import_from(self, settings: FitOptions) -> dict[str, Any] | None:
        folder = settings.directory
        if not tf_import.present(folder):
            tf_import.refuse_keras_3(folder)
            return None
        # The backup may be of a model whose first step made the variables.
        self.trace()
        initial, batches = stages.initial_epoch(self.fit), None
        if self._feed is not None:
            batches = self._feed.batches
        place, notes = tf_import.load(folder, self._model, initial, batches)
        stages.refuse_ahead(folder, Position(place.trained, place.epoch, place.batch), self.fit)
        self.start_at(place.epoch)
        if self.data is not None:
            done = place.epoch - initial
            self.data.begin_at(done, done * (batches or 0))
        tf_import.announce(folder, place, notes)
        return {
            "number": None,
            "epoch": place.epoch,
            "batch": place.batch,
            "step": self.step(),
            "time": place.time,
            "exact": False,
            "notes": notes,
        }

    def _settle(self, directory: str) -> None:
        if self.team is None or self.team.index == 0:
            tf_import.settle(directory)

    def close(self) -> None:
        super().close()
        if self._step is not None:
            self._step.close()
        if self._workers is not None:
            self._workers.close()
