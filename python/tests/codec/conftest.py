"""Fixtures of the codec's tests. They run in a process with every framework."""

from __future__ import annotations

import every_framework  # noqa: F401  (before any test imports one of them)
import pytest


@pytest.fixture
def home(tmp_path):
    return str(tmp_path / "ckpts")
