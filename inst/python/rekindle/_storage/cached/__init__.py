"""A folder of this machine in front of an object store."""
