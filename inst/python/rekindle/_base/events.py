"""What a run says while it goes: lines on standard output, or events for a host language."""

from __future__ import annotations

import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

from rekindle._printable import encodable, printable
from rekindle.errors import RekindleWarning

Sink = Callable[[str, dict[str, Any]], Any]

_sink: Sink | None = None
# What other threads said; R, for one, can only be called on the main one.
_waiting: deque[tuple[str, dict[str, Any]]] = deque()


# Python's own way of showing a warning, while ours stands in its place.
_show_elsewhere: Callable[..., Any] | None = None


def send_to(sink: Sink | None) -> None:
    """From now on the messages of this process go to `sink`; with ``None``, to standard output.

    So do rekindle's warnings, each time: Python alone shows the same one once in a process.

    Args:
        sink: Called as ``sink(kind, facts)``, on the main thread only. `facts` has the entry
            ``text``, the line that Python prints, and what else is known, by name. The kind of a
            warning is ``"warning"``, and its class' name the entry ``category``.
    """
    global _sink, _show_elsewhere
    if sink is not None and _show_elsewhere is None:
        _show_elsewhere, warnings.showwarning = warnings.showwarning, _show
        warnings.simplefilter("always", RekindleWarning)
    _sink = sink


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    if _sink is not None and file is None and issubclass(category, RekindleWarning):
        tell("warning", str(message), category=category.__name__, **vars(message))
    elif _show_elsewhere is not None:
        _show_elsewhere(message, category, filename, lineno, file, line)


def tell(kind: str, text: str, **facts: Any) -> None:
    """Says `text`. What a thread beside the main one says to a sink comes with its next message."""
    text = printable(text, keep="\n")
    if _sink is None:
        sys.stdout.write(encodable(f"rekindle: {text}\n", sys.stdout.encoding))
        sys.stdout.flush()
        return
    _waiting.append((kind, {"text": text, **{name: _shown(one) for name, one in facts.items()}}))
    if threading.current_thread() is threading.main_thread():
        while _waiting:
            _sink(*_waiting.popleft())


def _shown(fact: Any) -> Any:
    if isinstance(fact, list):
        return [_shown(item) for item in fact]
    return printable(fact) if isinstance(fact, str) else fact


def go_elsewhere() -> bool:
    """Whether a host language shows the messages."""
    return _sink is not None


def hint(kind: str, **facts: Any) -> None:
    """Tells a sink what it may want to act upon. Without one, nobody needs to know."""
    if _sink is not None:
        tell(kind, "", **facts)
