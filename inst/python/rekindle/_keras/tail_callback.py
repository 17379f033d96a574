"""The last callback of the list, for Keras 3."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

import keras

from rekindle._keras import internals
from rekindle._keras.trainer import KerasTrainer
from rekindle._training import keras_files
from rekindle._training.tail import Tail


class TailCallback(Tail, keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no type hints.
    """Does the work of a backup callback of Keras 3: see :class:`rekindle._training.tail.Tail`."""

    HISTORY = keras.callbacks.History
    FOREIGN_NAMES = keras_files.NAMES

    def _find_list(self) -> tuple[Any, CodeType | None]:
        return internals.find_callback_list()

    def _trainer(self, callbacks: list[Any], listed: Callable[[], Any], code: Any) -> KerasTrainer:
        return KerasTrainer(self.model, callbacks, listed, code)

    def _batches_done(self, batch: int) -> int:
        return internals.batches_done(self.model, batch)
