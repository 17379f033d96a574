"""The last callback of the list, for Synalinks."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

import synalinks

from rekindle._synalinks import internals, theirs
from rekindle._synalinks.trainer import SynalinksTrainer
from rekindle._training.tail import Tail


class TailCallback(Tail, synalinks.callbacks.Callback):  # type: ignore[misc]  # No type hints.
    """Does the work of a backup callback of Synalinks."""

    HISTORY = synalinks.callbacks.History
    FOREIGN_NAMES = theirs.NAMES

    # Other libraries call the program a model.
    def set_model(self, model: Any) -> None:
        self.model = model
        self.set_program(model)

    def _find_list(self) -> tuple[Any, CodeType | None]:
        return internals.find_callback_list()

    def _trainer(
        self, callbacks: list[Any], listed: Callable[[], Any], code: Any
    ) -> SynalinksTrainer:
        return SynalinksTrainer(self.model, callbacks, listed, code)

    def _batches_done(self, batch: int) -> int:
        return internals.batches_done(self.model, batch)
