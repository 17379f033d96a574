"""Every name of Synalinks that is not public, in one place.

Checked with Synalinks 0.10.3 to 0.10.14. :func:`refuse_unknown` refuses an older version, and one
in which such a name is gone, before training.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import synalinks

from rekindle._training import frames
from rekindle.errors import DependencyError

CALLBACK_LIST: type = synalinks.callbacks.CallbackList

# Up to 0.10.1, fit() validates in the middle of each batch, where a signal could not be answered
# right. 0.10.2 lacks BudgetStopping, with which the tests check what is spent.
_OLDEST = (0, 10, 3)
_ACCEPTED = "rekindle works with 0.10.3 to 0.10.14"

# Variables of fit() that other modules use. Taking all would keep more alive than is needed.
_FIT_NAMES = (
    "epoch_iterator",
    "x",
    "val_x",
    "val_y",
    "batch_size",
    "minibatch_size",
    "steps_per_epoch",
    "epochs",
    "initial_epoch",
)

# By the class that has them. A fit() uses all of these.
_OF_PROGRAM = ("_get_metrics_result_or_logs", "_flatten_modules", "get_metrics_result", "metrics")
_OF_PROGRAM_ITSELF = ("_initial_epoch", "_compile_metrics", "_compile_reward", "stop_training")
_OF_ITERATOR = (
    *("data_adapter", "steps_per_epoch", "steps_per_execution", "_current_iterator"),
    *("_num_batches", "_steps_seen", "_get_iterator", "_enumerate_iterator"),
)
_OF_OPTIMIZER = ("on_train_begin", "on_train_end", "build", "iterations", "variables", "_modules")


def find_callback_list() -> tuple[Any, CodeType | None]:
    """The CallbackList that calls the current hook, and the code of the fit() that calls the list.

    ``(None, None)`` if there is none, for example if a custom training loop calls the hooks.
    """
    return frames.find_callback_list(CALLBACK_LIST)


def find_fit() -> dict[str, Any]:
    """The arguments and the data of the fit() that calls this hook; empty if there is none."""
    names = frames.locals_of_fit("epoch_iterator") or {}
    return {name: names[name] for name in _FIT_NAMES if name in names}


def refuse_unknown(program: Any, fit: dict[str, Any]) -> None:
    """Refuses a version of Synalinks that is too old, or lacks a name which the adapter needs.

    Raises:
        DependencyError: It is too old, or a name is missing. Nothing was changed.
    """
    if _version() < _OLDEST:
        raise DependencyError(
            f"Synalinks {synalinks.__version__} is too old: {_ACCEPTED}. Nothing was changed."
            " Install a newer one: `pip install --upgrade synalinks`.",
            package="synalinks",
        )
    missing = [f"Program.{name}" for name in _OF_PROGRAM if not hasattr(type(program), name)]
    missing += [f"Program.{name}" for name in _OF_PROGRAM_ITSELF if not hasattr(program, name)]
    iterator, optimizer = fit.get("epoch_iterator"), getattr(program, "optimizer", None)
    if fit:
        missing += [f"EpochIterator.{name}" for name in _OF_ITERATOR if not hasattr(iterator, name)]
        missing += [f"fit() {name}" for name in _FIT_NAMES if name not in fit]
    if optimizer is not None:
        missing += [f"Optimizer.{name}" for name in _OF_OPTIMIZER if not hasattr(optimizer, name)]
        hook: Any = getattr(optimizer, "on_train_begin", None)
        if hook is not None and not inspect.iscoroutinefunction(hook):
            missing.append("Optimizer.on_train_begin as `async def`")
    if missing:
        raise DependencyError(
            f"rekindle does not know Synalinks {synalinks.__version__}: it lacks"
            f" {', '.join(missing)}. {_ACCEPTED}. Nothing was changed."
            " Install one of these versions, or a newer rekindle.",
            package="synalinks",
        )


def _version() -> tuple[int, ...]:
    """Its numbers: Synalinks writes 0.10.014 for 0.10.14."""
    parts = synalinks.__version__.split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def current_task() -> Callable[[], Any]:
    """A weak reference to the task that runs now; it gives ``None`` if there is no task."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return weakref.ref(task) if task is not None else lambda: None


def is_running(callback_list: Any, code: CodeType | None, task: Any) -> bool:
    """Whether the fit() with this list of callbacks has not ended.

    While it waits for a language model, it is on no stack, and only its task leads to it.
    """
    if callback_list is None or code is None:
        return False
    if frames.is_running(callback_list, code):
        return True
    coroutine = None if task is None or task.done() else task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None and frame.f_code is code:
            return any(value is callback_list for value in frame.f_locals.values())
        coroutine = getattr(coroutine, "cr_await", None)
    return False


def batches_done(program: Any, batch: int) -> int:
    """How many batches of the epoch are done when hooks get the number `batch`."""
    return batch + int(program.steps_per_execution or 1)


def place_in_epoch(program: Any) -> tuple[int, dict[str, Any]] | None:
    """How many batches of the epoch the running fit() has trained, and the last batch's logs.

    ``None`` if there is no fit(), or it has trained no batch.
    """
    names = frames.locals_of_fit("epoch_iterator")
    step = None if names is None else names.get("step")
    if names is None or not isinstance(step, int):
        return None
    return batches_done(program, step), dict(names.get("logs") or {})


def wait_for_hooks(callback_list: Any) -> None:
    """Waits for hooks that still run beside the training thread."""
    clear = getattr(callback_list, "_clear_futures", None)
    if clear is not None:
        clear()


def run_to_the_end(coroutine: Any) -> None:
    """Runs a coroutine from a hook, which cannot wait for it. It must not wait for anything.

    Building an optimizer asks no language model, so it never waits.

    Raises:
        RuntimeError: It waits for something.
    """
    with contextlib.closing(coroutine), contextlib.suppress(StopIteration):
        coroutine.send(None)
        raise RuntimeError("building the optimizer waits for another task")


def modules(program: Any) -> Iterator[Any]:
    """The modules of the program, of its optimizer and of its reward, each once, in their order."""
    optimizer = getattr(program, "optimizer", None)
    roots = [program, *getattr(optimizer, "_modules", ()), *_rewards(program)]
    seen: set[int] = set()
    for root in roots:
        for module in [root, *getattr(root, "_flatten_modules", list)()]:
            for one in (module, *_models_of(module)):
                if id(one) not in seen:
                    seen.add(id(one))
                    yield one


def _rewards(program: Any) -> list[Any]:
    """The rewards of the program, and the programs that judge in them."""
    reward = getattr(getattr(program, "_compile_reward", None), "_user_reward", None)
    found = synalinks.tree.flatten(reward) if reward is not None else []
    return [*found, *(one.program for one in found if hasattr(one, "program"))]


def _models_of(holder: Any) -> Iterator[Any]:
    """The models that a module calls, each with those that stand in for it."""
    names = ("language_model", "sub_language_model", "decision_model", "embedding_model")
    for name in names:
        model = vars(holder).get(name) if hasattr(holder, "__dict__") else None
        depth = 0
        while hasattr(model, "cumulated_cost") and depth < 100:
            yield model
            model, depth = getattr(model, "fallback", None), depth + 1
