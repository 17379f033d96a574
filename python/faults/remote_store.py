"""The scenes on an object store: what a process does there, and how a fresh reader judges it.

All this runs in forks of a process that has not used the library for object stores, since a fork
after the first use cannot use it.
"""

from __future__ import annotations

import datetime
import http.client
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from faults import children, scenes
from rekindle._base import places
from rekindle._format import layout
from rekindle._repository import reader
from rekindle._repository.repository import Repository
from rekindle._storage.remote.storage import RemoteStorage
from rekindle.errors import RekindleError, RekindleWarning

# A save after the harm is over, in the same process.
NEXT = 55


@dataclass(frozen=True)
class Client:
    """A client of an object store.

    Attributes:
        url: The bucket.
        options: The settings of the library.
        seconds: The time after which a request is given up.
        retries: How often the library itself tries again.
    """

    url: str
    options: Mapping[str, Any]
    seconds: float
    retries: int

    def storage(self, prefix: str, who: str = "") -> RemoteStorage:
        client = {"timeout": datetime.timedelta(seconds=self.seconds), "user_agent": who or "x"}
        retry = {
            "max_retries": self.retries,
            "retry_timeout": datetime.timedelta(seconds=10),
            "backoff": {"init_backoff": datetime.timedelta(milliseconds=5), "base": 2},
        }
        options = {**self.options, "client_options": client, "retry_config": retry}
        return RemoteStorage(places.remote(f"{self.url}/{prefix}"), options)


class Store(scenes.Store):
    """rekindle's store in a prefix of a bucket.

    Attributes:
        opened: The repository that was opened last.
    """

    def __init__(self, client: Client, who: str = "") -> None:
        self._client, self._who = client, who
        self.opened: Repository | None = None

    def open(self, top: str, *, past_cache: bool = False) -> Repository:
        self.opened = Repository(self._client.storage(top, self._who), "0.0.0")
        return self.opened

    def goes_on(self, top: str, kept: int) -> str | None:
        folder = self.open(top)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RekindleWarning)
            folder.newest()
            warnings.simplefilter("error")
            folder.commit(scenes.snapshot(77))
            folder.keep(folder.numbers[-kept:])
        expected = {layout.LOCK, layout.STATE} | folder._index.packs_in_use()
        expected |= {layout.manifest_name("ckpt", number) for number in folder.numbers}
        folder.close()
        if self.restored(top) != 77:
            return "the next save is not the one restored"
        found = {name for name in folder.storage.names() if ".damaged" not in name}
        return None if found == expected else f"after the next save there are {sorted(found)}"


def mark(endpoint: str, name: str) -> None:
    """Tells the proxy how far the scene is."""
    url = urlsplit(endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    connection.request("GET", f"/{name}")
    connection.getresponse().read()
    connection.close()


@dataclass(frozen=True)
class Try:
    """One run of a scene in a prefix, with one harm.

    Attributes:
        scene: The place of the scene in `scenes.scenes()`, and how many checkpoints are kept.
        prefix: The prefix.
        through, direct: The client that is harmed, and one that is not.
        proxy: The endpoint of the proxy.
    """

    scene: tuple[int, int]
    prefix: str
    through: Client
    direct: Client
    proxy: str


def _scene(which: tuple[int, int], store: scenes.Store) -> scenes.Scene:
    return scenes.scenes(which[1], store)[which[0]]


def _act(one: Try, say: children.Say) -> None:
    """The scene, then a save more, when the harm is over."""
    store = Store(one.through, str(os.getpid()))
    scene = _scene(one.scene, store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RekindleWarning)
        began = time.monotonic()
        try:
            scene.act(one.prefix, lambda: mark(one.proxy, "begin"), say)
        except RekindleError as error:
            say({"error": type(error).__name__, "text": str(error)})
        mark(one.proxy, "end")
        say({"seconds": time.monotonic() - began})
        say({"found": _found(one)})
        folder = store.opened
        assert folder is not None
        try:
            folder.open()
            if not folder.numbers:
                folder.newest()
            folder.commit(scenes.snapshot(NEXT))
        except RekindleError as error:
            say({"next": f"{type(error).__name__}: {error}"})
        else:
            say(NEXT)
            folder.keep(folder.numbers[-one.scene[1] :])
        mark(one.proxy, "release")
        folder.close()


def _found(one: Try) -> int | None:
    """The checkpoint that a reader without the lock finds now."""
    loaded = reader.load_newest(one.direct.storage(one.prefix))
    return None if loaded is None else scenes.index_of(loaded[1])


# What a scene begins with, by scene.
_prepared: dict[tuple[int, int], dict[str, bytes]] = {}


def _prepare(which: tuple[int, int], prefix: str, client: Client) -> None:
    """Lays out the checkpoints that are there when the scene begins."""
    store = Store(client)
    scene = _scene(which, store)
    if which not in _prepared:
        first = f"{prefix}-first"
        if scene.saves:
            store.save(first, range(scene.saves), scene.kept)
        there = client.storage(first)
        names = there.names() if there.exists else []
        _prepared[which] = {name: there.read(name, 1 << 20) for name in names}
    objects = client.storage(prefix)._objects
    for name, data in _prepared[which].items():
        objects.put(name, data)


def _judge(one: Try, allowed: list[int | None]) -> str | None:
    store = Store(one.direct)
    scene = _scene(one.scene, store)
    object.__setattr__(scene, "after", frozenset(allowed))
    return scene.judge(store, one.prefix, acknowledged=True)


def _restored(one: Try) -> int | None:
    return Store(one.direct).restored(one.prefix)


_WORKS: dict[str, Callable[..., Any]] = {
    "prepare": _prepare,
    "judge": _judge,
    "restored": _restored,
}


def _serve(pipe: Connection, forks: bool) -> None:
    while True:
        try:
            what, given = pipe.recv()
        except EOFError:
            return
        try:
            if forks:
                pipe.send(children.run(lambda say, one=given[0]: _act(one, say)))
            else:
                pipe.send(_WORKS[what](*given))
        except BaseException as error:  # noqa: BLE001  (the other side raises it)
            pipe.send(error)


class Worker:
    """A process of its own: one that forks a child for each try, or one that judges."""

    def __init__(self, *, forks: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, forks), daemon=True)
        self._process.start()
        other.close()

    def __call__(self, what: str, *given: Any) -> Any:
        self._pipe.send((what, given))
        found = self._pipe.recv()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        self._pipe.close()
        self._process.join(10)
        self._process.kill()
