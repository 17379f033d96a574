"""The saves of a run when warnings are errors."""

from __future__ import annotations

import errno
import os
import warnings

import pytest

import rekindle
from rekindle._training.saves import Saves


class FullDisk:
    """A manager in which the last save failed."""

    directory = "backup"
    waited = 0.0
    is_open = True

    def poll(self, *, wait):
        raise rekindle.SaveError(
            os.strerror(errno.ENOSPC), directory="backup", errno=errno.ENOSPC, needed=1, free=0
        )

    def close(self):
        self.is_open = False


def test_the_folder_is_let_go_of_even_where_a_warning_is_an_error():
    manager = FullDisk()
    saving = Saves(manager, "raise", 0, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(rekindle.SaveWarning, match="No space left"):
            saving.close()
    assert not manager.is_open
