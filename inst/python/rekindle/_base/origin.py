"""Where a class or a function comes from."""

from __future__ import annotations

from typing import Any


def module_of(kind: Any) -> str:
    """The name of the module of a class or a function, empty if it has none.

    A class that R makes by `reticulate::PyClass()` has no attribute `__module__`: reading it fails.
    """
    return str(getattr(kind, "__module__", None) or "")


def package_of(kind: Any) -> str:
    """The name of the outermost package of that module."""
    return module_of(kind).partition(".")[0]
