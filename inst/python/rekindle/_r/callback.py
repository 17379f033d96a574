"""One callback for `fit()` of R's keras3 and of R's keras, which is Keras 2.

An R script makes the callback before Python knows which of the two packages it is for. R's classes
do not tell: both packages give their models the same names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rekindle import keras
from rekindle._frameworks.loaded import loaded

if TYPE_CHECKING:
    from rekindle import tf_keras


class BackupAndRestore(keras.BackupAndRestore):
    """The callback of Keras 3; for a model of Keras 2, that of `rekindle.tf_keras` takes its place.

    Args:
        **arguments: The arguments of both callbacks, by name.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._arguments = arguments
        self._of_keras_2: tf_keras.BackupAndRestore | None = None

    @property
    def resume_report(self) -> dict[str, Any] | None:
        return super().resume_report if self._of_keras_2 is None else self._of_keras_2.resume_report

    @property
    def save_report(self) -> dict[str, Any] | None:
        return super().save_report if self._of_keras_2 is None else self._of_keras_2.save_report

    def set_model(self, model: Any) -> None:
        library = loaded("tf_keras")
        if library is None or not isinstance(model, library.Model):
            self._of_keras_2 = None
            super().set_model(model)
            return
        from rekindle import tf_keras
        from rekindle._tf_keras import internals

        other = tf_keras.BackupAndRestore(**self._arguments)
        found, _ = internals.find_callback_list()
        # This runs in a loop over the same list, and before the list looks at its callbacks.
        places = [] if found is None else found.callbacks
        places[:] = [other if callback is self else callback for callback in places]
        other.set_model(model)
        self._of_keras_2 = other

    def _tell(self, hook: str, *args: Any) -> None:
        # A loop of the user's own calls the hooks of this object.
        if self._of_keras_2 is None:
            super()._tell(hook, *args)
        else:
            getattr(self._of_keras_2, hook)(*args)

    def on_train_begin(self, logs: Any = None) -> None:
        if self._of_keras_2 is None:
            super().on_train_begin(logs)
        else:
            self._tell("on_train_begin", logs)
