"""Makes the library's objects for a store, from a URL and the user's `storage_options`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rekindle._base.environment import variable
from rekindle._base.places import Remote
from rekindle.errors import ArgumentError, DependencyError

# What the library takes as options of the connection, and not of the store.
_OF_CLIENT = frozenset(
    (
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "default_content_type",
        "default_headers",
        "http1_only",
        "http2_keep_alive_interval",
        "http2_keep_alive_timeout",
        "http2_keep_alive_while_idle",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "randomize_addresses",
        "read_timeout",
        "root_certificate",
        "timeout",
        "user_agent",
    )
)

# The URL names the bucket. A second name would silently lead elsewhere.
_OF_URL = re.compile(r"(aws_|google_|azure_)?(bucket|container)(_name)?|prefix")

# The variables that may name a server without TLS, as a server of the user's own often is.
_ENDPOINTS = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
    "GOOGLE_BASE_URL",
)

# For a small request, and for one with a part of a pack in it: seconds for one try, and seconds
# after which it is not tried again. A save that failed is tried when the next is due.
_SMALL, _LARGE = (20, 20), (120, 60)

_HTTP = re.compile(r"https?://[^/\s]+", re.IGNORECASE)

# Places in memory, by root. They live as long as the process.
_in_memory: dict[str, Any] = {}


def library(url: str) -> Any:
    """The library obstore.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        for part in ("store", "exceptions"):
            importlib.import_module(f"obstore.{part}")
        return importlib.import_module("obstore")
    except ImportError as error:
        raise DependencyError(
            f"{url!r} is in an object store. rekindle reads and writes those through the Python"
            f" package obstore, which cannot be imported ({error}). Install it:\n"
            "  python -m pip install obstore      (or rekindle[remote], which brings it)\n"
            '  reticulate::py_require("obstore")  in R, before Python is used',
            package="obstore",
        ) from None


def pair(place: Remote, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """The store twice: for small requests, which must not wait long, and for large ones.

    Raises:
        ArgumentError: The library does not accept the URL or the options.
    """
    if place.kind == "memory":
        made = _in_memory.get(place.root)
        if made is None:
            made = _in_memory[place.root] = library(place.url).store.MemoryStore()
        return made, made
    given = _sorted(place, options)
    return _made(place, given, *_SMALL), _made(place, given, *_LARGE)


def _sorted(place: Remote, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the library takes them."""
    given = dict(options)
    client = dict(given.pop("client_options", None) or {})
    retry = dict(given.pop("retry_config", None) or {})
    found: dict[str, Any] = {"retry_config": retry}
    if "credential_provider" in given:
        found["credential_provider"] = given.pop("credential_provider")
    for name in list(given):
        if _OF_URL.fullmatch(name.lower()):
            raise ArgumentError(
                f"`storage_options` has {name!r}, which the URL {place.url!r} says already.",
                argument="storage_options",
                value=name,
            )
        if name.lower() in _OF_CLIENT:
            client[name.lower()] = given.pop(name)
    endpoints = [value for name, value in given.items() if "endpoint" in name]
    endpoints += filter(None, map(variable, _ENDPOINTS))
    for value in endpoints:
        # The library panics at the first call.
        if not _HTTP.match(str(value)):
            raise ArgumentError(
                f"The endpoint {value!r:.200} of the object store, from `storage_options` or from"
                " the environment, is no URL such as 'https://minio.example.org:9000'.",
                argument="storage_options",
                value="endpoint",
            )
    if any(str(value).lower().startswith("http://") for value in endpoints):
        client.setdefault("allow_http", True)
    found["client_options"] = client
    found["config"] = {name: _text(value) for name, value in given.items()}
    return found


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _retries(given: Mapping[str, Any], patience: int) -> dict[str, Any]:
    backoff = {
        "init_backoff": timedelta(seconds=0.2),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    }
    usual = {"max_retries": 8, "retry_timeout": timedelta(seconds=patience), "backoff": backoff}
    return {**usual, **given}


def _made(place: Remote, given: Mapping[str, Any], seconds: int, patience: int) -> Any:
    client = {"timeout": timedelta(seconds=seconds), **given["client_options"]}
    retries = _retries(given["retry_config"], patience)
    made = {**given, "client_options": client, "retry_config": retries}
    stores = library(place.url).store
    try:
        if place.kind == "s3":
            return stores.S3Store(place.root, **made)
        if place.kind == "gs":
            return stores.GCSStore(place.root, **made)
        container, _, host = place.root.partition("@")
        if host:
            return stores.AzureStore.from_url(f"abfss://{container}@{host}", **made)
        return stores.AzureStore(container, **made)
    # The library panics for some wrong options, and a panic is no Exception.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        text = str(error).partition("\n\nDebug source")[0].strip().rstrip(".")
        raise ArgumentError(
            f"The object store {place.url!r} cannot be used with these settings:"
            f" {_without_secrets(text, given['config'])}. Settings come from `storage_options` and"
            " from the environment, such as AWS_REGION, AWS_ENDPOINT_URL,"
            " AZURE_STORAGE_ACCOUNT_NAME or GOOGLE_APPLICATION_CREDENTIALS.",
            argument="storage_options",
            value=sorted(given["config"]),
        ) from None


def _without_secrets(text: str, config: Mapping[str, Any]) -> str:
    for value in sorted(map(str, config.values()), key=len, reverse=True):
        if len(value) >= 6:
            text = text.replace(value, "***")
    return text
