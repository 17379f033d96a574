"""Object stores for the tests of this folder: each is started once, and each test has a prefix."""

from __future__ import annotations

import proxy as proxies
import pytest
from clocks import Clock
from servers import AzureServer, S3Server, azurite
from store_places import StorePlace

from rekindle._storage.remote import clock as time_of_leases
from rekindle._storage.remote import heart


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


@pytest.fixture(params=["s3", "azure"] if azurite() else ["s3"])
def place(request):
    return StorePlace(request.getfixturevalue(request.param))


@pytest.fixture
def storage(place):
    made = place.storage()
    made.hold()
    yield made
    made.release()


@pytest.fixture
def proxy(s3):
    with proxies.Proxy(s3.endpoint) as one:
        yield one


@pytest.fixture
def clock(monkeypatch):
    """The clock of every lease of this process; and no heart beats by itself."""
    one = Clock(1000.0)
    monkeypatch.setattr(time_of_leases, "now", one)
    monkeypatch.setattr(heart, "start", lambda *given: None)
    return one
