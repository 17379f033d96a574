"""The checkpoints of one name in one storage: commit, read, retain, remove."""
