"""The storages that the contract is tested on, each at a fresh place."""

from __future__ import annotations

import uuid

from contract import Place
from memory_storage import MemoryStorage, Server

from rekindle._base import places, tuning
from rekindle._format import layout
from rekindle._storage.local import recycle
from rekindle._storage.local.storage import LocalStorage
from rekindle._storage.remote.storage import RemoteStorage
from rekindle._storage.resolve import resolve


class LocalPlace(Place):
    def __init__(self, folder, past_cache):
        self._folder = folder
        self._past_cache = past_cache

    def storage(self):
        return LocalStorage(str(self._folder), past_cache=self._past_cache)

    def plant(self, name, data):
        self._folder.mkdir(exist_ok=True)
        (self._folder / name).write_bytes(data)


class MemoryPlace(Place):
    def __init__(self):
        self._server = Server()

    def storage(self):
        return MemoryStorage(self._server)

    def plant(self, name, data):
        if self._server.files is None:
            self._server.files = {}
        self._server.files[name] = data


class RemotePlace(Place):
    """A prefix in an object store in the memory of this process."""

    def __init__(self):
        self._url = f"memory://{uuid.uuid4().hex}/run 7"

    def storage(self):
        return resolve(self._url)

    def plant(self, name, data):
        RemoteStorage(places.remote(self._url), {})._objects.put(name, data)


class CachedPlace(RemotePlace):
    """The same with a folder in front of it: the programs run on one machine."""

    def __init__(self, folder):
        super().__init__()
        self._folder = folder

    def storage(self):
        cache = {"local_cache": str(self._folder)}
        return resolve(self._url, options=cache)

    def plant(self, name, data):
        super().plant(name, data)
        self._folder.mkdir(exist_ok=True)
        (self._folder / name).write_bytes(data)


def made(kind, tmp_path, patch):
    """The place of this kind. Small packs go to the disk like those of a large model."""
    if kind == "memory":
        return MemoryPlace()
    if kind == "remote":
        return RemotePlace()
    if kind == "cached":
        return CachedPlace(tmp_path / "cache")
    patch.setenv(tuning.VARIABLE, "none" if kind == "plain" else "all")
    patch.setattr(recycle, "_LEAST", 0)
    patch.setattr(layout, "LARGE_PACK", 0)
    return LocalPlace(tmp_path / "backup", past_cache=kind != "waited for")


KINDS = ["tuned", "waited for", "plain", "memory", "remote", "cached"]
