"""The version; `DESCRIPTION` has the same version."""

__version__ = "0.1.0"
