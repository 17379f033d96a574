"""The whole state of a fit(): captures it as one snapshot, and restores it in place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from rekindle._codec import tree
from rekindle._format.manifest import Manifest, Position
from rekindle._format.snapshot import LoadedCheckpoint, Snapshot
from rekindle._training import (
    building,
    fingerprint,
    logs,
    random_states,
    refusals,
    set_up,
    stages,
    state_form,
    told,
    users_state,
)
from rekindle._training.call_of_fit import CallOfFit
from rekindle._training.callbacks.states import CallbackStates
from rekindle._training.changes import AllowedChanges
from rekindle._training.data_cursor import DataCursor
from rekindle._training.extra_state import ExtraState
from rekindle._training.history import HistoryRecord
from rekindle._training.own_state import OwnStates
from rekindle._training.trainer import Trainer

_T = TypeVar("_T")


@dataclass
class FitState:
    """The state of one fit(). A checkpointer saves and restores it.

    Attributes:
        directory: The backup folder, for messages.
        trainer: The trainer of this fit().
        callbacks: The other callbacks.
        data: The position in the data, or ``None`` if it cannot be known.
        extra: The user's own objects, by name.
        allowed: The differences from the saved set-up that are noted, and not refused.
        own: The trainer's own state, beside all this.
        history: Every epoch so far.
        position: The position of the run.
        logs: The logs of the last batch.
        notes: Parts of the checkpoint that could not be restored exactly.
        lost: Attributes that a resume does not restore: ``Class.attribute`` and the reason.
        save_counter: How often the run was saved, over all calls of fit().
        was_restored: Whether a checkpoint was restored.
        schedule: The choice of the schedule, and the numbers behind it; empty if the schedule
            chooses nothing.
        began: The `initial_epoch` of the backup's fit(), 0 without a backup.
        is_done: Whether the backup is of a later fit() of the script; then it was not restored.
        is_changed: Whether the set-up is another than that of the checkpoint.
        evidence: What was seen since the run resumed; empty if it did not.
        attempts: The attempts of the run so far, under the name of that part.
    """

    directory: str
    trainer: Trainer
    callbacks: CallbackStates
    data: DataCursor | None
    extra: Mapping[str, Any]
    allowed: AllowedChanges
    own: OwnStates
    history: HistoryRecord = field(default_factory=HistoryRecord)
    position: Position = field(default_factory=Position)
    logs: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    save_counter: int = 0
    was_restored: bool = False
    schedule: Mapping[str, Any] = field(default_factory=dict)
    began: int = 0
    is_done: bool = False
    is_changed: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict)
    attempts: Mapping[str, Any] = field(default_factory=dict)
    _before_validation: Snapshot | None = None

    def __post_init__(self) -> None:
        self._extra = ExtraState(self.extra)
        self.call = CallOfFit(self.directory)
        # The differences of the set-up. Checkpoints from now on are of the new one.
        self._changes: list[str] = []

    def take(self) -> Snapshot:
        """Captures the state as it is now; in a validation, as it was when validation began."""
        if self._before_validation is None:
            return self._take()
        # Validation changes no weights. All else comes from the snapshot before it.
        aside = self._before_validation
        arrays = self.trainer.capture(metrics=False)
        return Snapshot({**arrays, **aside.arrays}, aside.state, aside.position)

    def validation_begins(self) -> None:
        """Captures the state that a validation changes: metrics, random states, callbacks."""
        # Keras may already have made the next iterator, which draws random numbers.
        random = None if self.data is None else self.data.random_at_end()
        taken = self._take(random)
        rest = {
            name: np.array(array)
            for name, array in taken.arrays.items()
            if not name.startswith(("model/", "optimizer/"))
        }
        self._before_validation = Snapshot(rest, taken.state, taken.position)

    def validation_ends(self) -> None:
        """From here on, the state is the live state again."""
        self._before_validation = None

    def _take(self, random: Any = None) -> Snapshot:
        trainer = self.trainer
        arrays = trainer.capture(metrics=True)
        batch = self.position.batch or 0
        callbacks, lost = self.callbacks.take(arrays)
        own = self.own.take(arrays)
        extra = self._extra.take(arrays)
        lost |= {} if self.data is None else self.data.lost
        self.lost = {**lost, **self.own.lost, **self.history.lost, **self._extra.lost}
        state = {
            **({"own": own} if own else {}),
            "versions": trainer.versions(),
            "fingerprint": trainer.fingerprint(),
            "history": self.history.take(arrays),
            "callbacks": callbacks,
            "data": None if self.data is None else self.data.take(batch, arrays),
            "extra": extra,
            "logs": logs.take(self.logs if batch else {}, arrays),
            "stop_training": bool(trainer.stop_training),
            "initial_epoch": max(self.began, stages.initial_epoch(self.trainer.fit)),
            "calls_before": self.call.before,
            **({"schedule": dict(self.schedule)} if self.schedule else {}),
            **({"evidence": dict(self.evidence)} if self.evidence else {}),
            **told.as_state(self.lost, set(self.notes).difference(self._changes), self.allowed),
            **self.attempts,
            # Last, after everything above that may draw random numbers.
            "random": tree.flatten(random or random_states.take(), "random", arrays),
        }
        state["state_version"] = users_state.version(state)
        return Snapshot(arrays, state, self.position)

    def put(self, save: LoadedCheckpoint) -> None:
        """Restores the state, as far as this is possible before the first epoch.

        Raises:
            MismatchError: The checkpoint is of another model or set-up; nothing was changed.
            DamageError: The state is not a captured state; nothing was changed. Or an object that
                loads its own state refused it.
        """
        manifest = save.manifest
        self._read(lambda: state_form.check(self.directory, manifest))
        self.began = stages.began(manifest)
        if stages.is_later(manifest.position, self.began, self.trainer.fit):
            self._leave_to_later(save)
            return
        stages.refuse_ahead(self.directory, manifest.position, self.trainer.fit)
        if not self.allowed.allows("backend"):
            set_up.refuse_backend(self.directory, self.trainer, manifest)
        building.build(self.directory, self.trainer, self.own, self._extra, save)
        refuse = partial(fingerprint.refuse, self.directory)
        own = manifest.state.get("own", {})
        lines = self._read(lambda: self.own.differences(own, save.arrays))
        refuse("of another model", [*self.trainer.differences(manifest), *lines])
        lines = self._read(lambda: self._extra.differences(manifest.state["extra"], save.arrays))
        refuse("of other objects in `extra_state`", lines)
        self._compare(manifest)
        self.history = self._history_of(save)
        self._read(lambda: self._check_beside(save))
        self.position = manifest.position
        # Hooks may change an array in place before all is put again, after the replay.
        first = save.copy(besides=fingerprint.VARIABLES) if self.position.batch else save
        beside = self._load_states(first)
        put = self.trainer.put(save.arrays)
        if not self.position.batch:
            # These arrays are not needed again, and are as large as everything restored.
            for name in put:
                del save.arrays[name]
        self._put_beside(first, beside)

    def _leave_to_later(self, save: LoadedCheckpoint) -> None:
        """Only reads: the later fit() restores the backup."""
        self.is_done, self.position = True, save.manifest.position
        self.history = self._history_of(save)

    def _history_of(self, save: LoadedCheckpoint) -> HistoryRecord:
        state = save.manifest.state
        return self._read(lambda: HistoryRecord.from_state(state["history"], save.arrays))

    def _check_beside(self, save: LoadedCheckpoint) -> None:
        """Checks everything but the variables, before anything is restored."""
        state, arrays = save.manifest.state, save.arrays
        self.own.check(state.get("own", {}), arrays)
        logs.read(state["logs"], arrays)
        random_states.check(tree.unflatten(state["random"], arrays))
        if self.data is not None and state.get("data") is not None:
            position = save.manifest.position
            # If the checkpoint is ahead of `epochs`, training ends before its position is used.
            epochs = max(int(self.trainer.fit.get("epochs") or 1), position.epoch or 0)
            self.data.check(state["data"], position.batch or 0, epochs, arrays)

    def put_after_replay(self, save: LoadedCheckpoint) -> None:
        """Restores state that the epoch's beginning and the reading of its batches changed."""
        if self.data is not None:
            self.data.is_replayed(False)
        beside = self._load_states(save)
        self._read(lambda: self.trainer.put_again(save.arrays))
        # What only the data draws from, ahead of training, is on its own way already.
        self._put_beside(save, beside, () if self.data is None else self.data.draws)

    def before_epochs(self, save: LoadedCheckpoint) -> None:
        """Restores what the trainer changes before its first epoch, and early iterators."""
        self.trainer.put_before_epochs(
            lambda: self._put_beside(save, self._load_states(save)), self._is_new
        )
        if self.data is not None and self.data.is_made_early:
            self._put_data(self.data, save)

    def begin_epoch(self, save: LoadedCheckpoint | None) -> None:
        """Begins an epoch. With a checkpoint, it is the epoch in which the run resumes."""
        if self.data is None:
            return
        if save is not None and not self.data.is_made_early:
            self._put_data(self.data, save)
        self.data.epoch_begins()
        self.data.is_replayed(save is not None and bool(self.position.batch))

    @property
    def _is_new(self) -> bool:
        """Whether the checkpoint is the end of an earlier fit() of the script."""
        return stages.is_new(self.position, self.began, self.trainer.fit)

    def _put_data(self, place: DataCursor, save: LoadedCheckpoint) -> None:
        batch, data = self.position.batch or 0, save.manifest.state.get("data")
        if data is not None and self._is_new:
            self._read(lambda: place.begin_stage(data, save.arrays))
            self._note(*place.notes)
            return
        place.began_at(self.began)
        if data is not None and not self._read(lambda: place.put(data, batch, save.arrays)):
            self._note(
                "TensorFlow reads the data ahead, and reading it draws from random states that"
                " training draws from, too"
            )
        self._note(*place.notes)

    def logs_of(self, save: LoadedCheckpoint) -> dict[str, Any]:
        """The logs of the last batch before the checkpoint."""
        return self._read(lambda: logs.read(save.manifest.state["logs"], save.arrays))

    def data_is_the_same(self, save: LoadedCheckpoint) -> bool:
        """Whether the data gave the same as before the checkpoint, as far as can be seen."""
        place, saved = self.data, save.manifest.state.get("data")
        if place is None or saved is None:
            return True
        return self._read(lambda: place.gave_the_same(saved, save.arrays))

    def _load_states(self, save: LoadedCheckpoint) -> users_state.Puts:
        """Loads the states that objects may refuse. The functions restore the rest beside them."""
        load = partial(users_state.load, self.directory, self.callbacks, self._extra, save)
        puts, notes = self._read(load)
        self._note(*notes)
        return puts

    def _put_beside(
        self, save: LoadedCheckpoint, beside: users_state.Puts, besides: Collection[str] = ()
    ) -> None:
        """Restores everything but the variables, and the random states named in `besides`."""
        state, arrays = save.manifest.state, save.arrays
        for put in beside:
            self._read(put)
        self._note(*self._read(lambda: self.own.put(state.get("own", {}), arrays)))
        self.trainer.stop_training = state.get("stop_training", False)
        states = self._read(lambda: tree.unflatten(state["random"], arrays))
        self._read(lambda: random_states.put(states, besides))

    def _note(self, *texts: str) -> None:
        self.notes += [text for text in texts if text not in self.notes]

    def _compare(self, manifest: Manifest) -> None:
        lines, began = self.call.compare(manifest, self.allowed), self.began
        lines += set_up.differences(self.directory, self.trainer, manifest, began, self.allowed)
        self._changes, self.is_changed = lines, bool(lines)
        self.notes += self.trainer.inexact() + lines
        self.notes += told.of(manifest.state, self.notes)

    def _read(self, read: Callable[[], _T]) -> _T:
        """The result of `read`. An error on an invalid state becomes a DamageError."""
        with refusals.of_broken_states(self.directory):
            return read()
