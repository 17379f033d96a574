"""What Keras or its data does not repeat, or what no checkpoint holds: said when rekindle saves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from rekindle._frameworks.loaded import loaded
from rekindle._keras.sources import pipelines

_PARALLEL = (
    "{} runs a function that draws random numbers, or changes a variable, several times at once"
    " (`num_parallel_calls`), so no two runs read the same data: leave the argument out"
)
_PERSISTENT = (
    "{} keeps its worker processes from epoch to epoch (`persistent_workers`), and rekindle does"
    " not know their random states"
)
_PROCESSES = (
    "other processes make the batches of {} (`use_multiprocessing`), and rekindle does not know"
    " their random states"
)


def of_fit(fit: Mapping[str, Any]) -> list[str]:
    """Sentences about the data of this fit(), the same at each call."""
    adapter = getattr(fit.get("epoch_iterator"), "data_adapter", None)
    given = [getattr(adapter, name, None) for name in ("_dataset", "_dataloader", "py_dataset")]
    pairs = [("the data", one) for one in given if one is not None]
    return [
        text.format(name)
        for name, data in [*pairs, ("the validation data", fit.get("val_x"))]
        for text in _of_data(data)
    ]


def _of_data(data: Any) -> list[str]:
    torch = loaded("torch")
    if torch is not None and isinstance(data, torch.utils.data.DataLoader):
        return [_PERSISTENT] if data.num_workers and data.persistent_workers else []
    if isinstance(data, keras.utils.PyDataset):
        return [_PROCESSES] if data.use_multiprocessing else []
    if hasattr(data, "element_spec") and pipelines.draws_in_parallel(data):
        return [_PARALLEL]
    return []
