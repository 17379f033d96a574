"""Maps each data adapter of Keras to its class here."""

from __future__ import annotations

from typing import Any

from rekindle._keras.sources.arrays import ArrayData
from rekindle._keras.sources.data import Data, TensorFlowData
from rekindle._keras.sources.generator import GeneratorData
from rekindle._keras.sources.py_dataset import PyDatasetData
from rekindle._keras.sources.torch_loader import TorchData

_KINDS: dict[str, type[Data]] = {
    "ArrayDataAdapter": ArrayData,
    "GeneratorDataAdapter": GeneratorData,
    "PyDatasetAdapter": PyDatasetData,
    "TFDatasetAdapter": TensorFlowData,
    "TorchDataLoaderAdapter": TorchData,
}


def data_of(adapter: Any) -> Data:
    """The data behind an adapter of Keras."""
    return _KINDS.get(type(adapter).__name__, Data)(adapter)
