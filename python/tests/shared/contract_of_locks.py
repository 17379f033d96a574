"""What every storage must do about its lock; otherwise as `contract.py`."""

from __future__ import annotations

import threading

import pytest
from contract import PACK, listed, some, write

from rekindle._format import layout
from rekindle.errors import ForeignFileError, LockError


class LockContract:
    """One writer, and no harm to the files of others."""

    def test_it_is_held_once(self, storage, place):
        assert storage.is_held
        assert not storage.hold()
        other = place.storage()
        assert not other.is_held
        with pytest.raises(LockError) as info:
            other.hold()
        assert info.value.directory == other.url
        assert storage.is_held

    def test_after_a_release_another_program_can_hold_it(self, storage, place):
        write(storage, PACK, b"data")
        storage.release()
        storage.release()
        other = place.storage()
        assert other.hold()
        assert other.read(PACK, 10) == b"data"
        assert not storage.is_held
        other.release()

    def test_one_of_many_that_try_at_once_holds_it(self, place):
        start, held, refused = threading.Barrier(8), [], []

        def attempt() -> None:
            one = place.storage()
            start.wait()
            try:
                held.append((one, one.hold()))
            except LockError:
                refused.append(one)

        threads = [threading.Thread(target=attempt) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(held) == 1
        assert len(refused) == 7
        held[0][0].release()

    def test_the_holder_is_known_without_the_lock(self, storage, place):
        found = place.storage().probe()
        assert found.held in (True, None)
        assert found.held is None or (found.is_here and found.holder.pid is not None)
        storage.release()
        assert not place.storage().probe().held

    def test_a_folder_that_does_not_exist_is_not_held(self, place):
        assert place.storage().probe().held is False

    @pytest.mark.parametrize("foreign", [False, True])
    def test_withdrawing_leaves_the_folder_as_it_was(self, place, foreign):
        if foreign:
            place.plant("thesis.txt", b"text")
            before = listed(place.storage())
        one = place.storage()
        one.hold()
        one.withdraw()
        assert not one.is_held
        assert listed(place.storage()) == (before if foreign else [])

    @pytest.mark.parametrize("foreign", [False, True])
    def test_unmaking_removes_the_folder_unless_it_has_foreign_files(self, place, foreign):
        one = place.storage()
        one.hold()
        write(one, PACK, some(1))
        one.retire(PACK)
        if foreign:
            place.plant("thesis.txt", b"text")
        one.unmake()
        assert not one.is_held
        assert place.storage().exists == foreign
        if foreign:
            assert place.storage().names() == ["thesis.txt"]

    def test_a_folder_that_was_there_stays(self, place):
        place.plant("thesis.txt", b"text")
        one = place.storage()
        one.hold()
        one.unmake()
        assert place.storage().names() == ["thesis.txt"]

    def test_the_lock_of_another_program_is_left_alone(self, place):
        place.plant(layout.LOCK, b"theirs")
        one = place.storage()
        assert not one.has_own_lock()
        with pytest.raises(ForeignFileError):
            one.hold()
        assert one.read(layout.LOCK, 10) == b"theirs"
        assert not one.is_held

    def test_its_own_lock_is_known(self, storage, place):
        assert place.storage().has_own_lock()

    def test_its_own_files_are_not_another_user_s(self, storage, place):
        write(storage, PACK, b"data")
        place.storage().refuse_others()
