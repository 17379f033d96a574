"""The library's errors as errors of the system, worded for people."""

from __future__ import annotations

import errno
import re
from typing import Any

# The answer of the server, in the library's text.
_STATUS = re.compile(r"(?:status code|code): (\d{3})\b")
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: ([A-Z]\w+)\)")

# Names that a user gave are in the text, too: in URLs, and quoted.
_GIVEN = re.compile(r"\bhttps?://\S+|\"[^\"\n]*\"")

_CLOCK = "the clock of this machine differs too much from the store's. Set it"
_BUCKET = (
    "there is no such bucket or container. Make it, or correct its name, the region or the endpoint"
)
_DENIED = (
    "the store denies it to these credentials. They need the right to list, read, write and delete"
    " objects there"
)
_CREDENTIALS = (
    "the store does not accept the credentials. They come from `storage_options`, from the"
    " environment or from the machine's own role"
)
_EXPIRED = "the credentials have expired. Renew them"
_NONE = "no credentials were found, in `storage_options`, the environment or the machine's own role"
_FAILED = "the store itself failed: try again later"
_SLOW = "the store asks for fewer requests. Save less often, or try again later"
_AWAY = (
    "the store cannot be reached, or did not answer in time. Check the endpoint, the region and the"
    " network"
)
_TLS = (
    "the store's certificate is not accepted. Check the endpoint, or install the certificate of its"
    " authority on this machine"
)
_REQUEST = "the store does not accept the request. Check the region and the endpoint"

# By the code in the server's answer.
_BY_CODE = {
    "RequestTimeTooSkewed": (errno.EACCES, _CLOCK),
    "NoSuchBucket": (errno.ENXIO, _BUCKET),
    "ContainerNotFound": (errno.ENXIO, _BUCKET),
    "ExpiredToken": (errno.EACCES, _EXPIRED),
    "InvalidAccessKeyId": (errno.EACCES, _CREDENTIALS),
    "SignatureDoesNotMatch": (errno.EACCES, _CREDENTIALS),
    "AuthenticationFailed": (errno.EACCES, _CREDENTIALS),
    "AccessDenied": (errno.EACCES, _DENIED),
}

_BY_STATUS = {
    400: (errno.EINVAL, _REQUEST),
    401: (errno.EACCES, _CREDENTIALS),
    403: (errno.EACCES, _DENIED),
    404: (errno.ENXIO, _BUCKET),
    411: (errno.EINVAL, _REQUEST),
    429: (errno.EAGAIN, _SLOW),
    500: (errno.EIO, _FAILED),
    503: (errno.EAGAIN, _SLOW),
    507: (errno.ENOSPC, "the store is full"),
}

# By what is in the library's text, where the server gave no answer; the first that is there counts.
_BY_TEXT = (
    ("169.254.169.254", errno.EACCES, _NONE),
    ("performing token request", errno.EACCES, _CREDENTIALS),
    ("instance metadata", errno.EACCES, _NONE),
    ("InvalidCertificate", errno.ECONNREFUSED, _TLS),
    ("error sending request", errno.ECONNREFUSED, _AWAY),
    ("operation timed out", errno.ETIMEDOUT, _AWAY),
    ("request or response body error", errno.ECONNRESET, _AWAY),
)


def of_store(error: Exception, known: Any, where: str) -> OSError:
    """The error for one of the library's own classes."""
    text = str(error).partition("\n\nDebug source")[0]
    number, words = _cause(error, text, known)
    return OSError(number, f"{words}{_answer(text)}", where)


def _cause(error: Exception, text: str, known: Any) -> tuple[int, str]:
    code, status = _code(text), _STATUS.search(text)
    if code in _BY_CODE:
        return _BY_CODE[code]
    if isinstance(error, known.UnauthenticatedError):
        return errno.EACCES, _CREDENTIALS
    if isinstance(error, known.PermissionDeniedError):
        return errno.EACCES, _DENIED
    if status is not None:
        return _BY_STATUS.get(int(status[1]), (errno.EIO, _FAILED))
    # The cause of a failed connection is only in what the library tells its developers.
    plain = _GIVEN.sub(_only_metadata, str(error))
    for sign, number, words in _BY_TEXT:
        if sign in plain:
            return number, words
    return errno.EIO, f"the store failed: {_short(_GIVEN.sub('...', text))}"


def _only_metadata(match: re.Match[str]) -> str:
    # Where the library asks for credentials when it has none.
    found = match[0].removeprefix("http://").startswith("169.254.169.254")
    return "169.254.169.254" if found else "..."


def of_system(error: OSError, where: str) -> OSError:
    """The error for a builtin class that the library raises, or for one of our own."""
    if type(error) is not FileNotFoundError:
        return error
    if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
        return OSError(errno.ENXIO, _BUCKET, where)
    return FileNotFoundError(errno.ENOENT, "there is no such object", where)


def of_panic(error: BaseException, where: str) -> OSError | None:
    """The error for a panic of the library, which is no :class:`Exception`; ``None`` for others."""
    if type(error).__name__ != "PanicException":
        return None
    return OSError(errno.EIO, f"the library obstore failed: {_short(str(error))}", where)


def is_certain(error: OSError) -> bool:
    """Whether the store has answered that it did nothing."""
    return error.errno in (errno.EACCES, errno.ENXIO, errno.EINVAL, errno.ENOSPC)


def _code(text: str) -> str:
    found = _CODE.search(text)
    return "" if found is None else found[1] or found[2]


def _answer(text: str) -> str:
    """The store's own words for it, without the names of requests and keys."""
    status, code = _STATUS.search(text), _code(text)
    found = [f"HTTP {status[1]}"] if status else []
    if code:
        found.append(code)
    return f" ({', '.join(found)})" if found else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."
