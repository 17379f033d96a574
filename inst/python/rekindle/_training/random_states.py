"""Captures and restores the process' random states, so that the same draws follow."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection
from typing import Any, Protocol

import numpy as np

from rekindle._codec import generators
from rekindle._frameworks import keras, tensorflow, tf_keras, torch
from rekindle._frameworks.loaded import loaded
from rekindle.errors import BrokenTreeError


class External(Protocol):
    """A random state that the host language keeps in this process."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def state_differences(self, state: dict[str, Any]) -> list[str]: ...


# By name.
_external: dict[str, External] = {}


def add(name: str, state: External) -> None:
    """Adds a random state of another language to those of the process: R's, if R runs Python."""
    _external[name] = state


def take() -> dict[str, Any]:
    """Captures every random state that training may draw from, as plain values and arrays.

    If PyTorch or TensorFlow is imported, its states are included, whatever Keras' backend is: the
    data may come from either.
    """
    version, words, gauss = random.getstate()
    found: dict[str, Any] = {
        "python": {"version": version, "words": np.array(words, np.uint32), "gauss": gauss},
        "numpy": np.random.get_state(legacy=False),
        "keras": keras.global_seed_state(),
    }
    if loaded("torch") is not None:
        found["torch"] = torch.random_states()
    if loaded("tensorflow") is not None:
        found["tensorflow"] = tensorflow.random_state()
    if loaded("tf_keras") is not None:
        found["tf_keras"] = tf_keras.seed_state()
    # R cannot be called from another thread while R's own thread waits for that thread's batch.
    if _external and threading.current_thread() is threading.main_thread():
        found["foreign"] = take_external()
    return found


def take_external() -> dict[str, Any]:
    """The random states of the host language alone."""
    return {name: state.state_dict() for name, state in _external.items()}


def check(states: Any) -> None:
    """Checks the states that :func:`put` would restore.

    Raises:
        BrokenTreeError: They are not a result of :func:`take`.
    """
    if not isinstance(states, dict) or not {"python", "numpy", "keras"} <= states.keys():
        raise BrokenTreeError("the random states are not those of a process")
    python = states["python"]
    generators.check_python([python["version"], python["words"], python["gauss"]])
    generators.check_numpy(states["numpy"], np.random.get_state(legacy=False))
    if states["keras"] is not None:
        generators.check_like(_as_live(states["keras"]), keras.global_seed_state(), "keras")
    if "torch" in states:
        _check_torch(states["torch"])
    if "tensorflow" in states:
        _check_tensorflow(states["tensorflow"])
    if states.get("tf_keras") is not None:
        generators.check_python(states["tf_keras"])
    for name, state in states.get("foreign", {}).items():
        lines = _external[name].state_differences(state) if name in _external else []
        if lines:
            raise BrokenTreeError(f"the random state {name} is invalid: {'; '.join(lines)}")


# What data in Python may draw from, on another thread.
DRAWN_AHEAD = ("python", "numpy")


def put(states: dict[str, Any], besides: Collection[str] = ()) -> None:
    """Restores a result of :func:`take`.

    Args:
        states: The result.
        besides: Names of states that stay as they are.

    Raises:
        BrokenTreeError: It is not a result of :func:`take`. Nothing was changed.
    """
    check(states)
    if "python" not in besides:
        python = states["python"]
        words = tuple(int(word) for word in python["words"])
        random.setstate((python["version"], words, python["gauss"]))
    if "numpy" not in besides:
        np.random.set_state(states["numpy"])
    if "keras" not in besides:
        keras.set_global_seed_state(_as_live(states["keras"]))
    if "torch" in states:
        torch.set_random_states(states["torch"])
    if "tensorflow" in states:
        skips = "tensorflow.generator" in besides
        tensorflow.set_random_state(states["tensorflow"], skips_generator=skips)
    if states.get("tf_keras") is not None:
        tf_keras.set_seed_state(states["tf_keras"])
    for name, state in states.get("foreign", {}).items():
        if name in _external:
            _external[name].load_state_dict(state)


def _as_live(state: Any) -> Any:
    """The state of Keras' generator with the dtype of this backend; another may have saved it."""
    live = keras.global_seed_state()
    is_array = isinstance(state, np.ndarray) and isinstance(live, np.ndarray)
    is_word = is_array and {state.dtype.name, live.dtype.name} == {"int32", "uint32"}
    return state.view(live.dtype) if is_word else state


def fast_mark() -> Any:
    """A value that changes with each draw from Python's or NumPy's global generator; quick."""
    state = np.random.get_state(legacy=False)["state"]
    return random.getstate()[1][-1], state["pos"], state["key"][0]


def mark() -> Any:
    """A value that changes with each draw from any generator of the process but R's."""
    found: list[Any] = [fast_mark(), _bytes(keras.global_seed_state())]
    if loaded("torch") is not None:
        found.append(_bytes(torch.random_states()["cpu"]))
    if loaded("tensorflow") is not None:
        state = tensorflow.random_state()
        context = state["context"]
        found += [None if context is None else context[1][-1], _bytes(state["generator"])]
    return found


def _bytes(state: Any) -> bytes | None:
    return None if state is None else np.asarray(state).tobytes()


def _check_torch(states: dict[str, Any]) -> None:
    import torch

    generators.check_torch(states["cpu"], torch.get_rng_state().numpy())
    live = torch.cuda.get_rng_state_all() if states["cuda"] and torch.cuda.is_available() else []
    for index, state in enumerate(states["cuda"]):
        generators.check_torch(state, live[index].numpy() if index < len(live) else None)


def _check_tensorflow(states: dict[str, Any]) -> None:
    if states["context"] is not None:
        generators.check_python(states["context"])
    if states["generator"] is not None:
        live = tensorflow.random_state()["generator"]
        generators.check_like(states["generator"], live, "tensorflow")
