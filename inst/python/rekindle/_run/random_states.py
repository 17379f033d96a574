"""The random states of the process: taken and put back so that the next draw is the next draw."""

from __future__ import annotations

import random
import sys
import threading
from typing import Any

import numpy as np

from rekindle import _keras_internals as keras_internals
from rekindle._objects.stateful import Foreign

# Random states that another language keeps in this process, by name.
_foreign: dict[str, Foreign] = {}


def add(name: str, state: Foreign) -> None:
    """Counts a random state of another language as one of the process: R's, when R drives."""
    _foreign[name] = state


def take() -> dict[str, Any]:
    """Every random state that training may draw from, as a tree of plain values and arrays.

    PyTorch's and TensorFlow's count when they are imported, whatever Keras' backend is: data may
    come from either.
    """
    version, words, gauss = random.getstate()
    found: dict[str, Any] = {
        "python": {"version": version, "words": np.array(words, np.uint32), "gauss": gauss},
        "numpy": np.random.get_state(legacy=False),
        "keras": keras_internals.global_seed_state(),
    }
    if "torch" in sys.modules:
        found["torch"] = _take_torch()
    if "tensorflow" in sys.modules:
        found["tensorflow"] = keras_internals.tensorflow_random_state()
    # R cannot be called from another thread while its own waits for that thread's batch.
    if _foreign and threading.current_thread() is threading.main_thread():
        found["foreign"] = take_foreign()
    return found


def take_foreign() -> dict[str, Any]:
    """The random states of other languages alone."""
    return {name: state.state_dict() for name, state in _foreign.items()}


def put(states: dict[str, Any]) -> None:
    """Puts back what :func:`take` gave."""
    python = states["python"]
    words = tuple(int(word) for word in python["words"])
    random.setstate((python["version"], words, python["gauss"]))
    np.random.set_state(states["numpy"])
    keras_internals.set_global_seed_state(states["keras"])
    if "torch" in states:
        _put_torch(states["torch"])
    if "tensorflow" in states:
        keras_internals.set_tensorflow_random_state(states["tensorflow"])
    for name, state in states.get("foreign", {}).items():
        if name in _foreign:
            _foreign[name].load_state_dict(state)


def fast_mark() -> Any:
    """Something that changes when Python's or NumPy's global generator is drawn from; quick."""
    state = np.random.get_state(legacy=False)["state"]
    return random.getstate()[1][-1], state["pos"], state["key"][0]


def _take_torch() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state().numpy(), "cuda": [state.numpy() for state in cuda]}


def _put_torch(states: dict[str, Any]) -> None:
    import torch

    torch.set_rng_state(torch.from_numpy(np.array(states["cpu"])))
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([torch.from_numpy(np.array(s)) for s in states["cuda"]])
