"""The status of a restore: which values it matched, and which it did not."""

from __future__ import annotations

import warnings

from rekindle.errors import MismatchWarning, UnmatchedError, bulleted


class RestoreStatus:
    """The status of a restore, with assertions as on the status of ``tf.train.Checkpoint``.

    Attributes:
        unmatched: list of str. Places of live values that have no value in the checkpoint.
        unconsumed: list of str. Places in the checkpoint that have no live value.
    """

    def __init__(self, path: str | None, unmatched: list[str], unconsumed: list[str]) -> None:
        self._path = path
        self.unmatched = unmatched
        self.unconsumed = unconsumed
        self._was_asked = path is None

    def assert_consumed(self) -> RestoreStatus:
        """Asserts that the restore used everything in the checkpoint and restored every live value.

        Raises:
            UnmatchedError: (an ``AssertionError``) A value was not used or not restored.
        """
        return self._assert(self._lines())

    def assert_existing_objects_matched(self) -> RestoreStatus:
        """Asserts that every live value was restored. The checkpoint may hold more.

        Raises:
            UnmatchedError: (an ``AssertionError``) A live value was not restored.
        """
        return self._assert([_no_value(place) for place in self.unmatched])

    def expect_partial(self) -> RestoreStatus:
        """Accepts a restore of a part: rekindle then does not warn."""
        self._was_asked = True
        return self

    def _lines(self) -> list[str]:
        return [_no_value(place) for place in self.unmatched] + [
            f"{place}: expected nothing, found a value in the checkpoint"
            for place in self.unconsumed
        ]

    def _assert(self, lines: list[str]) -> RestoreStatus:
        self._was_asked = True
        if self._path is None:
            raise UnmatchedError(
                "No checkpoint was given to restore(), so nothing was restored.",
                differences=["checkpoint: expected one, found none"],
            )
        if lines:
            raise UnmatchedError(
                f"{self._path} and the objects do not match. The matching parts were restored.\n"
                + bulleted(lines),
                differences=lines,
            )
        return self

    # As in TensorFlow: warn a caller that drops the status without a check.
    def __del__(self) -> None:
        if not self._was_asked and (self.unmatched or self.unconsumed):
            warnings.warn(
                f"{self._path} was restored in part:\n{bulleted(self._lines())}If that is"
                " intended, call expect_partial() on the result of restore().",
                MismatchWarning,
                stacklevel=2,
            )


def _no_value(place: str) -> str:
    return f"{place}: expected a value in the checkpoint, found none"
