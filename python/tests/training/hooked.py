"""A callback with a function of the user's, and the capture of its outer values."""

from __future__ import annotations

import json


class Hooked:
    """A callback that has one function."""

    def __init__(self, hook):
        self.hook = hook


def taken(values):
    """The capture of the values, as it comes from a file, and its arrays."""
    arrays = {}
    return json.loads(json.dumps(values.take(arrays))), arrays
