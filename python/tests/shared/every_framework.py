"""Imports the frameworks in an order that works, for tests that need all of them in one process."""

from __future__ import annotations

import contextlib

# PyTorch's CUDA build includes Triton, and imports it on first use. After TensorFlow, that import
# ends the process (seen with Triton 3.7).
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

import tensorflow as tf

__all__ = ["tf"]
