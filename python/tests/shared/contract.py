"""What every storage must do. A new storage is done when it passes these tests.

A subclass has two fixtures: `place`, a fresh :class:`Place`, and `storage`, which holds its lock.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

import numpy as np
import pytest

from rekindle._format import layout
from rekindle._storage.protocol import FileStatus, Storage, TooLargeError

PACK, OTHER = "ckpt-1.safetensors", "ckpt-2.safetensors"
MANIFEST = "ckpt-1.json"


class Place(ABC):
    """One folder, which does not exist yet, as several programs see it."""

    @abstractmethod
    def storage(self) -> Storage:
        """A new storage for the folder, as another program would have it."""

    @abstractmethod
    def plant(self, name: str, data: bytes) -> None:
        """Writes a file as a foreign program would. Makes the folder if it does not exist."""


def chunks(data: bytes, size: int = 1000) -> list[memoryview]:
    return [memoryview(data)[start : start + size] for start in range(0, len(data), size)]


def some(seed: int, size: int = 70_001) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def everything(storage: Storage, name: str) -> bytes:
    with storage.open(name) as file:
        data = bytearray(file.size)
        assert file.read_into(memoryview(data), 0) == file.size
    return bytes(data)


def listed(storage: Storage) -> list[str]:
    """The names in the folder. An object store has no empty folders."""
    return sorted(storage.names()) if storage.exists else []


def write(storage: Storage, name: str, data: bytes) -> None:
    storage.write_pack(name, len(data), chunks(data))


class FilesContract:
    """The files. The tests use no file system, and no knowledge of the storage."""

    def test_it_makes_nothing_before_it_is_held(self, place):
        one = place.storage()
        assert not one.exists
        assert one.status(PACK) is None
        with pytest.raises(FileNotFoundError):
            one.names()
        assert not place.storage().exists

    def test_names_in_messages_begin_with_the_place(self, place):
        one = place.storage()
        assert one.where(PACK).startswith(one.url)
        assert one.where(PACK).endswith(PACK)

    # Reading

    @pytest.mark.parametrize("size", [0, 1, 4096, 70_001])
    def test_what_is_written_is_read(self, storage, place, size):
        data = some(size, size)
        write(storage, PACK, data)
        reader = place.storage()
        assert PACK in reader.names()
        assert reader.status(PACK) == FileStatus(size, is_regular=True)
        assert reader.read(PACK, size) == everything(reader, PACK) == data

    @pytest.mark.parametrize(("start", "length"), [(0, 10), (65_000, 9), (69_995, 50), (90_000, 5)])
    def test_any_part_is_read(self, storage, start, length):
        data = some(1)
        write(storage, PACK, data)
        assert storage.read_part(PACK, start, length) == data[start : start + length]
        with storage.open(PACK) as file:
            buffer = bytearray(length)
            count = file.read_into(memoryview(buffer), start)
        assert bytes(buffer[:count]) == data[start : start + length]

    def test_a_part_may_count_from_the_end(self, storage):
        write(storage, PACK, some(1, 100))
        assert storage.read_part(PACK, -30, 10) == some(1, 100)[70:80]
        assert storage.read_part(PACK, -300, 10) == some(1, 100)[:10]

    @pytest.mark.parametrize(("head", "tail"), [(10, 30), (0, 1), (200, 300), (100, 100)])
    def test_both_ends_are_read_at_once(self, storage, head, tail):
        write(storage, PACK, some(1, 100))
        assert storage.read_ends(PACK, head, tail) == (some(1, 100)[:head], some(1, 100)[-tail:])

    def test_threads_read_one_file_at_the_same_time(self, storage):
        data, found = some(1), {}
        write(storage, PACK, data)

        def read(start: int) -> None:
            with storage.open(PACK) as file:
                parts = []
                for at in range(start, start + 10_000, 500):
                    buffer = bytearray(500)
                    file.read_into(memoryview(buffer), at)
                    parts.append(bytes(buffer))
            found[start] = b"".join(parts)

        threads = [threading.Thread(target=read, args=(10_000 * one,)) for one in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {start: data[start : start + 10_000] for start in range(0, 60_000, 10_000)}

    def test_writes_in_place_are_seen_at_once(self, storage, place):
        storage.put_hint(layout.WITNESS, b"0123456789")
        file = storage.write_in_place(layout.WITNESS)
        if file is None:
            pytest.skip("this storage has no writes in place")
        file.write(3, b"abc")
        file.write(8, b"yz")
        storage.sync()
        assert place.storage().read(layout.WITNESS, 10) == b"012abc67yz"
        file.close()
        file.close()

    def test_a_file_that_does_not_exist_cannot_be_written_in_place(self, storage):
        with pytest.raises(FileNotFoundError):
            storage.write_in_place(layout.WITNESS)

    def test_what_is_larger_than_allowed_is_not_read(self, storage):
        write(storage, PACK, bytes(100))
        with pytest.raises(TooLargeError):
            storage.read(PACK, 99)

    def test_a_missing_file_is_reported(self, storage):
        for call in (
            lambda: storage.read(PACK, 10),
            lambda: storage.read_part(PACK, 0, 10),
            lambda: storage.read_ends(PACK, 10, 10),
            lambda: everything(storage, PACK),
        ):
            with pytest.raises(FileNotFoundError):
                call()
        assert storage.status(PACK) is None

    def test_the_free_space_is_a_number_or_unknown(self, storage):
        free = storage.free_bytes()
        assert free is None or free > 0

    # Packs

    def test_a_pack_has_its_name_only_when_it_is_complete(self, storage, place):
        data = some(1)
        seen = []

        def watched():
            for chunk in chunks(data):
                seen.append(PACK in place.storage().names())
                yield chunk

        storage.write_pack(PACK, len(data), watched())
        assert not any(seen)
        assert everything(place.storage(), PACK) == data

    @pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
    def test_a_pack_that_failed_leaves_nothing(self, storage, place, error):
        before = sorted(storage.names())

        def failing():
            yield from chunks(some(1))
            raise error

        with pytest.raises(type(error)):
            storage.write_pack(PACK, 80_000, failing())
        assert sorted(place.storage().names()) == before
        write(storage, PACK, some(2))
        assert everything(storage, PACK) == some(2)

    @pytest.mark.parametrize("size", [10, 70_001, 140_000])
    def test_a_retired_pack_is_gone_and_never_shows_through(self, storage, place, size):
        write(storage, PACK, some(1))
        storage.retire(PACK)
        assert PACK not in storage.names()
        assert place.storage().status(PACK) is None
        write(storage, OTHER, some(2, size))
        assert everything(place.storage(), OTHER) == some(2, size)
        assert place.storage().status(OTHER).size == size

    def test_a_file_that_is_being_read_keeps_its_bytes_when_it_is_retired(self, storage, place):
        write(storage, PACK, some(1))
        with place.storage().open(PACK) as file:
            storage.retire(PACK)
            write(storage, OTHER, some(2))
            data = bytearray(file.size)
            try:
                file.read_into(memoryview(data), 0)
            except FileNotFoundError:
                assert storage.is_remote
                return
        assert bytes(data) == some(1)

    def test_nothing_that_is_retired_outlives_the_lock(self, storage, place):
        before = sorted(storage.names())
        for name in (PACK, OTHER):
            write(storage, name, some(1))
            storage.retire(name)
        storage.release()
        assert sorted(place.storage().names()) == before

    def test_reading_back_changes_nothing_and_may_be_stopped(self, storage):
        write(storage, PACK, some(1))
        asked = []
        storage.read_back([PACK, "missing.safetensors"], lambda: asked.append(1) or True)
        storage.read_back([], lambda: False)
        assert everything(storage, PACK) == some(1)

    # The commit point

    def test_a_staged_file_is_not_seen_before_it_is_published(self, storage, place):
        staging = storage.stage(MANIFEST)
        staging.write(b"new")
        assert place.storage().status(MANIFEST) is None
        assert not staging.may_be_published
        staging.publish()
        staging.acknowledge()
        assert place.storage().read(MANIFEST, 10) == b"new"
        assert staging.may_be_published

    def test_publishing_replaces_the_file(self, storage, place):
        for data in (b"old", b"newer"):
            staging = storage.stage(MANIFEST)
            staging.write(data)
            staging.publish()
            staging.acknowledge()
        assert place.storage().read(MANIFEST, 10) == b"newer"

    def test_an_abandoned_file_leaves_nothing(self, storage, place):
        before = sorted(storage.names())
        staging = storage.stage(MANIFEST)
        staging.abandon()
        staging.write(b"data")
        staging.abandon()
        assert sorted(place.storage().names()) == before

    def test_what_is_published_stays_when_it_is_abandoned(self, storage, place):
        staging = storage.stage(MANIFEST)
        staging.write(b"data")
        staging.publish()
        staging.abandon()
        assert place.storage().read(MANIFEST, 10) == b"data"

    def test_a_staged_file_of_a_crashed_run_does_not_disturb(self, storage, place):
        storage.stage(MANIFEST).write(b"of the crashed run")
        storage.release()
        later = place.storage()
        later.hold()
        staging = later.stage(MANIFEST)
        staging.write(b"data")
        staging.publish()
        assert later.read(MANIFEST, 10) == b"data"
        later.release()

    # Other files

    def test_a_hint_is_written_and_replaced(self, storage, place):
        for data in (b"one", b"two"):
            storage.put_hint(layout.STATE, data)
            storage.sync()
            assert place.storage().read(layout.STATE, 10) == data

    def test_removing_what_is_gone_is_no_error(self, storage):
        write(storage, PACK, b"data")
        for _ in range(2):
            storage.remove(PACK)
            storage.discard(PACK)
        assert storage.status(PACK) is None
        storage.sync()

    def test_quarantined_files_keep_their_bytes_under_names_that_say_so(self, storage):
        names = []
        for data in (b"one", b"two"):
            write(storage, PACK, data)
            names.append(storage.quarantine(PACK))
            assert storage.status(PACK) is None
        assert [storage.read(name, 10) for name in names] == [b"one", b"two"]
        assert all(layout.DAMAGED_ENDING.search(name) for name in names)
        storage.quarantine(PACK)
