"""The folder on disk and its only writer: nothing else makes a system call on it."""

from rekindle._store.commit import Snapshot
from rekindle._store.folder import Folder
from rekindle._store.manifest import Manifest, Position
from rekindle._store.reader import Save

__all__ = ["Folder", "Manifest", "Position", "Save", "Snapshot"]
