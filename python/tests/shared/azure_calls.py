"""The few calls of Azure's blob service that obstore does not make, with Azure's shared key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import re
from email.utils import formatdate
from urllib.parse import urlencode, urlsplit

# The public account of every emulator.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def call(endpoint, method, container, query):
    """One request without a body. Returns its status and the body of the answer."""
    url = urlsplit(endpoint)
    path = f"{url.path}/{container}"
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    named = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    asked = "".join(f"\n{name}:{query[name]}" for name in sorted(query))
    # Eleven headers that are empty here stand between the method and those of Azure.
    text = f"{method}" + "\n" * 12 + named + f"/{ACCOUNT}{path}{asked}"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    try:
        connection.request(method, f"{path}?{urlencode(query)}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def make_container(endpoint, container):
    status, text = call(endpoint, "PUT", container, {"restype": "container"})
    assert status in (201, 409), text


def uncommitted(endpoint, container):
    """The names of blobs that have blocks, and were never completed."""
    query = {"comp": "list", "restype": "container"}
    listed = []
    for include in ({}, {"include": "uncommittedblobs"}):
        status, text = call(endpoint, "GET", container, {**query, **include})
        assert status == 200, text
        listed.append(set(re.findall("<Name>([^<]+)</Name>", text.decode())))
    return sorted(listed[1] - listed[0])
