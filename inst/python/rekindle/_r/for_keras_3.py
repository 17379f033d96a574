"""The callback that R makes where Keras 3 is probably meant."""

from __future__ import annotations

from typing import Any

from rekindle import keras
from rekindle._r.either_keras import Either, is_of_keras_2


class BackupAndRestore(Either, keras.BackupAndRestore):
    """The callback of Keras 3. For a model of Keras 2, that of `rekindle.tf_keras` replaces it.

    Args:
        **arguments: The arguments of both callbacks, by name.
    """

    def _is_for(self, model: Any) -> bool:
        return not is_of_keras_2(model)

    def _make_other(self) -> tuple[Any, type]:
        from rekindle import tf_keras
        from rekindle._tf_keras import internals

        return tf_keras.BackupAndRestore(**self._arguments), internals.CALLBACK_LIST
