"""Sends what a folder holds to an object store, behind the run that writes the folder."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

import xxhash

from rekindle._format import layout
from rekindle._format.manifest import Manifest
from rekindle._storage.cached import contents
from rekindle._storage.cached.contents import Contents
from rekindle._storage.protocol import Storage
from rekindle.errors import ForeignFileError, LockError

# Seconds until a mirror that failed tries again: at first, and at most.
_PAUSE, _LONGEST = 5.0, 60.0


class Mirror:
    """Makes the checkpoints of `remote` those of `local`. The caller holds both.

    Args:
        local: The folder.
        remote: The object store.

    Attributes:
        error: Why the last attempt failed; ``None`` if it did not.
    """

    def __init__(self, local: Storage, remote: Storage) -> None:
        self._local = local
        self._remote = remote
        self._changed = threading.Condition()
        self._is_dirty = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        # One at a time: the thread, or the caller at the end.
        self._working = threading.Lock()
        # The names there, and for manifests a digest; and those that are to be removed there.
        self._there: dict[str, str] = {}
        self._gone: dict[str, None] = {}
        # Packs that are being sent, and those among them that were removed here meanwhile.
        self._pinned: set[str] = set()
        self._postponed: set[str] = set()
        self.error: Exception | None = None

    def begin(self, there: Contents) -> None:
        """Takes note of what is in the store, and starts to work."""
        self._there = {name: _digest(there.texts.get(name, b"")) for name in there.names}
        kept = set(self._local.names())
        session = self._remote.session
        self._gone = {
            name: None
            for name in there.names
            if name not in kept
            and layout.of_checkpoint(name)
            and layout.pack_session(name) <= session
        }
        self._ended = threading.Event()
        self.notify()
        self._thread = threading.Thread(
            target=_run, args=(weakref.ref(self), self._ended), name="rekindle-mirror", daemon=True
        )
        self._thread.start()

    def notify(self) -> None:
        """Something has changed in the folder."""
        with self._changed:
            self._is_dirty = True
            self._changed.notify_all()

    def postpones(self, name: str) -> bool:
        """Whether a file must stay for a while, as it is being sent; the mirror removes it then."""
        with self._changed:
            is_pinned = name in self._pinned
            if is_pinned:
                self._postponed.add(name)
            return is_pinned

    def removed(self, name: str) -> None:
        """A file is not here any more, or will not be."""
        with self._changed:
            self._gone[name] = None
        self.notify()

    def finish(self) -> None:
        """Ends the thread, and sends what is left. A failure is in `error`."""
        self._stop()
        self.attempt()

    def _stop(self) -> None:
        self._ended.set()
        self.notify()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def clear(self) -> None:
        """Ends the thread, and removes from the store what was removed here.

        Raises:
            OSError: The store refused.
            LockError: Another run has taken the store.
        """
        self._stop()
        with self._working:
            self._work()

    def attempt(self) -> bool:
        """Sends what is left. Returns whether that succeeded."""
        with self._working:
            try:
                self._work()
            except (OSError, LockError, ForeignFileError) as error:
                self.error = error
                return False
            self.error = None
            return True

    def _work(self) -> None:
        with self._changed:
            self._is_dirty = False
        found = contents.of(self._local)
        for name in found.in_order:
            if self._there.get(name) != _digest(found.texts[name]):
                self._send(name, found.texts[name], found.manifests[name])
        self._remove_gone()

    def _send(self, name: str, text: bytes, manifest: Manifest) -> None:
        with self._pins(name, manifest) as is_there:
            if not is_there:
                return
            for pack in manifest.packs:
                if pack not in self._there:
                    with self._local.open(pack) as file:
                        chunks = contents.pieces(file, 0, file.size)
                        self._remote.write_pack(pack, file.size, chunks)
                    self._there[pack] = ""
            staging = self._remote.stage(name)
            staging.write(text)
            staging.publish()
            staging.acknowledge()
            self._there[name] = _digest(text)

    @contextlib.contextmanager
    def _pins(self, name: str, manifest: Manifest) -> Iterator[bool]:
        """Keeps the packs of a checkpoint here; gives whether the checkpoint itself still is."""
        with self._changed:
            # A manifest goes before its packs.
            is_there = self._local.status(name) is not None
            self._pinned = set(manifest.packs) if is_there else set()
        try:
            yield is_there
        finally:
            with self._changed:
                postponed, self._postponed = self._postponed, set()
                self._pinned = set()
            for pack in postponed:
                self._local.discard(pack)

    def _remove_gone(self) -> None:
        """Removes from the store what is not here any more, manifests first."""
        with self._changed:
            # A number may have been used again since.
            gone = [name for name in self._gone if self._local.status(name) is None]
            self._gone.clear()
        try:
            for name in sorted(gone, key=lambda one: layout.ANY_MANIFEST.fullmatch(one) is None):
                if name in self._there or layout.of_checkpoint(name) is None:
                    self._remote.remove(name)
                    self._there.pop(name, None)
        except BaseException:
            with self._changed:
                self._gone = dict.fromkeys([*gone, *self._gone])
            raise

    def _wait(self, seconds: float | None) -> None:
        with self._changed:
            if not self._is_dirty or seconds is not None:
                # With a limit: a mirror that is not used any more wakes no thread.
                self._changed.wait(seconds or _LONGEST)


def _run(ref: weakref.ref[Mirror], ended: threading.Event) -> None:
    pause = None
    while not ended.is_set():
        mirror = ref()
        if mirror is None:
            return
        if mirror._is_dirty or pause is not None:
            is_done = mirror.attempt()
            pause = None if is_done else min(2 * (pause or _PAUSE / 2), _LONGEST)
        if not ended.is_set():
            mirror._wait(pause)
        del mirror


def _digest(text: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(text) if text else ""
