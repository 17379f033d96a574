"""The meaning of a checkpoint's bytes: names, manifests, limits. Reads and writes no files."""
