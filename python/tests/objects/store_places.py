"""A prefix of a bucket as the tests of this folder use it."""

from __future__ import annotations

import uuid

from contract import Place

from rekindle._base import places
from rekindle._storage.remote.storage import RemoteStorage

# No test waits for the usual times of a network.
QUICK = {
    "client_options": {"timeout": "3s"},
    "retry_config": {"max_retries": 1, "backoff": {}},
}


class StorePlace(Place):
    """A prefix of a bucket, seen by clients that go to this endpoint."""

    def __init__(self, server, endpoint=None):
        self.server = server
        self.prefix = f"runs/{uuid.uuid4().hex}"
        self.url = f"{server.url}/{self.prefix}"
        self.options = {**server.options_at(endpoint or server.endpoint), **QUICK}

    def storage(self):
        return RemoteStorage(places.remote(self.url), self.options)

    def plant(self, name, data):
        self.server.put(f"{self.prefix}/{name}", data)
