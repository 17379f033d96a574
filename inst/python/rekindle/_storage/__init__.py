"""Storage: the places where the bytes of checkpoints lie."""
