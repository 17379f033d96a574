"""Fixtures of the tests of a fit() without any framework."""

from __future__ import annotations

import pytest

from rekindle._storage.resolve import resolve


@pytest.fixture
def storage(tmp_path):
    """The storage of a backup folder that is locked."""
    made = resolve(str(tmp_path / "backup"))
    made.hold()
    yield made
    made.release()
