"""The objects of one prefix, through the library obstore, with errors as those of the system."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rekindle._base.places import Remote
from rekindle._storage.protocol import TooLargeError
from rekindle._storage.remote import calls, refusals, stores

# An upload in parts has at most 10,000 parts. Parts of this size, so many at a time, are all the
# memory that an upload needs.
_PART = 8 << 20
_MOST_PARTS = 9000
_AT_ONCE = 6

# Bytes of a large answer that come at once: with all readers of a pack, less than 64 MB wait.
_CHUNK = 2 << 20

# What is smaller is read and written in one request.
SMALL = 1 << 20


class ConflictError(OSError):
    """The object is there already, or is not the one that was to be replaced."""


@dataclass(frozen=True)
class Tag:
    """What tells one version of an object from another; stores give one or both."""

    e_tag: str | None
    version: str | None


@dataclass(frozen=True)
class Entry:
    """An object, without its bytes.

    Attributes:
        name: The name within the prefix.
        size: The size in bytes.
        tag: Its version.
        modified: When it was written, by the clock of the store, in POSIX seconds.
    """

    name: str
    size: int
    tag: Tag
    modified: float


class Chunks:
    """The chunks of an upload.

    Attributes:
        error: The error that ended them.
        is_ended: Set it to read no more of them.
    """

    def __init__(self, chunks: Iterable[memoryview]) -> None:
        self._chunks = chunks
        self.error: BaseException | None = None
        self.is_ended = False

    def __iter__(self) -> Iterator[memoryview]:
        try:
            for chunk in self._chunks:
                if self.is_ended:
                    raise OSError(errno.ECANCELED, "the upload was given up")
                yield chunk
        except BaseException as error:
            self.error = error
            raise


class Objects:
    """Reads and writes the objects of one prefix.

    Every method raises :class:`FileNotFoundError` for an object that is not there, and another
    :class:`OSError` if the store refuses or does not answer.

    Args:
        place: The prefix.
        options: The user's `storage_options`.
    """

    def __init__(self, place: Remote, options: Mapping[str, Any]) -> None:
        self._place = place
        self._prefix = f"{place.prefix}/" if place.prefix else ""
        self._library = stores.library(place.url)
        self._small, self._large = stores.pair(place, options)

    def _call(self, name: str, work: Callable[[Any], Any], *, large: bool = False) -> Any:
        store = self._large if large else self._small
        try:
            return calls.call(lambda: work(store))
        except OSError as error:
            raise refusals.of_system(error, self.where(name)) from None
        except self._library.exceptions.BaseError as error:
            raise self._refusal(error, name) from None
        # A name that no store takes, such as one with a control character.
        except ValueError as error:
            raise OSError(errno.EINVAL, str(error), self.where(name)) from None
        except BaseException as error:
            panic = refusals.of_panic(error, self.where(name))
            if panic is None:
                raise
            raise panic from None

    def _refusal(self, error: Exception, name: str) -> OSError:
        known = self._library.exceptions
        if isinstance(error, known.AlreadyExistsError | known.PreconditionError):
            return ConflictError(errno.EEXIST, "another program has written it", self.where(name))
        return refusals.of_store(error, known, self.where(name))

    def _key(self, name: str) -> str:
        return self._prefix + name

    def where(self, name: str) -> str:
        """The object as messages name it."""
        return f"{self._place.url}/{name}" if name else self._place.url

    # Reading

    def names(self) -> list[str]:
        """The names in the prefix; of names with a further slash, the first part."""
        beyond = len(self._prefix)
        found = self._call("", lambda store: store.list_with_delimiter(self._place.prefix or None))
        keys = [
            *(str(one["path"]) for one in found["objects"]),
            *map(str, found["common_prefixes"]),
        ]
        return [key[beyond:].rstrip("/") for key in keys if len(key) > beyond]

    def head(self, name: str) -> Entry | None:
        """The object; ``None`` if there is none."""
        try:
            return _entry(self._call(name, lambda store: store.head(self._key(name))), name)
        except FileNotFoundError:
            return None

    def get(self, name: str, at_most: int) -> tuple[bytes, Entry]:
        """The bytes of an object. Raises :class:`TooLargeError`, unread, above `at_most`."""
        data, entry = self.begin(name, at_most)
        if data is None:
            raise TooLargeError(errno.EFBIG, f"larger than {at_most} bytes", self.where(name))
        return data, entry

    def begin(self, name: str, at_most: int) -> tuple[bytes | None, Entry]:
        """The same; ``None`` in place of more bytes than `at_most`."""

        def work(store: Any) -> tuple[bytes | None, Entry]:
            result = store.get(self._key(name))
            entry = _entry(result.meta, name)
            return None if entry.size > at_most else bytes(result.bytes()), entry

        # A run begins with small objects, and must not wait long to learn that the store is away.
        large = at_most > SMALL
        found: tuple[bytes | None, Entry] = self._call(name, work, large=large)
        return found

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Bytes from `start` up to `stop`, or to the end; `start` is not beyond the end."""
        if start >= stop:
            return b""
        key = self._key(name)
        found = self._call(
            name,
            lambda store: store.get_range(key, start=start, end=stop),
            large=stop - start > SMALL,
        )
        return bytes(found)

    def stream(self, name: str, start: int, stop: int) -> Iterator[memoryview]:
        """The same, for many bytes, in chunks."""
        options = {"range": (start, stop)}

        def work(store: Any) -> Any:
            return store.get(self._key(name), options=options).stream(min_chunk_size=_CHUNK)

        chunks = self._call(name, work, large=True)
        while chunk := self._call(name, lambda _: next(chunks, b"")):
            yield memoryview(chunk)

    # Writing

    def create(self, name: str, data: bytes) -> Tag:
        """Writes a new object, or raises :class:`ConflictError`: also if a reply was lost."""
        return self._put(name, data, mode="create")

    def replace(self, name: str, data: bytes, tag: Tag) -> Tag:
        """Writes an object in place of this version of it, or raises :class:`ConflictError`."""
        known = {part: value for part, value in vars(tag).items() if value is not None}
        return self._put(name, data, mode=known)

    def put(self, name: str, data: bytes) -> Tag:
        """Writes an object, in place of any other."""
        return self._put(name, data)

    def _put(self, name: str, data: bytes, **mode: Any) -> Tag:
        def work(store: Any) -> Any:
            return store.put(self._key(name), data, use_multipart=False, **mode)

        return _tag(self._call(name, work, large=len(data) > SMALL))

    def upload(self, name: str, size: int, given: Chunks) -> None:
        """Writes an object of this size. It is visible when all of it was written, or never."""
        if size <= SMALL:
            self.put(name, b"".join(given))
            return

        def work(store: Any) -> Any:
            return store.put(
                self._key(name),
                iter(given),
                use_multipart=True,
                chunk_size=max(_PART, -(-size // _MOST_PARTS)),
                max_concurrency=_AT_ONCE,
            )

        try:
            self._call(name, work, large=True)
        except BaseException as error:
            # After an interrupt, the request must not go on to read the caller's memory.
            given.is_ended = True
            if isinstance(error, FileNotFoundError):
                # The answer to the last request was lost, and then there was nothing to give up.
                raise OSError(errno.ECONNRESET, "the end of the upload was not answered") from None
            raise

    def delete(self, name: str) -> None:
        """Removes an object, if it is there."""
        try:
            self._call(name, lambda store: store.delete(self._key(name)))
        except FileNotFoundError:
            # Believed without a look, it could leave a manifest without its packs.
            if self.head(name) is not None:
                raise OSError(errno.EIO, "the store did not remove it", self.where(name)) from None

    def copy(self, source: str, target: str) -> None:
        """Copies an object within the store."""
        keys = self._key(source), self._key(target)
        self._call(source, lambda store: store.copy(*keys), large=True)


def _entry(meta: Mapping[str, Any], name: str) -> Entry:
    return Entry(
        name,
        int(meta["size"]),
        _tag(meta),
        meta["last_modified"].timestamp(),
    )


def _tag(meta: Mapping[str, Any]) -> Tag:
    return Tag(meta.get("e_tag"), meta.get("version"))
