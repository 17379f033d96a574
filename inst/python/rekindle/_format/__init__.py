"""What the bytes of a checkpoint mean: names, manifests, limits. Reads and writes no file."""
