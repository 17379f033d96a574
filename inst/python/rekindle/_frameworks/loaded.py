"""The frameworks that this process has imported: none is imported for a value that is not its own.

A value can only be of a framework that its maker has imported.
"""

from __future__ import annotations

import sys
from typing import Any


def loaded(module: str) -> Any:
    """The module of this name, such as ``"torch"``; ``None`` when nobody has imported it."""
    return sys.modules.get(module)
