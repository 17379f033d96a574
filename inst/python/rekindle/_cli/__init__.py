"""The commands of ``python -m rekindle``, a file for each."""
