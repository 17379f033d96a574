"""Checks saved random states before rekindle puts one into a generator.

Generators trust the state that they are given. With a position beyond the end of its buffer, NumPy
reads foreign memory, which can end the process. A checkpoint is a file, so this module checks its
states first.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle.errors import BrokenTreeError

_WORDS = 624

# The whole numbers in the state of each of NumPy's bit generators, with their limits (the limit
# itself is accepted). Everything else is an array. The checks compare it with the live state.
_LIMITS = {
    "MT19937": {"pos": _WORDS},
    "PCG64": {"state": 2**128 - 1, "inc": 2**128 - 1},
    "PCG64DXSM": {"state": 2**128 - 1, "inc": 2**128 - 1},
    "Philox": {"buffer_pos": 4},
    "SFC64": {},
}
_COMMON_LIMITS = {"has_uint32": 1, "uinteger": 2**32 - 1, "has_gauss": 1}

# PyTorch's generator of the CPU: seed, left, seeded, next, 624 words, x, y, rho, is valid. All but
# old versions add a float, and whether this float is valid.
_TORCH_LEGACY = struct.Struct("=Qii Q 4992x 3d i 4x")
_TORCH_SIZES = (_TORCH_LEGACY.size, _TORCH_LEGACY.size + 8)


def check_python(state: Any) -> None:
    """Checks a state of Python's generator: version, words, and the next Gaussian number.

    Raises:
        BrokenTreeError: No Python generator can be in this state.
    """
    _expect(isinstance(state, list | tuple) and len(state) == 3, "python", "three parts")
    version, words, gauss = state
    _expect_number(version, 3, "python/version", least=3)
    _expect_array(words, np.uint32, (_WORDS + 1,), "python/words")
    _expect_number(int(words[-1]), _WORDS, "python/position")
    _expect_twister(words[:-1], "python/words")
    is_number = type(gauss) is float and math.isfinite(gauss)
    _expect(gauss is None or is_number, "python/gauss", "None or a number")


def check_numpy(state: Any, live: Mapping[str, Any]) -> None:
    """Checks a state of one of NumPy's generators.

    Args:
        state: The saved state.
        live: The state of the generator that the saved state will be put into.

    Raises:
        BrokenTreeError: rekindle must not put this state into the generator.
    """
    name = live["bit_generator"]
    saved = state.get("bit_generator") if isinstance(state, Mapping) else None
    _expect(saved == name, "numpy/bit_generator", repr(name))
    limits = _COMMON_LIMITS | _LIMITS.get(name, {})
    _check_numpy(state, live, limits, f"numpy/{name}")
    inner = state["state"]
    if name == "MT19937":
        _expect_twister(inner["key"], "numpy/MT19937/key")
    if name.startswith("PCG64"):
        _expect(inner["inc"] % 2 == 1, f"numpy/{name}/inc", "an odd number")


def _check_numpy(saved: Any, live: Any, limits: Mapping[str, int], place: str) -> None:
    key = place.rpartition("/")[2]
    if isinstance(live, Mapping):
        is_alike = isinstance(saved, Mapping) and saved.keys() == live.keys()
        _expect(is_alike, place, f"the parts {', '.join(map(str, live))}")
        for name, part in live.items():
            _check_numpy(saved[name], part, limits, f"{place}/{name}")
    elif isinstance(live, np.ndarray):
        _expect_array(saved, live.dtype, live.shape, place)
    elif isinstance(live, float):
        _expect(type(saved) in (int, float) and math.isfinite(saved), place, "a number")
    elif isinstance(live, int):
        _expect_number(saved, limits.get(key, 2**128 - 1), place)
    else:
        _expect(type(saved) is type(live) and saved == live, place, repr(live))


def check_torch(state: Any, live: Any) -> None:
    """Checks a state of one of PyTorch's generators.

    Args:
        state: The saved state, an array of bytes.
        live: The state of the generator that the saved state will be put into, on any device;
            ``None`` if the device is not there. rekindle then does not use the saved state.

    Raises:
        BrokenTreeError: rekindle must not put this state into the generator.
    """
    is_bytes = isinstance(state, np.ndarray) and state.dtype == np.uint8 and state.ndim == 1
    _expect(is_bytes, "torch", "an array of bytes")
    if live is None:
        return
    if len(live) not in _TORCH_SIZES:
        _expect(len(state) == len(live), "torch", f"{len(live)} bytes")
        return
    _expect(len(state) in _TORCH_SIZES, "torch", f"{_TORCH_SIZES[1]} bytes")
    data = state.tobytes()
    _expect_twister(np.frombuffer(data, np.uint64, _WORDS, 24), "torch/words")
    _, left, seeded, following, *_, has_normal = _TORCH_LEGACY.unpack(data[: _TORCH_LEGACY.size])
    # The generator reads one word for each count of `left`. At the last count, it makes new words.
    is_inside = 0 < left <= _WORDS and 0 <= following <= _WORDS
    is_inside = is_inside and (left == 1 or following + left <= _WORDS + 1)
    _expect(seeded == 1 and is_inside, "torch/position", f"a position within {_WORDS} words")
    flags = (has_normal, *data[_TORCH_LEGACY.size + 4 : _TORCH_LEGACY.size + 5])
    _expect(all(flag in (0, 1) for flag in flags), "torch/normal", "flags of 0 or 1")


def check_like(state: Any, live: Any, place: str) -> None:
    """Checks a state that is one row of whole numbers, as in Keras and TensorFlow.

    Args:
        state: The saved state.
        live: The state of the generator that the saved state will be put into; ``None`` if the
            restore makes this generator.
        place: The generator's name in the message.

    Raises:
        BrokenTreeError: It is not such a row, or its dtype or shape differs from the live state.
    """
    is_row = isinstance(state, np.ndarray) and state.ndim == 1 and state.dtype.kind in "iu"
    _expect(is_row, place, "a row of whole numbers")
    if live is not None:
        _expect_array(state, live.dtype, live.shape, place)


def _expect_twister(words: Any, place: str) -> None:
    """Refuses a Mersenne Twister of zeros. Of the first word, only the highest bit counts.

    Such a generator gives zeros for ever. Code that rejects a zero would then draw for ever.
    """
    is_alive = bool(np.any(words[1:])) or bool(int(words[0]) & 1 << 31)
    _expect(is_alive, place, "words that are not all zero")


def _expect_array(value: Any, dtype: Any, shape: tuple[int, ...], place: str) -> None:
    expected = f"an array of {np.dtype(dtype).name} {shape}"
    is_array = isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == shape
    _expect(is_array, place, expected)


def _expect_number(value: Any, limit: int, place: str, least: int = 0) -> None:
    is_number = type(value) is int or isinstance(value, np.integer)
    _expect(is_number and least <= value <= limit, place, f"a whole number up to {limit}")


def _expect(is_so: bool, place: str, expected: str) -> None:
    if not is_so:
        raise BrokenTreeError(f"the random state {place} is invalid: expected {expected}")
