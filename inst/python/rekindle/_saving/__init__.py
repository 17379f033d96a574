"""Numbered checkpoints of one source, written on this thread or beside a training."""
