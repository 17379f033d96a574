"""Settings of layers that the script gives, and a callback may change in the middle of training."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

from rekindle._frameworks import keras as keras_objects
from rekindle._keras import own_attributes

_REASON = (
    "was changed during training, and no checkpoint holds it. A resumed run begins with the value"
    " that the script sets."
)
_COMPILED_AGAIN = (
    "was called during training. A resumed run begins with the optimizer, the loss and the metrics"
    " that the script sets before fit()."
)


class GivenSettings:
    """The settings of a model and of its layers when a fit() begins.

    Layers of the user's own classes are left out, but for `trainable`: their attributes are state.

    Args:
        model: The compiled model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._compiled = _compiled(model)
        self._before = list(_settings(model))

    def changed(self) -> dict[str, str]:
        """The settings that have changed since then: ``Class.setting``, and the reason."""
        found = {
            f"{type(part).__name__}.{name}": _REASON
            for part, name, before in self._before
            if _differ(getattr(part, name, None), before)
        }
        now = _compiled(self._model)
        if any(one is not other for one, other in zip(now, self._compiled, strict=True)):
            found[f"{type(self._model).__name__}.compile()"] = _COMPILED_AGAIN
        return found


def _compiled(model: Any) -> tuple[Any, ...]:
    """What a call of compile() replaces."""
    return getattr(model, "optimizer", None), getattr(model, "_compile_loss", None)


def _settings(model: Any) -> Iterator[tuple[Any, str, Any]]:
    for part in keras_objects.unique(keras_objects.parts(model)):
        kind: Any = type(part)
        names = ("trainable",) if own_attributes.is_users(part) else _names(kind)
        for name in names:
            value = getattr(part, name, None)
            if isinstance(value, bool | int | float):
                yield part, name, value


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    """The arguments of the constructor, which most layers keep under the same names."""
    arguments = inspect.signature(kind.__init__).parameters
    return ("trainable", *(name for name in arguments if name not in ("self", "args", "kwargs")))


def _differ(now: Any, before: Any) -> bool:
    # NaN is not equal to itself.
    return now is not before and now != before and not (now != now and before != before)
