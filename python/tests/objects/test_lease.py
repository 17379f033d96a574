"""One process at a time has a prefix, whatever happens to others, to clocks and to the text."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest
from leases import NAME, Child, newest, of_another_host, plant, repository, saved, text_of
from store_places import StorePlace

from rekindle._format import layout
from rekindle._storage.remote import lease_text, watch
from rekindle._storage.remote.lease_text import LeaseText
from rekindle.errors import ForeignFileError, LockError, RekindleError


@pytest.fixture
def place(s3):
    return StorePlace(s3)


class TestTakingOver:
    def test_a_killed_process_of_this_host_is_replaced_at_once(self, place, clock):
        with Child(place) as child:
            child.do("open")
            child.send(signal.SIGKILL)
            # Also while it is a zombie, since its parent has not asked for its status.
            os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
            one = place.storage()
            assert one.hold()
            one.release()

    def test_a_later_process_with_the_same_number_is_not_the_holder(self, place, clock):
        mine = LeaseText.of_this_process(7, "b" * 16, 60.0)
        plant(place, dataclasses.replace(mine, born="1"))
        assert place.storage().probe().held is False
        assert place.storage().hold()

    @pytest.mark.parametrize("system", ["", "another boot pid:[4026531836]"])
    def test_another_host_is_waited_for_by_our_clock_alone(self, place, clock, monkeypatch, system):
        plant(place, dataclasses.replace(of_another_host(), system=system))
        waited = []

        def sleep(seconds):
            waited.append(seconds)
            clock.now += seconds

        monkeypatch.setattr(watch.time, "sleep", sleep)
        one = place.storage()
        assert one.hold()
        assert 60.0 <= sum(waited) <= 63.0
        assert one.session > 7
        one.release()

    def test_a_host_that_renews_its_lease_meanwhile_keeps_it(self, place, clock, monkeypatch):
        text = of_another_host()
        plant(place, text)

        def sleep(seconds):
            clock.now += seconds
            if clock.now > 1050:
                plant(place, text.next_beat())

        monkeypatch.setattr(watch.time, "sleep", sleep)
        with pytest.raises(LockError, match="at work just now"):
            place.storage().hold()

    def test_the_lease_in_use_is_not_waited_for_twice(self, place, clock):
        one = place.storage()
        plant(place, of_another_host())
        one._lease._has_waited = True
        with pytest.raises(LockError, match="elsewhere"):
            one.hold()
        clock.now += 62
        assert one.hold()

    def test_a_lease_without_a_change_for_long_by_the_clock_of_the_store_is_not_waited_for(
        self, place, clock, monkeypatch
    ):
        plant(place, of_another_host())
        head = place.storage()._objects.head(NAME)
        one = place.storage()
        told = one._objects.head
        monkeypatch.setattr(
            one._objects,
            "head",
            lambda name: dataclasses.replace(told(name), modified=head.modified + 123),
        )
        assert one.hold()
        # What the question wrote is gone.
        assert place.storage().names() == [NAME]

    @pytest.mark.parametrize("ahead", [-3600, 3600])
    def test_clocks_that_differ_change_nothing(self, place, ahead):
        with Child(place, ahead=ahead) as child:
            session = child.do("open")
            with pytest.raises(LockError):
                place.storage().hold()
            assert child.do("commit", 1) == 1
            assert child.do("close") is None
        saved(place, 2)
        assert text_of(place).session > session
        with Child(place, ahead=ahead) as child:
            child.do("open")
            assert child.do("commit", 3) == 3
            child.do("close")
        assert newest(place) == 3
        with repository(place).storage.open(f"ckpt-3.s{text_of(place).session}.safetensors"):
            pass


class TestOtherTexts:
    @pytest.mark.parametrize(
        "data",
        [
            layout.LOCK_MAGIC + b"1}",
            layout.LOCK_MAGIC,
            layout.LOCK_MAGIC + b"[" * 3000,
            layout.LOCK_MAGIC + b'1,"token":7,"session":"x","seconds":[],"host":{},"pid":true}',
            layout.LOCK_MAGIC + b'1,"session":1e400,"seconds":NaN,"pid":-1,"beat":1e99}',
            layout.LOCK_MAGIC + b'1,"token":"","host":"h","pid":1,"free":false}',
            layout.LOCK_MAGIC + b'1,"pid":4,"host":"h","started":1700000000.0,"made":true}',
            layout.LOCK_MAGIC + b"\xff\x00",
        ],
    )
    def test_a_text_without_a_lease_holds_nothing(self, place, clock, data):
        place.plant(NAME, data)
        assert place.storage().probe().held is False
        one = place.storage()
        assert one.hold()
        one.release()

    @pytest.mark.parametrize("data", [b"", b"theirs", b"{}", b"[" * 4000, b"\xff" * 4096])
    def test_a_file_that_is_not_a_lock_is_left_alone(self, place, clock, data):
        place.plant(NAME, data)
        with pytest.raises(ForeignFileError):
            place.storage().hold()
        assert place.storage().read(NAME, 5000) == data

    def test_a_huge_file_in_its_place_is_not_read(self, place, clock):
        place.plant(NAME, layout.LOCK_MAGIC + b" " * 5000)
        with pytest.raises(RekindleError, match="larger than"):
            repository(place).open()

    def test_garbage_in_place_of_a_lock_that_is_held_ends_the_hold(self, place, clock):
        one = place.storage()
        one.hold()
        place.plant(NAME, b"garbage")
        with pytest.raises(LockError):
            one._lease.renew()
        assert not one.is_held
        with pytest.raises(ForeignFileError):
            one.hold()

    @pytest.mark.parametrize("session", [10**10, 9 * 10**10, 10**11 - 1, 10**11, 10**300, -5])
    def test_a_number_from_a_wrong_clock_still_gives_names_that_are_read(
        self, place, clock, session
    ):
        text = of_another_host(free=True)
        plant(place, dataclasses.replace(text, session=session))
        for index in (1, 2):
            saved(place, index)
            assert newest(place) == index

    @pytest.mark.parametrize("time", [-1e9, 0.0, 1e13, 1e300])
    def test_a_clock_far_off_still_gives_names_that_are_read(self, place, clock, monkeypatch, time):
        monkeypatch.setattr(lease_text.time, "time", lambda: time)
        saved(place, 1)
        assert newest(place) == 1
