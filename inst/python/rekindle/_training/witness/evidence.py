"""The witness of one fit(), and where its findings go: warnings, `resume_report`, checkpoints."""

from __future__ import annotations

from typing import Any

from rekindle._format.manifest import Manifest
from rekindle._policy.tolerance import Tolerance
from rekindle._storage.protocol import Storage
from rekindle._training import stages, told
from rekindle._training.reporting import Reporter
from rekindle._training.state import FitState
from rekindle._training.trainer import Trainer
from rekindle._training.witness.attempt_log import AttemptLog
from rekindle._training.witness.ring import Ring
from rekindle._training.witness.witness import CHANGED, VERIFIED, Witness


class Evidence:
    """Whether the resumed run is the interrupted one, as far as both were seen.

    Args:
        storage: The backup folder, which is locked when the fit() begins.
        trainer: The trainer of the fit().
        state: The state of the fit(). A difference becomes one of its notes; it may be allowed.
        reporter: Gives the warning.
        tolerance: What counts as a difference, and what to do then.

    Attributes:
        ends: Notes how the fit() ends; see :class:`AttemptLog`.
    """

    def __init__(
        self,
        storage: Storage,
        trainer: Trainer,
        state: FitState,
        reporter: Reporter,
        tolerance: Tolerance,
    ) -> None:
        self._trainer = trainer
        self._state = state
        self._reporter = reporter
        self._then = tolerance.then
        self._report: dict[str, Any] | None = None
        self._is_told = False
        self._unwatch = _nothing
        # Of several workers that train together, one keeps the notes.
        self._keeps = trainer.team is None or trainer.team.index == 0
        ring, meant = Ring(storage if self._keeps else None), state.allowed.unseen
        self._log = AttemptLog(ring)
        self._epoch = 0
        self._witness = Witness(ring, tolerance, self._differs, meant=meant)
        self.ends = self._log.ends
        self.replays = self._witness.replays
        self.replayed = self._witness.replayed
        self.changed = self._witness.changed
        self.saved = self._witness.saved

    def begin(self, report: dict[str, Any] | None, manifest: Manifest | None) -> None:
        """Begins to watch. Call it once the checkpoint is restored.

        Args:
            report: The callback's `resume_report`, which is kept up to date from now on.
            manifest: The checkpoint of rekindle that the fit() resumes from, or ``None``.
        """
        state, self._report = self._state, report
        is_ours = manifest is not None
        self._log.find(manifest)
        earlier = self._witness.begin(
            state.position if is_ours else None, is_changed=is_ours and state.is_changed
        )
        place = state.position.epoch, state.position.batch or 0
        initial = stages.initial_epoch(self._trainer.fit)
        self._log.begin(manifest, (initial if place[0] is None else place[0], place[1]))
        if report is not None:
            report["compared"] = self._witness.compared
        note = None if earlier is None else told.earlier(earlier)
        if note is not None and note not in state.notes:
            self._note(note)
            self._reporter.inexact([note])
        self._tell()
        self._unwatch = self._trainer.watch(self._step_ended, self._epoch_ends)

    def epoch_begins(self, epoch: int) -> None:
        """The epoch begins. What was read before it only led to its place in the data."""
        self._epoch = epoch
        self._witness.epoch_begins(epoch)
        data, epochs = self._state.data, self._trainer.fit.get("epochs")
        self._log.plan(epochs, None if data is None else data.batches)
        if data is not None:
            data.observer = self._witness.sees_batch

    def _step_ended(self, done: int, logs: Any) -> None:
        self._witness.step_ended(done, logs)
        self._log.reached(self._epoch, done)
        self._tell()

    def _epoch_ends(self, epoch: int, logs: Any) -> None:
        if self._trainer.stop_training:
            # The epoch was left early. A run that resumes within it may not leave it.
            return
        self._witness.epoch_ends(epoch, logs)
        self._log.reached(epoch + 1, 0, at_once=True)
        self._tell()
        if self._witness.is_over:
            self._tell_verified()

    def _tell_verified(self) -> None:
        if self._report is not None and not self._is_told and self._witness.evidence == VERIFIED:
            self._is_told = True
            self._reporter.verified(self._witness.compared)

    def _tell(self) -> None:
        if self._report is not None:
            self._report["evidence"] = self._witness.evidence

    def _note(self, text: str) -> None:
        self._state.notes.append(text)
        if self._report is not None:
            self._report["exact"], self._report["notes"] = False, list(self._state.notes)

    def _differs(self, text: str) -> None:
        self._note(text)
        self._tell()
        then = "ignore" if self._witness.evidence == CHANGED else self._then
        if then == "raise":
            self._witness.stop()
        self._reporter.differs(text, then)

    def as_state(self) -> dict[str, Any]:
        """The findings as JSON values, to save them; empty if the fit() began afresh."""
        report = self._report
        if report is None:
            return {}
        names = ("number", "epoch", "batch", "evidence")
        return {name: report[name] for name in names} | self._witness.compared

    def attempts(self, place: tuple[int, int], held: float) -> dict[str, Any]:
        """The attempts of the run as JSON values, for a checkpoint at this place.

        Of several workers, the one that keeps the notes gives them: their times differ from worker
        to worker, and a checkpoint has what differs once for each.

        Args:
            place: Whole epochs done, and batches of the next one.
            held: Seconds that saving has delayed this attempt so far.
        """
        if not self._keeps:
            return {}
        evidence = None if self._report is None else self._witness.evidence
        return self._log.as_state(place, held, evidence)

    def close(self) -> None:
        """Takes back all changes to the trainer. Safe to call again."""
        if self._state.data is not None:
            self._state.data.observer = None
        self._unwatch()
        self._unwatch = _nothing
        self._tell_verified()
        self._log.ends("stopped")
        self._witness.close()


def _nothing() -> None:
    """Nothing is watched."""
