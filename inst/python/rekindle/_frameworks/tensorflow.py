"""TensorFlow's random state: the eager context's, which has no public name, and its generator's."""

from __future__ import annotations

from typing import Any

import numpy as np


def random_state() -> Any:
    """TensorFlow's eager random state: where operations get their seeds once one is set."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    rng = getattr(context.context(), "_rng", None)
    generator = getattr(stateful_random_ops, "global_generator", None)
    return {
        "context": None if rng is None else _python_random(rng.getstate()),
        "generator": None if generator is None else generator.state.numpy(),
    }


def set_random_state(state: Any) -> None:
    """Puts back what :func:`random_state` gave."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    rng = getattr(context.context(), "_rng", None)
    if rng is not None and state["context"] is not None:
        version, words, gauss = state["context"]
        rng.setstate((version, tuple(int(word) for word in words), gauss))
    if state["generator"] is not None:
        stateful_random_ops.get_global_generator().state.assign(state["generator"])


def _python_random(state: Any) -> list[Any]:
    version, words, gauss = state
    return [version, np.array(words, np.uint32), gauss]
