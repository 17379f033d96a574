"""Shared code of the tests of Synalinks: a small program, its data, a language model."""

from __future__ import annotations

import os
import random
import sys
import warnings
from pathlib import Path

# Before Synalinks is imported: litellm would fetch a list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import numpy as np
import pytest

PROGRAMS = Path(__file__).parents[2] / "exact" / "programs"
sys.path.insert(0, str(PROGRAMS))

with warnings.catch_warnings():
    # Of the packages that Synalinks imports.
    warnings.simplefilter("ignore")
    import litellm
    import synalinks  # noqa: F401


@pytest.fixture
def backup_dir(tmp_path):
    return tmp_path / "backup"


@pytest.fixture(autouse=True)
def seeded():
    random.seed(5)
    np.random.seed(5)


@pytest.fixture(autouse=True)
def calls(tmp_path):
    """Answers calls of language models. The file has a line for each call."""
    import local_model

    before = litellm.acompletion, litellm.aembedding
    log = tmp_path / "calls"
    local_model.install(str(log))
    yield log
    litellm.acompletion, litellm.aembedding = before
