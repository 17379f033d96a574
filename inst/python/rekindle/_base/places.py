"""Where checkpoints lie: a folder of this machine, or a prefix of names in an object store.

A place is a string. A folder is an absolute path. A prefix is a URL without a slash at its end,
such as ``s3://bucket/run7``.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass

# The schemes of object stores, and the kind of store. In a URL of Azure with `@`, the account
# follows the container.
KINDS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "az": "az",
    "azure": "az",
    "adl": "az",
    "abfs": "az",
    "abfss": "az",
    "memory": "memory",
}

# pathlib.Path turns `s3://` into `s3:/`.
_REMOTE = re.compile(
    rf"(?P<scheme>{'|'.join(KINDS)}):/{{1,2}}(?P<root>[^/]*)(?P<prefix>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Remote:
    """A prefix in an object store.

    Attributes:
        kind: ``"s3"``, ``"gs"``, ``"az"`` or ``"memory"``.
        root: The bucket or the container; for Azure perhaps with the host of the account after
            ``@``.
        prefix: The names of all objects begin with this and a slash; it may be empty.
        url: The place as messages name it.
    """

    kind: str
    root: str
    prefix: str
    url: str


def remote(place: str) -> Remote | None:
    """The parts of a URL of an object store; ``None`` for any other place."""
    match = _REMOTE.fullmatch(place.strip())
    if match is None:
        return None
    scheme = match["scheme"].lower()
    prefix = "/".join(part for part in match["prefix"].split("/") if part)
    url = f"{scheme}://{match['root']}" + (f"/{prefix}" if prefix else "")
    return Remote(KINDS[scheme], match["root"], prefix, url)


def is_remote(place: str) -> bool:
    """Whether this is the URL of an object store."""
    return remote(place) is not None


def absolute(place: str) -> str:
    """The place, wherever the working directory is later."""
    found = remote(place)
    return os.path.abspath(place) if found is None else found.url


def real(place: str) -> str:
    """The same text for each way to write this place."""
    found = remote(place)
    return (
        os.path.realpath(place) if found is None else f"{found.kind}://{found.root}/{found.prefix}"
    )


def join(place: str, name: str) -> str:
    """The path or the URL of a file in the place."""
    return f"{place}/{name}" if is_remote(place) else os.path.join(place, name)


def split(path: str) -> tuple[str, str]:
    """The place and the name of a file, as :func:`os.path.split`."""
    found = remote(path)
    if found is None:
        return os.path.split(path)
    parent, name = posixpath.split(found.prefix)
    if not name:
        return found.url, ""
    return found.url.removesuffix(found.prefix).removesuffix("/") + (
        f"/{parent}" if parent else ""
    ), name
