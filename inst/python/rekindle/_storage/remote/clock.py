"""Seconds that also pass while the machine sleeps."""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since some moment. A suspended machine must not take its lease for a fresh one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
