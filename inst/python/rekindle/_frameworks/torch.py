"""PyTorch tensors, and the random states of the devices of this process."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._frameworks.loaded import loaded

# Dtypes that PyTorch has but its NumPy bridge lacks. An integer of the same size carries them.
_BRIDGED = {
    "bfloat16": ("int16", ml_dtypes.bfloat16),
    "float8_e4m3fn": ("uint8", ml_dtypes.float8_e4m3fn),
    "float8_e5m2": ("uint8", ml_dtypes.float8_e5m2),
}


def kind(value: Any) -> str | None:
    return "torch" if isinstance(value, loaded("torch").Tensor) else None


def elsewhere(value: Any) -> str | None:
    if not isinstance(value, getattr(loaded("torch.distributed.tensor"), "DTensor", ())):
        return None
    return (
        "a torch DTensor, of which each process may hold a part. Replace it by the result of"
        " its full_tensor() in every process"
    )


def at_hand(value: Any) -> AnyArray | None:
    # Nothing tells whether a GPU has computed a tensor. To read it would wait.
    if value.device.type != "cpu":
        return None
    try:
        found: AnyArray = value.numpy()
    except (RuntimeError, TypeError):
        # It needs a gradient, or NumPy lacks its dtype; or it is not dense.
        try:
            return to_numpy(value)
        except (RuntimeError, TypeError):
            return None
    return found


def to_numpy(value: Any) -> AnyArray:
    import torch

    if value.layout != torch.strided or value.is_quantized:
        raise TypeError(f"a tensor of layout {value.layout} and dtype {value.dtype} is not dense")
    tensor = value.detach().cpu().resolve_conj().resolve_neg()
    name = str(tensor.dtype).removeprefix("torch.")
    if name in _BRIDGED:
        integer, dtype = _BRIDGED[name]
        bits: AnyArray = tensor.contiguous().view(getattr(torch, integer)).numpy()
        return bits.view(dtype)
    found: AnyArray = tensor.numpy()
    return found


def spec(value: Any) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def fits(value: Any, array: AnyArray) -> bool:
    return spec(value) == f"{array.dtype.name} {tuple(array.shape)}"


def from_numpy(kind: str, array: AnyArray, impl: str | None) -> Any:
    # A copy that is writable and has memory of its own.
    return _view(np.array(array))


def like(value: Any, array: AnyArray) -> Any:
    import torch

    with torch.no_grad():
        value.copy_(_view(array))
    return value


def _view(array: AnyArray) -> Any:
    """A tensor that shares the array's memory, if it is writable: PyTorch requires that."""
    import torch

    array = np.asarray(array, order="C") if array.flags.writeable else np.array(array)
    if array.dtype.name in _BRIDGED:
        integer, _ = _BRIDGED[array.dtype.name]
        return torch.from_numpy(array.view(integer)).view(getattr(torch, array.dtype.name))
    return torch.from_numpy(array)


def random_states() -> dict[str, Any]:
    """The state of each generator."""
    import torch

    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state().numpy(), "cuda": [state.numpy() for state in cuda]}


def set_random_states(states: dict[str, Any]) -> None:
    """Restores the states that :func:`random_states` returned."""
    import torch

    torch.set_rng_state(torch.from_numpy(np.array(states["cpu"])))
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([torch.from_numpy(np.array(s)) for s in states["cuda"]])
