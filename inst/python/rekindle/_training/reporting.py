"""The messages of one fit(): lines up to the wanted verbosity, and each warning once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rekindle._base import events
from rekindle._base.counted import counted
from rekindle._codec.changeable import FAILED, IS_NEW
from rekindle._format.manifest import Manifest
from rekindle.errors import InexactWarning, MismatchError, RekindleWarning, bulleted

_INEXACT = "The resumed run may differ from the interrupted one: {}."


class Reporter:
    """Prints messages, and remembers which warnings it has given.

    Args:
        verbose: 0 prints nothing but warnings.
        progress_bar: Makes a progress bar for a number of batches.
    """

    def __init__(self, verbose: int, progress_bar: Callable[[int], Any]) -> None:
        self._verbose = verbose
        self._progress_bar = progress_bar
        self._warned: set[str] = set()
        self._bar: Any = None

    def say(self, verbosity: int, text: str, kind: str, **facts: Any) -> None:
        """Prints a line if the user wants it; `kind` and `facts` are for other languages."""
        if self._verbose >= verbosity:
            events.tell(kind, text, **facts)

    def resumed(self, manifest: Manifest, batches: int | None) -> dict[str, Any]:
        """Prints where the run resumes, and returns the same as a report.

        Args:
            manifest: The checkpoint's manifest.
            batches: How many batches an epoch has, if that is known.
        """
        position = manifest.position
        report = {
            "number": manifest.number,
            "epoch": position.epoch,
            "batch": position.batch or 0,
            "step": position.step,
            "time": manifest.time,
        }
        age = _duration(max(0.0, time.time() - manifest.time))
        place = f"epoch {position.epoch}"
        at_end = position.batch is not None and position.batch == batches
        if at_end:
            place = f"the end of {place}"
        elif position.batch:
            place += f", batch {position.batch}"
        text = (
            f"Resuming at {place} (counted from 0) from checkpoint {manifest.number}, saved {age}"
            " ago."
        )
        self.say(1, text, "resumed", **report, at_end=at_end)
        return report

    def reads_again(self, done: int, total: int) -> None:
        """Shows how many of the batches before the checkpoint have been read again."""
        text = "Replaying the batches that were trained before."
        if events.go_elsewhere():
            self.say(1, text, "replaying", done=done, total=total)
            return
        if self._verbose < 1:
            return
        if self._bar is None:
            self.say(1, text, "replaying")
            self._bar = self._progress_bar(total)
        self._bar.update(done, finalize=done == total)

    def inexact(self, notes: Iterable[str]) -> None:
        """Warns of parts of the interrupted run that could not be restored exactly."""
        for note in notes:
            self._warn_once(_INEXACT.format(note))

    def verified(self, compared: Mapping[str, Any]) -> None:
        """Prints that the resumed run was seen to be the interrupted one."""
        text = f"Verified: {counted(compared)} equal those of the interrupted run."
        self.say(1, text, "verified", **compared)

    def differs(self, note: str, then: str) -> None:
        """Reports that the resumed run was seen to be another than the interrupted one.

        Args:
            note: From where on, and what.
            then: "warn", "raise" or "ignore".

        Raises:
            MismatchError: The user wants an error.
        """
        self._warned.add(_INEXACT.format(note))
        if then == "raise":
            raise MismatchError(
                f"The resumed run is not the interrupted one: {note}. Its checkpoints stay.",
                differences=[note],
            )
        text = (
            f"The resumed run differs from the interrupted one: {note}. Training continues. Look"
            " for what the script, its data or the machine does otherwise than before. If losses"
            " may differ a little, as on a GPU, give `on_difference` a tolerance, such as 1e-5."
        )
        if then == "warn":
            self._warn_once(text)

    def not_repeated(self, reasons: Iterable[str]) -> None:
        """Warns, at a checkpoint, of what a run that resumes from it may not repeat."""
        text = "A resumed run may differ from one that is never interrupted"
        for reason in reasons:
            self._warn_once(f"{text}: {reason}.")

    def lost(self, reasons: Mapping[str, str]) -> None:
        """Warns of attributes that a resume does not restore, each with the reason."""
        for name, reason in reasons.items():
            if reason.endswith("."):
                self._warn_once(f"{name} {reason}")
                continue
            self._warn_once(
                f"{name} {reason}. A resumed run begins with the value that the script sets."
                f" {_advice(reason)}"
            )

    def not_restorable(self, names: list[str]) -> None:
        """Warns of saved variables that the same script would not have in its next run."""
        if names:
            self._warn_once(
                "These variables were created during training, and are saved. The same script"
                " does not have them when its next fit() begins, so it cannot restore its"
                f" backup:\n{bulleted(names)}Build them before fit(): a model or a layer by"
                " calling it on a batch of data, an optimizer by `optimizer.build(variables)`."
            )

    def not_saved(self, optimizers: Iterable[str]) -> None:
        """Warns of optimizers beside the model's own that a resumed run could not build again."""
        for name in optimizers:
            self._warn_once(
                f"{name} is an optimizer beside `model.optimizer`, and was built during training"
                " for variables that are not the model's. The same script cannot restore its"
                " backup. Build it before fit(), by `optimizer.build(variables)`."
            )

    def done(self, text: str) -> None:
        """Warns that this fit() runs nothing, although the script asked for training."""
        warnings.warn(text, RekindleWarning, stacklevel=4)

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            warnings.warn(text, InexactWarning, stacklevel=4)


def _advice(reason: str) -> str:
    """How the value can be saved, by the reason why it was not."""
    if reason == IS_NEW:
        return "To save it, set it in the constructor or in on_train_begin()."
    if reason.startswith(FAILED):
        return "Mend the function that failed."
    return "To save it, give its class the methods state_dict() and load_state_dict()."


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} seconds"
