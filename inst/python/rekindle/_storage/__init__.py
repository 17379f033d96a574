"""Where the bytes of checkpoints lie."""
