"""What the tests of the runs need from the process they are in."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made and tried is the machine's.
settings.register_profile(
    "at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("at any speed")


@pytest.fixture(autouse=True, scope="session")
def ignores_nothing():
    """Under nohup, or as a job in the background, some signals are ignored, by children too."""
    for one in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(one) == signal.SIG_IGN:
            is_ctrl_c = one == signal.SIGINT
            signal.signal(one, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)
