"""Folders of the local file system. Only these modules make system calls on them."""
