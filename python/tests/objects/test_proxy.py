"""The servers and the proxy do what the other tests believe that they do."""

from __future__ import annotations

import datetime
import http.client
import threading
import time
from urllib.parse import urlsplit

import actions
import obstore
import proxy as proxies
import pytest
import servers
from obstore.exceptions import AlreadyExistsError, GenericError, PermissionDeniedError

ALWAYS = float("inf")
ONCE = {"max_retries": 0, "retry_timeout": datetime.timedelta(seconds=10)}


@pytest.fixture(scope="module")
def started():
    with servers.S3Server() as one:
        yield one


@pytest.fixture
def server(started):
    started.reset()
    started.put("run7/a", b"0123456789")
    return started


@pytest.fixture
def proxy(server):
    with proxies.Proxy(server.endpoint) as one:
        yield one


@pytest.fixture
def store(server, proxy):
    return client(server, proxy)


def client(server, proxy, **settings):
    options = server.options_at(proxy.endpoint)
    return servers.store_of(server.url, options, retry_config=ONCE, **settings)


def asked(server, proxy, method="GET", name="run7/a", body=None, **headers):
    """The status and the body that a client gets which tries once."""
    url = urlsplit(proxy.endpoint)
    # moto refuses a client without a name, but checks no signature.
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={servers.KEY_ID}/1/us-east-1/s3/x"
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
    try:
        connection.request(method, f"/{server.bucket}/{name}", body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def got(store, name="run7/a"):
    return bytes(obstore.get(store, name).bytes())


def raced(store, name, **mode):
    """How many of 20 threads wrote."""
    start, wrote = threading.Barrier(20), []

    def write(index):
        start.wait()
        try:
            obstore.put(store, name, b"%d" % index, **mode)
            wrote.append(index)
        except obstore.exceptions.BaseError:
            pass

    threads = [threading.Thread(target=write, args=[index]) for index in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return wrote


def check_server(server):
    store = server.store()
    tag = obstore.put(store, "one", b"0123456789", mode="create")["e_tag"]
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "one", b"other", mode="create")
    assert len(raced(store, "one", mode={"e_tag": tag})) == 1
    [winner] = raced(store, "run7/b", mode="create")
    server.put("run7/c", b"")
    assert server.objects("run7/b") == {"run7/b": b"%d" % winner}
    assert server.objects("run7/c") == {"run7/c": b""}
    server.put("one", b"0123456789")
    assert bytes(obstore.get_range(store, "one", start=2, end=5)) == b"234"
    server.delete("one")
    assert "one" not in server.objects()
    server.reset()
    assert server.objects() == {}


def test_a_server_decides_a_condition_and_its_write_at_once(server):
    check_server(server)


@pytest.mark.skipif(not servers.azurite(), reason="needs azurite-blob (npm install azurite)")
def test_so_does_azurite_also_behind_a_proxy():
    with servers.AzureServer() as server, proxies.Proxy(server.endpoint) as proxy:
        check_server(server)
        server.put("run7/a", b"0123456789")
        assert got(client(server, proxy)) == b"0123456789"
        assert server.uploads() == []


@pytest.mark.skipif(not servers.localstack(), reason="needs a Python that has LocalStack")
def test_so_does_localstack():
    with servers.LocalStackServer() as server:
        check_server(server)
        assert server.uploads() == []


def test_the_environment_is_enough(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    assert got(obstore.store.from_url(server.url)) == b"0123456789"


def test_an_upload_that_was_begun_is_seen(server):
    begun = server._client.create_multipart_upload(Bucket=server.bucket, Key="run7/large")
    assert server.uploads() == ["run7/large"]
    assert begun["Key"] not in server.objects()


def test_requests_pass_and_are_recorded(server, proxy, store):
    assert got(store) == b"0123456789"
    assert bytes(obstore.get_range(store, "run7/a", start=2, end=5)) == b"234"
    obstore.put(store, "run7/b", b"abc", mode="create")
    obstore.put(store, "run7/c", iter([bytes(6 << 20)] * 2), chunk_size=6 << 20)
    obstore.delete(store, ["run7/b", "run7/c"])
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "run7/c")
    assert asked(server, proxy, "PUT", "run7/d", iter([b"one", b"two"])) == (200, b"")
    assert server.objects("run7/d") == {"run7/d": b"onetwo"}
    first, part, created, *_ = proxy.requests
    assert (first.method, first.path) == ("GET", f"/{server.bucket}/run7/a")
    assert (first.status, first.served, first.received) == (200, 200, 10)
    assert (part.fields["range"], part.status, part.received) == ("bytes=2-4", 206, 3)
    assert (created.method, created.sent, created.fields["if-none-match"]) == ("PUT", 3, "*")
    parts = [one for one in proxy.requests if actions.is_a("PUT", asks="partNumber")(one)]
    assert [one.sent for one in parts] == [6 << 20] * 2
    assert [one.number for one in proxy.requests] == list(range(1, proxy.count + 1))


@pytest.mark.parametrize("what", [*actions.STATUSES, 403, 503])
def test_an_error_does_not_reach_the_server(server, proxy, what):
    proxy.plan(actions.status(what))
    status, body = asked(server, proxy, "PUT", "run7/b", b"abc")
    assert status == actions.STATUSES.get(what, what)
    assert b"<Error><Code>" in body
    assert "run7/b" not in server.objects()
    assert proxy.requests[0].served is None
    assert asked(server, proxy) == (200, b"0123456789")


def test_the_plan_counts_the_requests_that_it_is_for(proxy, store):
    is_get = actions.is_a("GET", ending="/a")
    proxy.plan(actions.status("AccessDenied"), at=2, when=is_get, times=2)
    obstore.put(store, "run7/b", b"abc")
    assert got(store) == b"0123456789"
    for _ in range(2):
        with pytest.raises(PermissionDeniedError):
            got(store)
        assert got(store, "run7/b") == b"abc"
    assert got(store) == b"0123456789"


@pytest.mark.parametrize(
    ("action", "is_there"),
    [
        (actions.lose_reply, True),
        (actions.close, False),
        (actions.close_at_once, False),
        (actions.hook(after=lambda: None), True),
    ],
)
def test_a_lost_reply_is_an_error_whether_it_took_effect_or_not(
    server, proxy, store, action, is_there
):
    proxy.plan(action, times=2)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        asked(server, proxy, "PUT", "run7/b", b"abc")
    with pytest.raises(GenericError):
        obstore.put(store, "run7/c", b"abc")
    assert set(server.objects()) == {"run7/a"} | ({"run7/b", "run7/c"} if is_there else set())
    assert {one.status for one in proxy.requests} == {None}


def test_an_answer_ends_in_its_middle(server, proxy):
    proxy.plan(actions.half_close)
    with pytest.raises(http.client.IncompleteRead) as info:
        asked(server, proxy)
    assert info.value.partial == b"01234"


def test_a_bit_is_flipped(server, proxy, store):
    proxy.plan(actions.flip())
    assert asked(server, proxy) == (200, b"0123446789")
    proxy.plan(actions.flip(at=0))
    assert got(store) == b"1123456789"


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        (actions.silence, False, False),
        (actions.silence_after, True, True),
        (actions.late, False, True),
    ],
)
def test_silence_lasts_until_it_is_released(server, proxy, action, before, after):
    store = client(server, proxy, client_options={"timeout": "300ms"})
    proxy.plan(action)
    with pytest.raises(GenericError):
        obstore.put(store, "run7/b", b"abc")
    assert ("run7/b" in server.objects()) == before
    proxy.release()
    end = time.monotonic() + 5
    while ("run7/b" in server.objects()) != after and time.monotonic() < end:
        time.sleep(0.01)
    assert ("run7/b" in server.objects()) == after
    assert got(store) == b"0123456789"


def test_an_answer_trickles(server, proxy):
    proxy.plan(actions.trickle(0.02, head_at_once=True))
    began = time.monotonic()
    assert asked(server, proxy) == (200, b"0123456789")
    assert time.monotonic() - began > 0.15


def test_a_function_is_called_before_the_server_has_the_request(server, proxy):
    seen = []
    proxy.plan(actions.hook(before=lambda: seen.append(server.objects("run7/b"))))
    assert asked(server, proxy, "PUT", "run7/b", b"abc")[0] == 200
    assert seen == [{}]


def test_the_network_goes_and_comes_back(server, proxy):
    store = client(server, proxy, client_options={"timeout": "5s"})
    assert got(store) == b"0123456789"
    proxy.plan(actions.silence)
    threading.Timer(0.2, proxy.cut).start()
    with pytest.raises(GenericError):
        got(store)
    with pytest.raises(ConnectionRefusedError):
        asked(server, proxy)
    proxy.mend()
    assert got(store) == b"0123456789"


def test_requests_can_be_delayed(server, proxy):
    proxy.delay(0.2)
    began = time.monotonic()
    asked(server, proxy)
    assert time.monotonic() - began > 0.2


def test_a_proxy_in_a_process_of_its_own_is_the_same(server):
    with proxies.apart(server.endpoint) as proxy:
        store = client(server, proxy)
        proxy.plan(actions.status("SlowDown"), when=actions.is_a("GET"), times=ALWAYS)
        with pytest.raises(GenericError):
            got(store)
        proxy.clear()
        assert got(store) == b"0123456789"
        assert [one.status for one in proxy.requests] == [503, 200]
        proxy.wait_for(2)
        proxy.cut()
        with pytest.raises(ConnectionRefusedError):
            asked(server, proxy)
        proxy.mend()
        assert asked(server, proxy) == (200, b"0123456789")
