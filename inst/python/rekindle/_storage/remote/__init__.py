"""A prefix of names in an object store as the storage of checkpoints."""
