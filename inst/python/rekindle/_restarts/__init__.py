"""``python -m rekindle run``: a command, started again for as long as its backup moves forward."""
