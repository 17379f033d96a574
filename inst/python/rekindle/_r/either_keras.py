"""One callback for `fit()` of R's keras3, of R's keras (which is Keras 2), and of Synalinks.

An R script makes the callback before Python knows which of them it is for. R's classes do not tell:
both packages of Keras give their models the same names, and a program of Synalinks comes by
reticulate. So the callback is made for the library that is probably meant, and knows how to make
the others. No library is imported for that.
"""

from __future__ import annotations

from typing import Any

from rekindle._frameworks.loaded import loaded
from rekindle._training import frames
from rekindle._training.backup_hooks import BackupHooks


class Either(BackupHooks):
    """A part of a callback for one Keras: another takes its place if it is for another library.

    A class derives from this class, and then from the callback of its library.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._arguments = arguments
        self._other: BackupHooks | None = None

    def _is_for(self, model: Any) -> bool:
        """Whether this library makes such models."""
        raise NotImplementedError

    def _make_other(self) -> tuple[Any, type]:
        """The callback of the other library, and that library's class of lists of callbacks."""
        raise NotImplementedError

    @property
    def resume_report(self) -> dict[str, Any] | None:
        return super().resume_report if self._other is None else self._other.resume_report

    @property
    def save_report(self) -> dict[str, Any] | None:
        return super().save_report if self._other is None else self._other.save_report

    def set_model(self, model: Any) -> None:
        if self._is_for(model):
            self._other = None
            super().set_model(model)  # type: ignore[misc]  # Of the library's class.
            return
        other, kind = self._make_other()
        self._give_place_to(other, kind)
        other.set_model(model)

    def set_program(self, program: Any) -> None:
        """Only a list of callbacks of Synalinks calls this."""
        from rekindle import synalinks
        from rekindle._synalinks import internals

        other = synalinks.BackupAndRestore(**self._arguments)
        self._give_place_to(other, internals.CALLBACK_LIST)
        other.set_program(program)

    def _give_place_to(self, other: Any, kind: type) -> None:
        found, _ = frames.find_callback_list(kind)
        # This runs in a loop over the same list, and before the list looks at its callbacks.
        places = [] if found is None else found.callbacks
        places[:] = [other if callback is self else callback for callback in places]
        self._other = other

    def on_train_begin(self, logs: Any = None) -> None:
        if self._other is None:
            super().on_train_begin(logs)
        else:
            self._tell("on_train_begin", logs)

    def _tell(self, hook: str, *args: Any) -> None:
        # A loop of the user's own calls the hooks of this object.
        if self._other is None:
            super()._tell(hook, *args)
        else:
            getattr(self._other, hook)(*args)


def is_of_keras_2(model: Any) -> bool:
    """Whether it is a model of tf_keras."""
    library = loaded("tf_keras")
    return library is not None and isinstance(model, library.Model)
