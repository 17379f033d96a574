"""Restores a checkpoint's weights into a model of tf_keras, outside of `fit()`."""

from __future__ import annotations

from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._format.manifest import Manifest
from rekindle._inspection import lookup, model_weights
from rekindle._inspection.lookup import Which
from rekindle._repository import reader
from rekindle._saving import metadata
from rekindle._storage.protocol import Storage
from rekindle._tf_keras import variables

# Random states, and a counter that each fit() begins at zero. They are no weights, and a model
# that was not trained yet lacks them.
_NO_WEIGHTS = ("model/random_ops/", "model/generators/", "model/train_counter")


def restore(model: Any, storage: Storage, which: Which) -> str:
    """Restores a checkpoint's weights into the model. Returns the checkpoint's name.

    Raises:
        MismatchError: The weights do not fit; nothing was changed.
        DamageError, RestoreError: As :func:`rekindle._inspection.lookup.with_save`.
    """
    model_weights.refuse_unbuilt(model)
    targets = {
        name: one
        for name, one in variables.named(model).items()
        if name.startswith("model/") and not name.startswith(_NO_WEIGHTS)
    }

    def read(prefix: str, manifest: Manifest) -> tuple[str, dict[str, AnyArray]]:
        metadata.refuse_newer(storage.url, manifest)
        name = f"{prefix}-{manifest.number}"
        rows = model_weights.find(
            targets, storage.url, name, manifest, variables.differences, _NO_WEIGHTS
        )
        arrays = reader.read(storage, manifest, {saved for saved, _ in rows.values()}).arrays
        return name, {key: arrays[saved] for key, (saved, _) in rows.items()}

    name, arrays = lookup.with_save(storage, which, read, whole=which == "latest")
    variables.assign({key: targets[key] for key in arrays}, arrays)
    return name
