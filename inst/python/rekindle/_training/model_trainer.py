"""What the trainers of libraries with a `fit()` like that of Keras have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from rekindle._base import places
from rekindle._training import frames
from rekindle._training.optimizer_settings import OptimizerSettings, is_rate
from rekindle._training.options import FitOptions
from rekindle._training.outer_values import OuterValues
from rekindle._training.own_state import OwnState
from rekindle._training.replay import Replay
from rekindle._training.team import Team


class ModelTrainer:
    """One fit() of one model. Created in a hook of this fit().

    Args:
        model: The compiled model.
        callbacks: The other callbacks.
        callback_list: A weak reference to their CallbackList, so that the list can die with its
            fit(). The reference gives ``None`` if there is no list.
        code: The code of the fit() that calls the list, if there is one.
        fit: The arguments of the fit(), as far as they are known.
    """

    def __init__(
        self,
        model: Any,
        callbacks: list[Any],
        callback_list: Callable[[], Any],
        code: Any,
        fit: Mapping[str, Any],
    ) -> None:
        self._model = model
        self._callbacks = callbacks
        self._callback_list = callback_list
        self._code = code
        self.fit = fit
        self._settings = OptimizerSettings(getattr(model, "optimizer", None))
        self._keeps_rate = False
        self.team: Team | None = None
        # The user's objects that the data knows, and restores.
        self._of_data: list[Any] = []

    def import_backup(self, settings: FitOptions) -> Mapping[str, Any] | None:
        # The library's own callback writes into folders.
        remote = places.is_remote(settings.directory)
        return None if remote else self._import_from(settings)

    def settle_import(self, directory: str) -> None:
        if not places.is_remote(directory):
            self._settle(directory)

    def _import_from(self, settings: FitOptions) -> Mapping[str, Any] | None:
        """As :meth:`import_backup`, from a folder of this machine."""
        raise NotImplementedError

    def _settle(self, directory: str) -> None:
        """As :meth:`settle_import`, in a folder of this machine."""
        raise NotImplementedError

    @property
    def knows_fit(self) -> bool:
        return bool(self.fit)

    @property
    def can_replay(self) -> bool:
        return self._callback_list() is not None

    @property
    def history(self) -> Any:
        return self._model.history

    @property
    def stop_training(self) -> bool:
        return bool(self._model.stop_training)

    @stop_training.setter
    def stop_training(self, stop: bool) -> None:
        self._model.stop_training = stop

    def keep_learning_rate(self) -> None:
        self._keeps_rate = True

    def _restorable(self, named: Mapping[str, Any]) -> dict[str, Any]:
        """Of these variables by name, those that a checkpoint may change."""
        return {n: one for n, one in named.items() if not (self._keeps_rate and is_rate(n))}

    def close(self) -> None:
        self._settings.leave()

    def shared(self) -> Collection[str]:
        return ()

    def callbacks(self) -> list[Any]:
        return self._callbacks

    def own_states(self, extra: Mapping[str, Any]) -> dict[str, OwnState]:
        besides = [*extra.values(), *self.fit.values(), *self._of_data]
        return {"outer": OuterValues(self._callbacks, besides)}

    def is_training(self) -> bool:
        return frames.is_running(self._callback_list(), self._code)

    def put_before_epochs(self, put: Callable[[], None], is_new: bool) -> None:
        """Nothing is left to restore: no fit() of Keras changes state before its first epoch."""

    def _steps_per_call(self) -> int:
        """How many steps the next call of the training function makes."""
        raise NotImplementedError

    def _batches_done(self, batch: int) -> int:
        """How many batches of the epoch are done when hooks get the number `batch`."""
        raise NotImplementedError

    def watch(
        self, step_ended: Callable[[int, Any], None], epoch_ends: Callable[[int, Any], None]
    ) -> Callable[[], None]:
        """Puts itself before the hooks of the list of callbacks, which has no other observer.

        A callback with a hook for batches would make the trainer wait for each step on JAX.
        """
        found, listed = self._callback_list(), self._callback_list
        if found is None:
            return lambda: None
        before = {name: vars(found).get(name) for name in ("on_train_batch_end", "on_epoch_end")}
        at_batch = _passed_on(listed, "on_train_batch_end", found)
        at_epoch = _passed_on(listed, "on_epoch_end", found)

        def batch_ended(batch: int, logs: Any = None) -> None:
            at_batch(batch, logs)
            step_ended(self._batches_done(batch), logs)

        def epoch_ended(epoch: int, logs: Any = None) -> None:
            epoch_ends(epoch, logs)
            at_epoch(epoch, logs)

        found.on_train_batch_end, found.on_epoch_end = batch_ended, epoch_ended
        return lambda: frames.put_back(listed(), before)

    def replay(
        self,
        batches: int,
        logs: dict[str, Any],
        show: Callable[[int, int], None],
        done: Callable[[], None],
        look: Callable[[], None],
    ) -> Replay:
        return Replay(
            self._model,
            self._steps_per_call,
            self._batches_done,
            self._callback_list,
            self.is_training,
            batches,
            logs,
            show,
            done,
            look,
        )


def _passed_on(listed: Callable[[], Any], name: str, found: Any) -> Callable[..., None]:
    """The hook of this name, without a reference to the list: it has to die with its fit()."""
    there: Callable[..., None] | None = vars(found).get(name)
    if there is not None:
        return there
    hook = getattr(type(found), name)

    def passed_on(*args: Any) -> None:
        hook(listed(), *args)

    return passed_on
