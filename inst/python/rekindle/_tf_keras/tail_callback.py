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

    def _find_list(self) -> tuple[Any, CodeType | None]:
        return internals.find_callback_list()

    def _trainer(
        self, callbacks: list[Any], listed: Callable[[], Any], code: Any
    ) -> TfKerasTrainer:
        timeout = self._settings.worker_timeout
        return TfKerasTrainer(self.model, callbacks, listed, code, timeout)

    def _batches_done(self, batch: int) -> int:
        return batch + 1

    def _plain_logs(self, logs: Any) -> Any:
        return internals.plain_logs(logs)
