"""Fixtures that prepare the process for the tests of runs."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# The speed of the examples depends on the machine.
settings.register_profile(
    "at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("at any speed")


@pytest.fixture(autouse=True, scope="session")
def ignores_nothing():
    """Under nohup, or in a background job, the process and its children ignore some signals."""
    for one in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(one) == signal.SIG_IGN:
            is_ctrl_c = one == signal.SIGINT
            signal.signal(one, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)
