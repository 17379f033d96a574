"""Text from a folder, as it can be printed to a person."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """The text with escapes, as `repr()` has them, for what would not print as itself.

    A name in a folder may be anybody's: it can hold what moves a terminal's cursor, turns the order
    of letters or ends the line, and half characters that no encoding has.

    Args:
        text: Any text.
        keep: Characters that stay.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in keep else repr(sign)[1:-1] for sign in text
    )


def encodable(text: str, encoding: str | None) -> str:
    """The text with escapes for characters that an encoding does not have."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)
