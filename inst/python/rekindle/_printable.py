"""Makes text from a folder safe to print."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """The text, with the escapes of `repr()` for characters that do not print as themselves.

    Any user may have made a name in a folder. The name can hold characters that move a terminal's
    cursor, turn the order of letters or end the line, and half characters that no encoding has.

    Args:
        text: Any text.
        keep: Characters that stay as they are.
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
