"""The callback that R makes where Keras 2 is probably meant. It does not import Keras 3."""

from __future__ import annotations

from typing import Any

from rekindle import tf_keras
from rekindle._r.either_keras import Either, is_of_keras_2


class BackupAndRestore(Either, tf_keras.BackupAndRestore):
    """The callback of Keras 2. For a model of Keras 3, that of `rekindle.keras` replaces it.

    Args:
        **arguments: The arguments of both callbacks, by name.
    """

    def _is_for(self, model: Any) -> bool:
        return is_of_keras_2(model)

    def _make_other(self) -> tuple[Any, type]:
        from rekindle import keras
        from rekindle._keras import internals

        return keras.BackupAndRestore(**self._arguments), internals.CALLBACK_LIST
