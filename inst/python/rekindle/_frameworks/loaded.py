"""Finds the frameworks that this process has imported, and imports none to check a value.

A value can only belong to a framework that some code has already imported.
"""

from __future__ import annotations

import sys
from typing import Any


def loaded(module: str) -> Any:
    """The module of this name, such as ``"torch"``; ``None`` if it is not imported."""
    return sys.modules.get(module)
