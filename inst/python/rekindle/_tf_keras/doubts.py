"""What tf_keras itself does not repeat, or what no checkpoint holds: said when rekindle saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tf_keras

_RACE = (
    "tf_keras shuffles a Sequence that several workers read, and calls its on_epoch_end(), once or"
    " twice in an epoch, depending on how long the end of the epoch takes: set workers=1, or"
    " shuffle=False for a Sequence without on_epoch_end()"
)
_PROCESSES = (
    "with use_multiprocessing=True, other processes make the batches, and rekindle does not know"
    " their random states"
)
_TUNED = (
    "with steps_per_execution='auto', tf_keras chooses the number by the clock, and the hooks of"
    " batches follow it"
)
ASYNCHRONOUS = (
    "with ParameterServerStrategy, workers train at their own pace, so that no run is repeated bit"
    " for bit; the resumed run begins with the first batches of the data"
)
_VALIDATION = "the validation data is {}, and a resumed run begins it again from its start"


def of_fit(model: Any, fit: Mapping[str, Any]) -> list[str]:
    """Sentences about this fit(), the same at each call."""
    found = []
    sequence = getattr(getattr(fit.get("data_handler"), "_adapter", None), "_keras_sequence", None)
    validation = _first(fit.get("validation_data"))
    workers = int(fit.get("workers") or 1)
    if sequence is not None and fit.get("use_multiprocessing"):
        found.append(_PROCESSES)
    elif workers > 1 and sequence is not None and (fit.get("shuffle") or _changes_itself(sequence)):
        found.append(_RACE)
    if getattr(model, "autotune_steps_per_execution", False):
        found.append(_TUNED)
    if _changes_itself(validation):
        found.append(_VALIDATION.format("a Sequence that changes itself in its on_epoch_end()"))
    elif hasattr(validation, "__next__") and not hasattr(validation, "element_spec"):
        found.append(_VALIDATION.format("a generator"))
    return found


def _first(data: Any) -> Any:
    """The inputs in an argument of fit(), which may be a tuple of inputs, targets and weights."""
    return data[0] if isinstance(data, tuple) and data else data


def _changes_itself(data: Any) -> bool:
    base = tf_keras.utils.Sequence
    return isinstance(data, base) and type(data).on_epoch_end is not base.on_epoch_end
