"""Which call of fit() in its process a run is, among those with the same folder.

A script may call fit() several times with one folder, which each call leaves empty at its end. If
the script is killed and runs again, its first fit() finds the backup of a later one, and nothing in
the arguments tells the two apart: the first fit() would continue the later one.
"""

from __future__ import annotations

from rekindle._format.manifest import Manifest
from rekindle._saving import open_runs
from rekindle._training import changes
from rekindle._training.changes import AllowedChanges
from rekindle.errors import MismatchError


class CallOfFit:
    """The call of fit() that a run belongs to.

    Args:
        directory: The backup folder.

    Attributes:
        before: How many calls of fit() with the folder had come to their end before the run began,
            in the process in which it began.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.before = open_runs.count_completed(directory)

    def compare(self, manifest: Manifest, allowed: AllowedChanges) -> list[str]:
        """A line if the checkpoint is of a later call than this one.

        Args:
            manifest: The manifest of the checkpoint. An older rekindle did not save its call.
            allowed: The differences that do not rule the checkpoint out.

        Raises:
            MismatchError: It is refused. Nothing was changed.
        """
        saved, here = manifest.state.get("calls_before", 0), self.before
        if not isinstance(saved, int) or saved <= here:
            # A run that goes on keeps its call, whatever else its process has trained since.
            self.before = saved if isinstance(saved, int) else here
            return []
        line = (
            f"{changes.LATER_CALL}: in its process,"
            f" {_calls(saved)} with this folder had ended before, and in this process {here}"
        )
        if allowed.refused([line]):
            raise MismatchError(
                f"The backup in {self._directory!r} is not of this fit(): {line}. Nothing was"
                " changed. If a script calls fit() several times, give each call a backup folder of"
                " its own, or an `initial_epoch` at which the call before ends. Where one call was"
                f" repeated by hand, this one may resume.{changes.advice([line])} To start afresh,"
                " rename or remove that folder.",
                differences=[
                    f"calls of fit() before: expected {here}, found {saved} in the backup"
                ],
            )
        return [line]

    def ended(self) -> None:
        """The fit() has come to its end."""
        open_runs.completed(self._directory)


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'} of fit()"
