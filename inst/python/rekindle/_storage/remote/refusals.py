"""The library's errors as errors of the system, worded for people."""

from __future__ import annotations

import errno
import re
from typing import Any

# The answer of the server, in the library's text.
_STATUS = re.compile(r"(?:status code|code): (\d{3})\b")
_CODE = re.compile(r"<Code>(\w+)</Code>")

_CLOCK = "the clock of this machine differs too much from the store's (RequestTimeTooSkewed)"
_BUCKET = "there is no such bucket or container"
_DENIED = (
    "the store denies it to these credentials. They need the right to list, read, write and delete"
    " objects there"
)
_CREDENTIALS = (
    "the store does not accept the credentials. They come from `storage_options`, from the"
    " environment or from the machine's own role"
)
_SLOW = "the store asks for fewer requests"
_AWAY = "the store cannot be reached, or did not answer in time"
_TLS = "the store's certificate is not accepted"

# By what is in the library's text; the first that is there counts.
_BY_TEXT = (
    ("RequestTimeTooSkewed", errno.EACCES, _CLOCK),
    ("NoSuchBucket", errno.ENXIO, _BUCKET),
    ("ContainerNotFound", errno.ENXIO, _BUCKET),
    ("ExpiredToken", errno.EACCES, "the credentials have expired"),
    ("InvalidAccessKeyId", errno.EACCES, _CREDENTIALS),
    ("SignatureDoesNotMatch", errno.EACCES, _CREDENTIALS),
    ("AuthenticationFailed", errno.EACCES, _CREDENTIALS),
    ("certificate", errno.ECONNREFUSED, _TLS),
    ("error sending request", errno.ECONNREFUSED, _AWAY),
    ("operation timed out", errno.ETIMEDOUT, _AWAY),
    ("request or response body error", errno.ECONNRESET, _AWAY),
    ("performing token request", errno.EACCES, _CREDENTIALS),
    ("instance metadata", errno.EACCES, "no credentials were found"),
)

_BY_STATUS = {
    400: (errno.EINVAL, "the store does not accept the request"),
    401: (errno.EACCES, _CREDENTIALS),
    403: (errno.EACCES, _DENIED),
    404: (errno.ENXIO, _BUCKET),
    411: (errno.EINVAL, "the store does not accept the request"),
    429: (errno.EAGAIN, _SLOW),
    500: (errno.EIO, "the store failed"),
    503: (errno.EAGAIN, _SLOW),
    507: (errno.ENOSPC, "the store is full"),
}


def of_store(error: Exception, known: Any, where: str) -> OSError:
    """The error for one of the library's own classes."""
    text = str(error).partition("\n\nDebug source")[0]
    for sign, number, words in _BY_TEXT:
        if sign in str(error):
            return OSError(number, f"{words}{_answer(text)}", where)
    if isinstance(error, known.UnauthenticatedError):
        return OSError(errno.EACCES, f"{_CREDENTIALS}{_answer(text)}", where)
    if isinstance(error, known.PermissionDeniedError):
        return OSError(errno.EACCES, f"{_DENIED}{_answer(text)}", where)
    status = _STATUS.search(text)
    if status is not None and int(status[1]) in _BY_STATUS:
        number, words = _BY_STATUS[int(status[1])]
        return OSError(number, f"{words}{_answer(text)}", where)
    return OSError(errno.EIO, f"the store failed ({_short(text)})", where)


def of_system(error: OSError, where: str) -> OSError:
    """The error for a builtin class that the library raises, or for one of our own."""
    if type(error) is not FileNotFoundError:
        return error
    if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
        return OSError(errno.ENXIO, _BUCKET, where)
    return FileNotFoundError(errno.ENOENT, "there is no such object", where)


def is_certain(error: OSError) -> bool:
    """Whether the store has answered that it did nothing."""
    return error.errno in (errno.EACCES, errno.ENXIO, errno.EINVAL, errno.ENOSPC)


def _answer(text: str) -> str:
    """The store's own words for it, without the names of requests and keys."""
    status, code = _STATUS.search(text), _CODE.search(text)
    found = [f"HTTP {status[1]}"] if status else []
    if code:
        found.append(code[1])
    return f" ({', '.join(found)})" if found else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."
