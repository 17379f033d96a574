"""The checkpoints of one name in one storage: commits, reads, retains and removes them."""
