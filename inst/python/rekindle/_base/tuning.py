"""The optimizations that rekindle uses on Linux, and the switch that turns them off.

Checkpoints are the same bytes with and without them. The environment variable ``REKINDLE_TUNING``
names those to use, with commas between them; ``all`` is the default, and ``none`` uses none.
"""

from __future__ import annotations

import functools
import os

from rekindle.errors import ArgumentError

VARIABLE = "REKINDLE_TUNING"

RECYCLE = "recycle"
DIRECT_IO = "direct-io"
PAGE_CACHE = "page-cache"
EARLY_WRITING = "early-writing"
HUGE_PAGES = "huge-pages"

NAMES = (RECYCLE, DIRECT_IO, PAGE_CACHE, EARLY_WRITING, HUGE_PAGES)


def uses(name: str) -> bool:
    """Whether to use this optimization.

    Raises:
        ArgumentError: The environment variable names something else.
    """
    return name in _chosen(os.environ.get(VARIABLE, "all"))


@functools.lru_cache(maxsize=8)
def _chosen(value: str) -> frozenset[str]:
    words = [word.strip() for word in value.split(",")]
    if words in (["all"], ["none"]):
        return frozenset(NAMES if words == ["all"] else ())
    if not set(words) <= set(NAMES):
        raise ArgumentError(
            f"Invalid value for the environment variable {VARIABLE}. Received: {value!r}. Expected"
            f" 'all', 'none', or some of these names with commas between them: {', '.join(NAMES)}.",
            argument=VARIABLE,
            value=value,
        )
    return frozenset(words)
