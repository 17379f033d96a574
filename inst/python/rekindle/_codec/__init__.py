"""Captures live objects as a tree of arrays and JSON values, and restores them in place."""
