"""What people see when an object store refuses, and how soon: a class, a cause, and what to do."""

from __future__ import annotations

import contextlib
import http.server
import re
import shutil
import ssl
import subprocess
import threading
import time
import warnings

import actions
import http_message
import numpy as np
import pytest
from servers import KEY_ID, SECRET
from store_places import StorePlace

import rekindle
from rekindle import inspection
from rekindle.errors import RekindleError, RestoreError, SaveError

ALWAYS = float("inf")

# A message for each kind of refusal. `URL` is the place.
CREDENTIALS = (
    "the store does not accept the credentials. They come from `storage_options`, from the"
    " environment or from the machine's own role"
)
DENIED = (
    "the store denies it to these credentials. They need the right to list, read, write and delete"
    " objects there (HTTP 403, AccessDenied)"
)
AWAY = (
    "the store cannot be reached, or did not answer in time. Check the endpoint, the region and the"
    " network"
)
SLOW = "the store asks for fewer requests. Save less often, or try again later"
BUCKET = (
    "there is no such bucket or container. Make it, or correct its name, the region or the endpoint"
    " (HTTP 404, NoSuchBucket)"
)
TLS = (
    "the store's certificate is not accepted. Check the endpoint, or install the certificate of its"
    " authority on this machine"
)
STATUSES = {
    "AccessDenied": (actions.status(403), DENIED),
    "InvalidAccessKeyId": (
        actions.status(403, "InvalidAccessKeyId"),
        f"{CREDENTIALS} (HTTP 403, InvalidAccessKeyId)",
    ),
    "SignatureDoesNotMatch": (
        actions.status(403, "SignatureDoesNotMatch"),
        f"{CREDENTIALS} (HTTP 403, SignatureDoesNotMatch)",
    ),
    "RequestTimeTooSkewed": (
        actions.status("RequestTimeTooSkewed"),
        "the clock of this machine differs too much from the store's. Set it (HTTP 403,"
        " RequestTimeTooSkewed)",
    ),
    "ExpiredToken": (
        actions.status("ExpiredToken"),
        "the credentials have expired. Renew them (HTTP 400, ExpiredToken)",
    ),
    "SlowDown": (actions.status(503), f"{SLOW} (HTTP 503, SlowDown)"),
    "TooManyRequests": (actions.status(429), f"{SLOW} (HTTP 429, TooManyRequests)"),
    "InternalError": (
        actions.status(500),
        "the store itself failed: try again later (HTTP 500, InternalError)",
    ),
    "silence": (actions.silence, AWAY),
    "an end": (actions.close, AWAY),
}


class Server(StorePlace):
    """A prefix behind a proxy, with one checkpoint in it."""

    def __init__(self, server, endpoint):
        super().__init__(server, endpoint)
        self.options |= {"client_options": {"timeout": "1s"}, "retry_config": {"max_retries": 0}}


def manager(place, **options):
    made = rekindle.Checkpoint(a=np.arange(5))
    settings = {**place.options, **options}
    return rekindle.CheckpointManager(made, place.url, 1, storage_options=settings)


@pytest.fixture
def place(s3, proxy):
    found = Server(s3, proxy.endpoint)
    # A name in the place must not be taken for a cause.
    found.prefix += "/certificate/error sending request"
    found.url = f"{s3.url}/{found.prefix}"
    with contextlib.closing(manager(found)) as one:
        one.save()
    return found


def refusals(place, **options):
    """What the functions say that a script calls first."""
    settings = {**place.options, **options}
    for call in (
        lambda: manager(place, **options),
        lambda: rekindle.latest_checkpoint(place.url, storage_options=settings),
        lambda: inspection.info(place.url, storage_options=settings),
    ):
        with pytest.raises(RestoreError) as info:
            call()
        check(info.value)
        assert info.value.directory == place.url
        yield str(info.value)


def check(error):
    """No secret, and nothing that the library tells its own developers."""
    while error is not None:
        text = f"{error} {error.args!r}"
        for sign in (SECRET, KEY_ID, "Debug", "reqwest", "hyper", "<?xml", "http://", "rust"):
            assert sign not in text
        error = error.__cause__


@pytest.mark.parametrize("name", STATUSES)
def test_a_refusal_at_the_start_says_what_to_do(place, proxy, name):
    action, words = STATUSES[name]
    proxy.plan(action, times=ALWAYS)
    expected = f"The backup {place.url!r} cannot be read: {words}. Nothing was changed."
    assert list(refusals(place)) == [expected] * 3


def test_a_bucket_that_is_not_there_is_named(place, s3):
    place.url = "s3://there-is-no-such-bucket/run7"
    expected = f"The backup {place.url!r} cannot be read: {BUCKET}. Nothing was changed."
    assert list(refusals(place)) == [expected] * 3


@pytest.mark.parametrize("name", STATUSES)
def test_a_refusal_of_a_save_says_what_to_do(place, proxy, name):
    action, words = STATUSES[name]
    with contextlib.closing(manager(place)) as one:
        one.save()
        proxy.plan(action, when=actions.is_a("PUT"), times=ALWAYS)
        with pytest.raises(SaveError) as info:
            one.save()
        check(info.value)
        begin = f"A checkpoint could not be written to {place.url!r}: {words} ("
        assert str(info.value).startswith(begin.removesuffix(" (")), str(info.value)
        assert str(info.value).endswith("The previous checkpoint is still there.")
        proxy.clear()
        one.save()


def test_without_the_right_to_write_the_first_save_says_so(place, proxy):
    proxy.plan(actions.status(403), when=actions.is_a("PUT"), times=ALWAYS)
    one = manager(place)
    with pytest.raises(SaveError) as info:
        one.save()
    assert str(info.value) == (
        f"A checkpoint could not be written to {place.url!r}: {DENIED}."
        " The previous checkpoint is still there."
    )


def denied_in_bulk(exchange):
    """S3's own way to deny a removal: the request as a whole succeeds."""
    answer = exchange.forward()
    key = re.search(rb"<Key>.*</Key>", exchange.body)[0].decode()
    text = f"{key}<Code>AccessDenied</Code><Message>Access Denied</Message>"
    answer.body = f"<DeleteResult><Error>{text}</Error></DeleteResult>".encode()
    fields = [one for one in answer.fields if one[0].lower() != "content-length"]
    answer.fields = [*fields, ("Content-Length", str(len(answer.body)))]
    exchange.answer(answer)


def of_another_key(exchange):
    """An answer that makes the library panic."""
    answer = http_message.answer(200, b"<DeleteResult><Error><Key>k</Key></Error></DeleteResult>")
    exchange.read()
    exchange.answer(answer)


def test_a_panic_of_the_library_is_an_error_of_the_system(place, proxy, capfd):
    proxy.plan(of_another_key, when=actions.is_a("POST", asks="delete"), times=ALWAYS)
    with contextlib.closing(manager(place)) as one, pytest.warns(rekindle.SaveWarning):
        one.save()
    capfd.readouterr()


@pytest.mark.parametrize("denied", [actions.status(403), denied_in_bulk])
def test_without_the_right_to_delete_saves_go_on_with_a_warning(place, proxy, denied):
    proxy.plan(denied, when=actions.is_a("POST", asks="delete"), times=ALWAYS)
    with contextlib.closing(manager(place)) as one:
        for _ in range(2):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                one.save()
            words = [str(each.message) for each in caught]
            assert len(words) == 1
            assert f"could not remove older files in {place.url!r}: the store denies" in words[0]
            assert "No checkpoint was lost" in words[0]


def test_every_request_of_a_restore_may_be_refused(place, proxy):
    with contextlib.closing(manager(place)) as one:
        said = []
        for number in range(1, 30):
            proxy.plan(actions.status(403), at=number, times=ALWAYS)
            with contextlib.suppress(RestoreError):
                said.append(one.restore_or_initialize())
            proxy.clear()
            one.close()
            if said:
                break
    assert said == [f"{place.url}/ckpt-1"]
    assert number > 5


# How soon, with the usual settings of a user who set none


def test_a_server_that_is_gone_is_reported_within_seconds(s3, proxy):
    proxy.cut()
    place = StorePlace(s3, proxy.endpoint)
    usual = s3.options_at(proxy.endpoint)
    began = time.monotonic()
    with pytest.raises(RestoreError, match="cannot be reached"):
        rekindle.CheckpointManager(
            rekindle.Checkpoint(a=np.arange(5)), place.url, 1, storage_options=usual
        )
    assert time.monotonic() - began < 60


@pytest.fixture
def encrypted(tmp_path):
    """The endpoint of a server whose certificate no authority signed."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    key, certificate = str(tmp_path / "key"), str(tmp_path / "certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request, address):
            return

    with Quiet(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


def test_a_certificate_that_is_not_accepted_is_named(place, encrypted):
    expected = f"The backup {place.url!r} cannot be read: {TLS}. Nothing was changed."
    assert list(refusals(place, endpoint=encrypted)) == [expected] * 3


def test_every_error_of_a_call_is_rekindle_s(place, proxy):
    proxy.cut()
    for call in (inspection.verify, inspection.history, inspection.arrays, inspection.info):
        with pytest.raises(RekindleError, match="cannot be reached"):
            call(place.url, storage_options=place.options)
