"""Shared code of the tests of tf_keras: a small model, its data, runs in separate processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import tensorflow as tf
import tf_keras

EXACT = Path(__file__).parents[2] / "exact" / "keras2"


@pytest.fixture
def backup_dir(tmp_path):
    return tmp_path / "backup"


@pytest.fixture(scope="session")
def groups():
    """Runs trainings of several processes."""
    sys.path.append(str(EXACT))
    import group

    groups = group.Groups()
    yield groups
    groups.close()


@pytest.fixture(autouse=True)
def seeded():
    """Each test begins with the same seeds, and leaves none behind."""
    tf_keras.utils.set_random_seed(7)
    yield
    tf.random.set_seed(None)
    tf_keras.mixed_precision.set_global_policy("float32")
