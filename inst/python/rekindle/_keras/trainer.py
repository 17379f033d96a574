"""A `fit()` of Keras 3, as a :class:`rekindle._training.trainer.Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import keras

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks import table as frameworks
from rekindle._keras import (
    building,
    doubts,
    fingerprint,
    graph_draws,
    internals,
    keras_import,
    layer_states,
    rehearsal,
    variables,
)
from rekindle._keras.layer_states import LayerStates
from rekindle._keras.other_optimizers import OtherOptimizers
from rekindle._keras.sources.feed_of import feed_of
from rekindle._keras.validation_place import ValidationPlace
from rekindle._training import frames, keras_files
from rekindle._training.data_cursor import DataCursor
from rekindle._training.model_trainer import ModelTrainer
from rekindle._training.options import FitOptions
from rekindle._training.own_state import OwnState


class KerasTrainer(ModelTrainer):
    """One fit() of one model of Keras 3."""

    def __init__(
        self, model: Any, callbacks: list[Any], callback_list: Callable[[], Any], code: Any
    ) -> None:
        super().__init__(model, callbacks, callback_list, code, internals.find_fit())
        self._dispatched: dict[str, bool] = {}
        self._iterator = self.fit.get("epoch_iterator")
        self._validation = ValidationPlace(model, self.fit)
        can_place = internals.can_place(self._iterator)
        feed = feed_of(self._iterator, model.variables) if can_place else None
        self.data = None if feed is None else DataCursor(feed)
        self._of_data = [] if feed is None else feed.reached

    @property
    def continues_imports(self) -> bool:
        """Keras' own callback begins the epoch again."""
        return False

    def start_at(self, epoch: int | None) -> None:
        internals.set_initial_epoch(self._model, epoch)

    def step(self) -> int | None:
        iterations = getattr(getattr(self._model, "optimizer", None), "iterations", None)
        if iterations is None:
            return None
        keras_objects.sync_variables(self._model)
        return int(frameworks.to_numpy(iterations))

    def versions(self) -> dict[str, str]:
        return fingerprint.versions()

    def fingerprint(self) -> dict[str, Any]:
        settings = self._settings.as_fingerprint()
        return fingerprint.take(self._model, self.fit) | settings | self._adapted

    @cached_property
    def _adapted(self) -> dict[str, Any]:
        # Once: a vocabulary may be long, and training does not change it.
        return fingerprint.adapted(self._model)

    def build(self, manifest: Manifest) -> None:
        variables.build_saved(self._model, self._iterator, manifest)

    def trace(self) -> None:
        building.from_step(self._model, self._iterator)

    def unbuilt(self, manifest: Manifest) -> list[str]:
        return variables.unbuilt(self._model, manifest)

    def build_to_skip(self) -> None:
        # Keras asks the optimizer for its moving averages even if there is no epoch to run.
        if getattr(getattr(self._model, "optimizer", None), "use_ema", False):
            variables.build(self._model, self._iterator)

    def capture(self, *, metrics: bool) -> dict[str, AnyArray]:
        keras_objects.sync_variables(self._model)
        named = variables.named(self._model)
        return variables.values(named | variables.metrics(self._model) if metrics else named)

    def differences(self, manifest: Manifest) -> list[str]:
        return variables.differences(variables.named(self._model), manifest)

    def put(self, arrays: Mapping[str, AnyArray]) -> list[str]:
        named = variables.named(self._model)
        variables.assign(self._restorable(named), arrays)
        layer_states.finalize(self._model)
        return list(named)

    def put_again(self, arrays: Mapping[str, AnyArray]) -> None:
        keras_objects.sync_variables(self._model)
        named = variables.named(self._model) | variables.metrics(self._model)
        named = {name: variable for name, variable in named.items() if name in arrays}
        variables.assign(self._restorable(named), arrays)
        layer_states.finalize(self._model)
        internals.adopt_variables(self._model)

    def rehearsal(self, extra: Mapping[str, Any]) -> rehearsal.Rehearsal:
        return rehearsal.Rehearsal(self._model, extra)

    def own_states(self, extra: Mapping[str, Any]) -> dict[str, OwnState]:
        return super().own_states(extra) | {
            "layers": LayerStates(self._model),
            "optimizers": OtherOptimizers(self._model, extra),
            "validation": self._validation,
        }

    def validation_begins(self) -> None:
        """A validation is about to read its data."""
        self._validation.begins()

    def inexact(self) -> list[str]:
        """Keras 3 itself keeps its random states in variables. The user's code may not."""
        return self._doubts + graph_draws.unknown(self._model)

    @cached_property
    def _doubts(self) -> list[str]:
        # Once: a pipeline may have large functions.
        return doubts.of_fit(self.fit)

    def _steps_per_call(self) -> int:
        return int(self._model.steps_per_execution)

    def _batches_done(self, batch: int) -> int:
        return internals.batches_done(self._model, batch)

    def progress_bar(self, total: int) -> Any:
        return keras.utils.Progbar(total, unit_name="batch")

    def place_in_epoch(self) -> tuple[int, dict[str, Any]] | None:
        return internals.place_in_epoch(self._model)

    def answer_here(self) -> None:
        self._dispatched = frames.dispatch_here(self._callback_list())

    def answer_as_before(self) -> None:
        frames.dispatch_as_before(self._callback_list(), self._dispatched)

    def wait_for_hooks(self) -> None:
        internals.wait_for_hooks(self._callback_list())

    def _import_from(self, settings: FitOptions) -> dict[str, Any] | None:
        return keras_import.begin(settings, self._model, self.fit)

    def _settle(self, directory: str) -> None:
        keras_files.settle(directory)
