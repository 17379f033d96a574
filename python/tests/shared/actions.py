"""What a :class:`proxy.Proxy` does to one request: each action is a function of an exchange.

All can be sent to the process of :func:`proxy.apart`.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial
from urllib.parse import parse_qs

import http_message

# Which status a store gives with which code.
STATUSES = {
    "AccessDenied": 403,
    "RequestTimeTooSkewed": 403,
    "ExpiredToken": 400,
    "NoSuchKey": 404,
    "NoSuchBucket": 404,
    "ConditionalRequestConflict": 409,
    "PreconditionFailed": 412,
    "TooManyRequests": 429,
    "InternalError": 500,
    "SlowDown": 503,
}
_CODES = {
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}


class Exchange:
    """One request, and what becomes of it.

    Attributes:
        record: The :class:`proxy.Record` of the request.
        is_closed: Whether the connection to the client is to end.
    """

    def __init__(self, proxy, client, file, request, record):
        self.record = record
        self.is_closed = False
        self.proxy = proxy
        self._client = client
        self._file = file
        self._request = request
        self._is_read = False

    def read(self):
        """Reads the body of the request, if that was not done yet."""
        if self._is_read:
            return
        self._is_read = True
        fields = self._request.fields
        if self._request.field("expect"):
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.fields = [one for one in fields if one[0].lower() != "expect"]
        self._request.body = http_message.read_body(self._file, self._request)
        self.record.sent = len(self._request.body)

    @property
    def body(self):
        """The body of the request."""
        self.read()
        return self._request.body

    def forward(self):
        """Sends the request to the server; returns its answer, which the client does not have."""
        self.read()
        with self.proxy.to_server() as server, server.makefile("rb") as file:
            server.sendall(self._request.head + self._request.body)
            answer = http_message.read_head(file)
            if answer is None:
                raise http_message.GoneError
            no_body = self.record.method == "HEAD" or answer.status in (204, 304)
            if not no_body:
                answer.body = http_message.read_body(file, answer, to_the_end=True)
        self.record.served = answer.status
        return answer

    def send(self, data):
        self._client.sendall(data)

    def answer(self, message):
        """Gives the client an answer."""
        self.record.status = message.status
        self.record.received = len(message.body)
        has_end = message.field("content-length") or message.field("transfer-encoding")
        self.is_closed = message.closes or not (has_end or message.status in (204, 304))
        self.send(message.head + message.body)

    def close(self):
        """Ends the connection. What was not read of the request makes that a reset."""
        self.is_closed = True


def forward(exchange):
    """Does no harm."""
    exchange.answer(exchange.forward())


def _status(code, status, exchange):
    exchange.read()
    text = f"<Code>{code}</Code><Message>Made by the proxy</Message><RequestId>1</RequestId>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'.encode()
    answer = http_message.answer(status, body)
    if exchange.record.method == "HEAD":
        answer.body = b""
    exchange.answer(answer)


def status(what, code=None):
    """Answers with an error, and the request does not reach the server.

    Args:
        what: A name in :data:`STATUSES`, such as "SlowDown", or a status, such as 503.
        code: The code in the body, if a status is to have another than its usual one.
    """
    if isinstance(what, str):
        return partial(_status, code or what, STATUSES[what])
    return partial(_status, code or _CODES.get(what, "Unknown"), what)


def lose_reply(exchange):
    """The server does what it was asked, and the client never knows."""
    exchange.forward()
    exchange.close()


def close(exchange):
    """Ends the connection when the request is here. It does not reach the server."""
    exchange.read()
    exchange.close()


def close_at_once(exchange):
    """Ends the connection when the head of the request is here: the client sends into nothing."""
    exchange.close()


def half_close(exchange):
    """Ends the connection in the middle of the answer's body."""
    answer = exchange.forward()
    exchange.record.status = answer.status
    exchange.record.received = len(answer.body) // 2
    exchange.send(answer.head + answer.body[: len(answer.body) // 2])
    exchange.close()


def silence(exchange):
    """Gives no answer. The request does not reach the server; released, the connection ends."""
    exchange.read()
    exchange.proxy.wait_for_release()
    exchange.close()


def silence_after(exchange):
    """Gives no answer, although the server did what it was asked."""
    exchange.forward()
    silence(exchange)


def late(exchange):
    """Gives no answer, and the request reaches the server when it is released.

    The client may have given up long before: its write takes effect all the same.
    """
    exchange.read()
    exchange.proxy.wait_for_release()
    answer = exchange.forward()
    with contextlib.suppress(OSError):
        exchange.answer(answer)


def _trickle(seconds, at_once, exchange):
    answer = exchange.forward()
    exchange.record.status = answer.status
    data = answer.body if at_once else answer.head + answer.body
    exchange.send(answer.head if at_once else b"")
    for at in range(len(data)):
        exchange.send(data[at : at + 1])
        exchange.record.received = at + 1
        time.sleep(seconds)
    exchange.close()


def trickle(seconds=0.05, head_at_once=False):
    """Gives the answer byte by byte, with so many seconds between two of them.

    Args:
        seconds: The time between two bytes.
        head_at_once: Whether only the body is slow.
    """
    return partial(_trickle, seconds, head_at_once)


def _flip(at, exchange):
    answer = exchange.forward()
    if answer.body:
        body = bytearray(answer.body)
        body[len(body) // 2 if at is None else at] ^= 1
        answer.body = bytes(body)
    exchange.answer(answer)


def flip(at=None):
    """Flips a bit of the answer's body: in its middle, or of the byte `at`."""
    return partial(_flip, at)


def _hook(before, after, then, exchange):
    if before:
        exchange.read()
        before()
    if after:
        exchange.forward()
        after()
        return exchange.close()
    return then(exchange)


def hook(before=None, after=None, then=forward):
    """Calls a function without arguments, such as one that kills the client.

    Args:
        before: Called when the whole request is here. Then comes `then`.
        after: Called when the server has answered. The client gets no answer.
        then: An action.
    """
    return partial(_hook, before, after, then)


# Which request


def _is_a(methods, ending, asks, record):
    query = parse_qs(record.query, keep_blank_values=True)
    return (
        (not methods or record.method in methods.split())
        and record.path.endswith(ending)
        and (asks is None or asks in query)
    )


def is_a(methods="", ending="", asks=None):
    """Whether a request has this method, a path that ends so, and this field in its query.

    Args:
        methods: Such as "PUT" or "GET HEAD"; empty for all.
        ending: The end of the path, without the query: a name.
        asks: Such as "uploads", "uploadId", "partNumber", "list-type".
    """
    return partial(_is_a, methods, ending, asks)
