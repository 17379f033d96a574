"""Arrays in memory: begun at any batch, and shuffled by our own seed if TensorFlow has none."""

from __future__ import annotations

import contextlib
import random
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from tensorflow.python.eager import context

from rekindle._tf_keras import internals


class ArrayPipeline:
    """The pipeline by which tf_keras draws batches from arrays.

    tf_keras makes one iterator for all epochs. Without a global seed, TensorFlow's shuffle cannot
    be repeated. This class then makes the pipeline anew, under a seed that a checkpoint can hold.

    Args:
        handler: The data handler of the fit().
        fit: The arguments of the fit().
    """

    def __init__(self, handler: Any, fit: Mapping[str, Any]) -> None:
        self._handler = handler
        self._fit = fit
        self.seed: int | None = None
        self.began = int(fit.get("initial_epoch") or 0)
        if handler._adapter._shuffle and context.global_seed() is None:
            self.seed = secrets.randbits(31)
            self.make(0)

    @staticmethod
    def is_for(handler: Any) -> bool:
        kinds = {kind.__name__ for kind in type(handler._adapter).__mro__}
        return "TensorLikeDataAdapter" in kinds

    @property
    def can_begin_anywhere(self) -> bool:
        """Whether batches can be left out. With "batch", each batch that is read draws, too."""
        return bool(self._handler._adapter._shuffle != "batch")

    def make(self, skipped: int) -> None:
        """Makes the pipeline anew, without so many of its first batches."""
        handler = self._handler
        adapter = handler._adapter
        own = {name: adapter.__dict__[name] for name in internals.WATCHED if name in vars(adapter)}
        # fit() may have shortened an execution to the epoch: the handler keeps the variable.
        with self._seeded(), _leaving_out(type(adapter), skipped):
            internals.new_handler(handler, {**self._fit, "initial_epoch": self.began})
        vars(handler._adapter).update(own)

    @contextlib.contextmanager
    def _seeded(self) -> Iterator[None]:
        if self.seed is None:
            yield
            return
        eager = context.context()
        # The graphs of the pipeline take their seeds from here when they are traced. Until a seed
        # is set, the context has no generator.
        before = {name: vars(eager).get(name) for name in ("_seed", "_rng")}
        eager._seed, eager._rng = self.seed, random.Random(self.seed)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(eager, name, value)
            if before["_rng"] is None:
                del eager._rng


@contextlib.contextmanager
def _leaving_out(kind: Any, batches: int) -> Iterator[None]:
    """Makes new adapters of this class leave out the indices of the first batches."""
    if not batches:
        yield
        return
    original = kind.slice_inputs

    def slice_inputs(self: Any, indices: Any, inputs: Any) -> Any:
        return original(self, indices.skip(batches), inputs)

    kind.slice_inputs = slice_inputs
    try:
        yield
    finally:
        kind.slice_inputs = original
