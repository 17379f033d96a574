"""Object stores for the tests of this folder: each is started once, and each test has a prefix."""

from __future__ import annotations

import uuid

import pytest
from contract import Place
from servers import AzureServer, S3Server, azurite

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


@pytest.fixture(scope="session")
def s3():
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def azure():
    if not azurite():
        pytest.skip("there is no azurite-blob, and REKINDLE_AZURITE names none")
    with AzureServer() as server:
        yield server


@pytest.fixture(params=["s3", "azure"])
def place(request):
    return StorePlace(request.getfixturevalue(request.param))


@pytest.fixture
def storage(place):
    made = place.storage()
    made.hold()
    yield made
    made.release()
