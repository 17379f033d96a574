"""The last callback of the list, for tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

import tf_keras

from rekindle._tf_keras import internals, tf_import
from rekindle._tf_keras.trainer import TfKerasTrainer
from rekindle._training.tail import Tail


class TailCallback(Tail, tf_keras.callbacks.Callback):  # type: ignore[misc]  # It has no type hints.
    """Does the work of a backup callback of tf_keras."""

    HISTORY = tf_keras.callbacks.History
    FOREIGN_NAMES = (tf_import.FOLDER,)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Logs may stay tensors until a checkpoint needs them.
        self._supports_tf_logs = True
        self._fit_trainer: TfKerasTrainer | None = None

    def _find_list(self) -> tuple[Any, CodeType | None]:
        return internals.find_callback_list()

    def _trainer(
        self, callbacks: list[Any], listed: Callable[[], Any], code: Any
    ) -> TfKerasTrainer:
        self._fit_trainer = TfKerasTrainer(self.model, callbacks, listed, code)
        return self._fit_trainer

    def _batches_done(self, batch: int) -> int:
        return batch + 1

    def on_test_begin(self, logs: Any = None) -> None:
        super().on_test_begin(logs)
        # After the snapshot that is taken there: a run that resumes from it validates again.
        if self._fit_trainer is not None:
            self._fit_trainer.validation_begins()

    def close(self) -> None:
        super().close()
        # It holds the data of the fit().
        self._fit_trainer = None

    def _plain_logs(self, logs: Any) -> Any:
        return internals.plain_logs(logs)
