"""The version; `DESCRIPTION` names the same."""

__version__ = "0.1.0"
