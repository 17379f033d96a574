"""The messages of a run: lines on standard output, or events for a host language."""

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
# Messages that wait for the main thread. R, for example, can only be called on the main thread.
_waiting: deque[tuple[str, dict[str, Any]]] = deque()


# Python's own function that shows a warning, while ours replaces it.
_show_elsewhere: Callable[..., Any] | None = None


def send_to(sink: Sink | None) -> None:
    """Sends the messages of this process to `sink`, or to standard output if it is ``None``.

    The sink also gets rekindle's warnings, every time. By default, Python shows the same warning
    only once in a process.

    Args:
        sink: Called as ``sink(kind, facts)``, on the main thread only. In `facts`, the entry
            ``text`` is the line that Python would print; the other facts are entries by name. For
            a warning, the kind is ``"warning"``, and the entry ``category`` names its class.
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
    """Prints `text` or sends it to the sink. Other threads' messages wait for the main thread's."""
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
    """Sends the sink a fact that it may want to act upon. Without a sink, does nothing."""
    if _sink is not None:
        tell(kind, "", **facts)
