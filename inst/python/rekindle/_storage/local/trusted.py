"""The users whose files count as this user's own: this user, root, and those that are trusted."""

from __future__ import annotations

import functools
import os

from rekindle.errors import ArgumentError

VARIABLE = "REKINDLE_TRUST_OWNER"

_ROOT = 0


def users() -> frozenset[int]:
    """The numbers of these users.

    Raises:
        ArgumentError: The environment variable names a user that this machine does not have.
    """
    return frozenset((os.geteuid(), _ROOT)) | _named(os.environ.get(VARIABLE, ""))


@functools.lru_cache(maxsize=8)
def _named(value: str) -> frozenset[int]:
    import pwd

    found = set()
    for word in filter(None, map(str.strip, value.split(","))):
        try:
            found.add(int(word) if word.isdecimal() else pwd.getpwnam(word).pw_uid)
        except (KeyError, ValueError):
            raise ArgumentError(
                f"Invalid value for the environment variable {VARIABLE}. Received: {value!r}."
                f" This machine has no user {word!r}. Expected names or numbers of users, with"
                " commas between them, whose files you trust as your own.",
                argument=VARIABLE,
                value=value,
            ) from None
    return frozenset(found)


def name_of(number: int) -> str:
    """The user's name, or the number if the user has no name."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
