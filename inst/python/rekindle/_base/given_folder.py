"""A folder that a program names once and uses for a long time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rekindle._base import places


class GivenFolder:
    """A folder as the program named it. A later ``os.chdir()`` does not move the folder.

    Args:
        given: The path, or a URL. A relative path counts from the working directory at this call.

    Attributes:
        given: The path, as the program gave it.
        absolute: The absolute path, or the URL.
    """

    def __init__(self, given: str) -> None:
        self.given = given
        self.absolute = places.absolute(given)

    @property
    def shown(self) -> str:
        """The given path, if it still leads to the folder; else the absolute path."""
        try:
            leads_there = places.absolute(self.given) == self.absolute
        # The working directory itself was removed.
        except FileNotFoundError:
            leads_there = False
        return self.given if leads_there else self.absolute

    def path(self, name: str) -> str:
        """The path of a file in the folder, as :attr:`shown` has it."""
        return places.join(self.shown, name)

    def calls_with_path(self, function: Callable[[str], Any]) -> Callable[[str], Any]:
        """A function of a file's name, which calls `function` with the file's path."""
        return lambda name: function(self.path(name))
