"""A process that may have lost its lease does no harm, and one that has not goes on."""

from __future__ import annotations

import contextlib
import signal
import threading

import actions
import lease_child
import pytest
from leases import Child, newest, repository, text_of, through
from store_places import StorePlace

from rekindle._format import layout
from rekindle.errors import LockError, SaveError


@pytest.fixture
def place(s3):
    return StorePlace(s3)


class TestLosing:
    def test_a_stopped_holder_does_no_harm_when_it_goes_on(self, place):
        with Child(place, seconds=2) as stopped, Child(place, seconds=2) as thief:
            stopped.do("open")
            stopped.do("commit", 1)
            stopped.send(signal.SIGSTOP)
            # It waits for the lease to end: first refused, as the process of this host lives.
            said = thief.do("open")
            while not isinstance(said, int):
                assert "LockError" in said
                said = thief.do("open")
            assert thief.do("commit", 2) == 2
            stopped.tell("commit", 3)
            stopped.send(signal.SIGCONT)
            said = stopped.hear()
            assert said.startswith("SaveError")
            assert "locked by process" in said
            assert stopped.do("keep") is None
            assert newest(place) == 2
            assert thief.do("commit", 4) == 3
            assert thief.do("keep") is None
            assert newest(place) == 4

    def test_a_commit_that_comes_after_a_theft_is_refused(self, place, proxy, clock):
        one, two = repository(through(place, proxy)), repository(place)
        one.open()
        one.commit(lease_child.snapshot(1))

        def steal():
            clock.now += 62
            with pytest.raises(LockError):
                two.open()
            clock.now += 62
            two.open()

        # Stopped between the renewal of its lease and the commit.
        proxy.plan(actions.hook(before=steal), when=actions.is_a("PUT", "ckpt-2.json"))
        with pytest.raises(SaveError, match="locked by"):
            one.commit(lease_child.snapshot(2))
        assert newest(place) == 1
        assert two.commit(lease_child.snapshot(3)).number == 2
        two.keep(two.numbers[-1:])
        one.keep([1])
        assert newest(place) == 3
        one.close()
        two.close()

    def test_a_commit_that_took_effect_late_does_not_replace_the_new_holder_s(
        self, place, proxy, clock
    ):
        one, two = repository(through(place, proxy)), repository(place)
        one.open()
        one.commit(lease_child.snapshot(1))
        proxy.plan(actions.late, when=actions.is_a("PUT", "ckpt-2.json"))
        with pytest.raises(SaveError, match="did not answer"):
            one.commit(lease_child.snapshot(2))
        clock.now += 62
        with pytest.raises(LockError):
            two.open()
        clock.now += 62
        two.open()
        two.commit(lease_child.snapshot(3))
        two.keep(two.numbers[-1:])
        proxy.release()
        proxy.wait_until_idle()
        assert newest(place) == 3
        with pytest.raises(SaveError, match="locked by"):
            one.commit(lease_child.snapshot(4))
        two.commit(lease_child.snapshot(5))
        assert newest(place) == 5
        one.close()
        two.close()

    def test_what_a_stopped_process_had_to_write_behind_stays_unwritten(self, place, proxy, clock):
        one, two = place.storage(), place.storage()
        one.hold()
        one.put_hint(layout.STATE, b"old")
        one.sync()
        clock.now += 62
        one.put_hint(layout.STATE, b"stale")
        with contextlib.suppress(LockError):
            two.hold()
        clock.now += 62
        two.hold()
        two.put_hint(layout.STATE, b"new")
        two.sync()
        one.sync()
        one.release()
        assert place.storage().read(layout.STATE, 10) == b"new"
        two.release()

    def test_a_lock_that_was_removed_by_hand_costs_one_save_at_most(self, place, clock):
        folder = repository(place)
        folder.open()
        folder.commit(lease_child.snapshot(1))
        for name in place.storage().names():
            place.server.delete(f"{place.prefix}/{name}")
        with pytest.raises(SaveError, match="the lock was removed"):
            folder.commit(lease_child.snapshot(2))
        folder.commit(lease_child.snapshot(3))
        assert newest(place) == 3
        folder.close()

    def test_the_lock_of_the_next_holder_is_not_removed(self, place, proxy):
        one, two = through(place, proxy).storage(), place.storage()
        one.hold()
        # Between the last renewal and the removal, another process tries to get it.
        tried = []

        def try_it():
            with contextlib.suppress(LockError):
                tried.append(two.hold())

        proxy.plan(actions.hook(before=try_it), at=2)
        one.unmake()
        assert not tried
        assert two.hold()
        assert two._lease.confirm() is None
        two._lease.renew()
        two.release()


class TestHolding:
    def test_a_holder_that_was_cut_off_for_long_goes_on_if_no_other_came(self, place, proxy, clock):
        folder = repository(through(place, proxy))
        folder.open()
        folder.commit(lease_child.snapshot(1))
        proxy.cut()
        clock.now += 1000
        with pytest.raises(OSError, match="cannot be reached"):
            folder.storage._lease.renew()
        proxy.mend()
        assert folder.commit(lease_child.snapshot(2)).number == 2
        assert newest(place) == 2
        folder.close()

    @pytest.mark.parametrize(
        "harm", [actions.lose_reply, actions.close, actions.status(409), actions.status(412)]
    )
    @pytest.mark.parametrize("times", [1, 2])
    def test_a_beat_without_an_answer_does_not_lose_the_lease(
        self, place, proxy, clock, harm, times
    ):
        one = through(place, proxy).storage()
        one.hold()
        proxy.plan(harm, when=actions.is_a("PUT"), times=times)
        for _ in range(times):
            with contextlib.suppress(OSError):
                one._lease.renew()
        one._lease.renew()
        assert one.is_held
        one.release()
        assert place.storage().probe().held is False

    def test_a_beat_that_comes_late_does_not_lose_the_lease(self, place, proxy, clock):
        one = through(place, proxy).storage()
        one.hold()
        proxy.plan(actions.late, when=actions.is_a("PUT"))
        with pytest.raises(OSError, match="did not answer"):
            one._lease.renew()
        proxy.release()
        proxy.wait_until_idle()
        for _ in range(3):
            one._lease.renew()
        assert text_of(place).beat >= 3
        one.release()

    @pytest.mark.parametrize("harm", [actions.lose_reply, actions.silence_after, actions.late])
    def test_a_lock_whose_request_was_not_answered_is_taken_at_the_next_try(
        self, place, proxy, clock, harm
    ):
        one = through(place, proxy).storage()
        proxy.plan(harm, when=actions.is_a("PUT"))
        proxy.plan(actions.status(503), at=2, when=actions.is_a("GET"))
        with contextlib.suppress(OSError):
            one.hold()
        proxy.release()
        proxy.wait_until_idle()
        one.hold()
        assert one.is_held
        one.release()

    def test_a_lock_that_could_not_be_given_back_does_not_shut_this_process_out(
        self, place, proxy, clock
    ):
        one = through(place, proxy).storage()
        one.hold()
        proxy.cut()
        one.release()
        assert place.storage().probe().held is False
        assert place.storage().hold()

    def test_a_beat_and_a_commit_do_not_disturb_each_other(self, place):
        one = place.storage()
        one.hold()
        threads = [threading.Thread(target=one._lease.renew) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.is_held
        assert text_of(place).beat == 8
        one.release()


class TestLateRequests:
    """Requests that take effect after the client has given them up."""

    def test_a_late_pack_does_not_replace_a_later_one(self, place, proxy):
        with contextlib.closing(repository(through(place, proxy))) as folder:
            folder.open()
            proxy.plan(actions.late, when=actions.is_a("PUT", ".safetensors"))
            with pytest.raises(SaveError, match="did not answer"):
                folder.commit(lease_child.snapshot(1))
            folder.commit(lease_child.snapshot(2))
            proxy.release()
            proxy.wait_until_idle()
            assert newest(place) == 2

    def test_a_late_removal_does_not_remove_a_later_pack(self, place, proxy):
        with contextlib.closing(repository(through(place, proxy))) as folder:
            folder.open()
            proxy.plan(actions.status(500), when=actions.is_a("PUT", ".safetensors"))
            proxy.plan(actions.late, when=actions.is_a("POST", asks="delete"))
            with pytest.raises(SaveError, match="the store itself failed"):
                folder.commit(lease_child.snapshot(1))
            folder.commit(lease_child.snapshot(2))
            proxy.release()
            proxy.wait_until_idle()
            assert newest(place) == 2

    def test_a_refusal_after_a_lost_reply_keeps_the_packs_of_what_was_written(self, place, proxy):
        other = through(place, proxy)
        other.options["retry_config"] = {"max_retries": 1}
        with contextlib.closing(repository(other)) as folder:
            folder.open()
            is_commit = actions.is_a("PUT", "ckpt-1.json")
            proxy.plan(actions.lose_reply, when=is_commit)
            proxy.plan(actions.status(403), at=2, when=is_commit)
            with contextlib.suppress(SaveError):
                folder.commit(lease_child.snapshot(1))
            assert newest(place) == 1
