"""Checks of arguments: return a plain value, or raise an error that lists the accepted values."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from rekindle._base import places
from rekindle.errors import ArgumentError

A_FOLDER = "the path of a folder, as a string or an os.PathLike, or a URL such as 's3://bucket/run'"


A_FILE = "the path of a file, as a string or an os.PathLike"

# What to do about a URL, where a file of this machine is meant, and where checkpoints may lie.
_HERE = "Give the path of a file, or a URL of this machine's files such as 'file:///data/x'."
_ANYWHERE = (
    "Checkpoints can be in a folder, such as '/data/run' or 'file:///data/run', or in an object"
    " store: s3://bucket/run, gs://bucket/run (Google) or az://container/run (Azure). Other stores"
    " cannot create an object only if there is none, and two runs could write over each other:"
    " write into a folder, and copy it there."
)


# A URL. Its scheme has at least two letters, because `C:/` is a Windows drive. pathlib.Path turns
# `s3://` into `s3:/`. fsspec can chain filesystems, as in `simplecache::s3://`.
_URL = re.compile(
    rf"\s*(?:[a-z][a-z0-9+.-]*::)*(?P<scheme>[a-z][a-z0-9+.-]+):(?P<rest>[/{re.escape(os.sep)}].*)",
    re.IGNORECASE | re.DOTALL,
)


_FILE_URL = re.compile(r"//(?:localhost)?(?P<path>/.*)", re.IGNORECASE | re.DOTALL)


def invalid(name: str, value: Any, expected: str) -> ArgumentError:
    return ArgumentError(
        f"Invalid value for argument `{name}`. Received: {name}={value!r:.200}. Expected"
        f" {expected}.",
        argument=name,
        value=value,
    )


def flag(name: str, value: Any) -> bool:
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise invalid(name, value, "True or False")


def choice(name: str, value: Any, accepted: tuple[Any, ...]) -> Any:
    if not isinstance(value, bool) and value in accepted:
        return value
    listed = ", ".join(map(repr, accepted[:-1])) + f" or {accepted[-1]!r}"
    raise invalid(name, value, listed)


def is_int(value: Any) -> bool:
    """Whether the value is a whole number. True and False are not, unlike for isinstance()."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return isinstance(value, float | np.floating) or is_int(value)


def hours(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if is_number(value) and math.isfinite(value) and value > 0:
        return float(value)
    raise invalid(name, value, "a number of hours above 0, or None")


def optional_int(name: str, value: Any) -> int | None:
    if value is None or is_int(value):
        return None if value is None else int(value)
    raise invalid(name, value, "a whole number, or None")


def function(name: str, value: Any) -> Callable[[], Any] | None:
    if value is None:
        return None
    if callable(value):
        found: Callable[[], Any] = value
        return found
    raise invalid(name, value, "a function without arguments, or None")


def place(name: str, value: Any, expected: str = A_FOLDER) -> str:
    """Where checkpoints lie, as given: a local path with `~` expanded, or a URL of an object store.

    Raises:
        ArgumentError: The value is neither.
    """
    found = places.remote(_spelled(value))
    if found is None:
        return path(name, value, expected, _ANYWHERE)
    if not found.root or "\0" in found.url:
        raise invalid(name, value, expected)
    return found.url


def storage_options(value: Any) -> dict[str, Any]:
    """The options of an object store."""
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        found = dict(value)
        if found.get("local_cache") is not None:
            cache = path("local_cache", found["local_cache"], "the path of a folder, as a string")
            found["local_cache"] = places.absolute(cache)
        return found
    # The values may be secret.
    raise ArgumentError(
        f"Invalid value for argument `storage_options`. Received: a {type(value).__name__}."
        " Expected a dict of options by name, such as {'endpoint': 'https://minio.example.org'},"
        " or None.",
        argument="storage_options",
        value=None,
    )


def path(name: str, value: Any, expected: str, accepted: str = _HERE) -> str:
    """A local path with `~` expanded. For a `file://` URL, the path in the URL.

    Raises:
        ArgumentError: The value is not a path, or is a URL that does not name a local file.
    """
    text = _spelled(value)
    url = _URL.fullmatch(text)
    found = os.path.expanduser(text) if url is None else _path_of_url(url, name, value, accepted)
    if not found or "\0" in found:
        raise invalid(name, value, expected)
    return found


def file_path(name: str, value: Any) -> str:
    """The path of a file, as :func:`path` gives it."""
    return path(name, value, A_FILE)


def _spelled(value: Any) -> str:
    """The given path as text; empty when the value is not a path."""
    if isinstance(value, str | bytes):
        return os.fsdecode(value)
    # A path object of another file system may lack __fspath__, or its __fspath__ may download.
    if _URL.fullmatch(spelled := str(value)):
        return spelled
    if not isinstance(value, os.PathLike):
        return ""
    try:
        return os.fsdecode(os.fspath(value))
    # Some classes inherit __fspath__ from a base class, and it raises these errors.
    except (TypeError, NotImplementedError):
        return ""


def _path_of_url(url: re.Match[str], name: str, value: Any, accepted: str) -> str:
    found = _FILE_URL.fullmatch(url["rest"]) if url["scheme"].lower() == "file" else None
    if found is None:
        raise ArgumentError(
            f"{url[0]!r:.200} is a URL of a kind that does not work here. {accepted} If"
            " the name of a local file or folder looks like a URL, give it as a string that begins"
            " with './'.",
            argument=name,
            value=value,
        )
    local = unquote(found["path"], errors="surrogateescape")
    return local[1:] if os.name == "nt" and re.match("/[A-Za-z]:", local) else local
