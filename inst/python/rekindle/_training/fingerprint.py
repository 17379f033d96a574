"""What must be the same in both runs for the resumed one to be the interrupted one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle.errors import MismatchError, bulleted


def differences(expected: Mapping[str, Any], saved: Any) -> list[str]:
    """A line for each thing that is known of both runs and differs."""
    if not isinstance(saved, dict):
        return []
    return [
        f"{name}: expected {value!r}, found {saved[name]!r} in the backup"
        for name, value in expected.items()
        if name in saved and saved[name] != value
    ]


def refuse(directory: str, what: str, differences: list[str]) -> None:
    """Refuses the backup in a folder for its differences, if there are any.

    Args:
        directory: The folder.
        what: What the backup is "of".
        differences: A line for each.

    Raises:
        MismatchError: There are some.
    """
    if differences:
        raise MismatchError(
            f"The backup in {directory!r} is {what}. Nothing was changed.\n"
            + bulleted(differences)
            + "Go on with what was saved, give this run a backup folder of its own, or rename or"
            " remove that folder to start afresh.",
            differences=differences,
        )
