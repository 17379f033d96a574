"""The witness of a custom training loop: compares the steps that the loop itself reports."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rekindle._base import checks
from rekindle._format.manifest import Manifest, Position
from rekindle._frameworks import table as frameworks
from rekindle._policy.tolerance import Tolerance
from rekindle._storage.protocol import Storage
from rekindle._training import told
from rekindle._training.reporting import Reporter
from rekindle._training.witness.ring import Ring
from rekindle._training.witness.samples import unreadable
from rekindle._training.witness.witness import NOTHING, UNVERIFIED, Witness
from rekindle.errors import ArgumentError


class LoopWitness:
    """Whether a resumed loop is the interrupted one, as far as both have reported their steps.

    It does nothing, and opens no file, until the loop reports its first step.

    Args:
        storage: The folder of the checkpoints.
        tolerance: What counts as a difference, and what to do then.

    Attributes:
        report: The manager's `resume_report`.
    """

    def __init__(self, storage: Storage, tolerance: Tolerance) -> None:
        self.report: dict[str, Any] | None = None
        self._storage = storage
        self._tolerance = tolerance
        self._reporter = Reporter(0, lambda _: None)
        self._witness: Witness | None = None
        self._resumes = False

    def resumed(self, manifest: Manifest) -> None:
        """The checkpoint was restored: the next steps follow it."""
        self.close()
        self._resumes = True
        self.report = {
            "number": manifest.number,
            "step": manifest.position.step,
            "time": manifest.time,
            "evidence": UNVERIFIED,
            "notes": [],
            "compared": dict(NOTHING),
        }

    def saw(self, step: int, batch: Any, loss: Any) -> None:
        """A step was trained. Call it while the folder is locked.

        Raises:
            ArgumentError: A value is not of the accepted form.
            MismatchError: The loop differs from the interrupted one, and the user wants an error.
        """
        witness = self._witness
        if witness is None:
            _check(batch, loss)
            witness = self._begin()
        if batch is not None:
            witness.reads_at(step)
            witness.sees_batch(batch)
        witness.step_ended(step + 1, {} if loss is None else {"loss": loss})
        self._tell(witness)

    def _begin(self) -> Witness:
        made = Witness(Ring(self._storage), self._tolerance, self._differs, place=_at_step)
        # A loop has no epochs: its steps are the batches of one.
        earlier = made.begin(Position(None, 0, 0) if self._resumes else None, is_changed=False)
        # What follows a later close() is not compared with the killed run any more.
        resumes, self._resumes, self._witness = self._resumes, False, made
        if resumes and self.report is not None:
            self.report["compared"] = made.compared
            if earlier is not None:
                self.report["notes"] = [told.earlier(earlier)]
        return made

    def _tell(self, witness: Witness) -> None:
        if self.report is not None and self.report["compared"] is witness.compared:
            self.report["evidence"] = witness.evidence

    def _differs(self, text: str) -> None:
        if self._witness is not None:
            self._tell(self._witness)
            if self._tolerance.then == "raise":
                self._witness.stop()
        if self.report is not None:
            self.report["notes"] = [*self.report["notes"], text]
        self._reporter.differs(text, self._tolerance.then)

    def settle(self) -> None:
        """Compares losses that a device still computes. A save waits for the device in any case.

        Raises:
            MismatchError: As :meth:`saw`.
        """
        if self._witness is not None:
            self._witness.settle()
            self._tell(self._witness)

    def at_checkpoint(self) -> dict[str, Any]:
        """A checkpoint is taken: a resumed loop begins here.

        Returns:
            The findings as JSON values, to save them with it; empty if there are none.

        Raises:
            MismatchError: As :meth:`saw`.
        """
        self.settle()
        if self._witness is None:
            return {}
        self._witness.saved()
        report = self.report
        if report is None:
            return {}
        names = ("number", "step", "evidence")
        return {**{name: report[name] for name in names}, **report["compared"]}

    def close(self) -> None:
        """Closes the file. What was noted stays, for the loop that resumes. Safe to call again."""
        witness, self._witness = self._witness, None
        if witness is not None:
            witness.close()


def _at_step(_: int, step: int | None) -> str:
    return f"step {step} on"


def _check(batch: Any, loss: Any) -> None:
    """Refuses what would never be compared, without a word."""
    found = None if batch is None else unreadable(batch)
    if found is not None:
        raise ArgumentError(
            f"Invalid value for argument `batch`. Received: a batch with a {found!r} in it."
            " Expected arrays, numbers or strings, or tuples, lists and dicts of these.",
            argument="batch",
            value=batch,
        )
    if loss is not None and not _is_one_number(loss):
        raise checks.invalid("loss", loss, "a number, or an array of any framework with one in it")


def _is_one_number(value: Any) -> bool:
    if isinstance(value, float | int | np.number):
        return not isinstance(value, bool)
    return frameworks.framework(value) is not None and math.prod(value.shape) == 1
