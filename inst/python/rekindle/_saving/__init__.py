"""Numbered checkpoints of one writer, written here or behind a training."""
