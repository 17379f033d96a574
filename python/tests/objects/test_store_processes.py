"""Forks, interrupts and the end of the interpreter while a place in an object store is open."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import actions
import numpy as np
import pytest
from store_places import StorePlace

import rekindle
from rekindle.errors import RekindleError

# What a forked child may call. Each gives an error of rekindle's, or does nothing.
CALLS = {
    "save": lambda one, place: one.save(),
    "restore": lambda one, place: one.restore_or_initialize(),
    "look": lambda one, place: rekindle.latest_checkpoint(place.url, storage_options=place.options),
    "begin": lambda one, place: manager(place),
    "close": lambda one, place: one.close(),
    "witness": lambda one, place: one.witness(1, loss=2.0),
}

SCRIPT = """
import json, sys, numpy, rekindle
checkpoint = rekindle.Checkpoint(a=numpy.arange(5))
made = rekindle.CheckpointManager(
    checkpoint, sys.argv[1], 2, storage_options=json.loads(sys.argv[2]))
made.save()
print("saved", flush=True)
sys.stdin.readline()
try:
    made.save()
except BaseException as error:
    print(type(error).__name__, flush=True)
"""


def manager(place):
    made = rekindle.Checkpoint(a=np.arange(5))
    return rekindle.CheckpointManager(made, place.url, 2, storage_options=place.options)


@pytest.fixture
def place(s3, proxy):
    return StorePlace(s3, proxy.endpoint)


def forked(work):
    """The status of a forked child, which is ended if it hangs, and what it says."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            work()
            said = "done"
        except RekindleError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001  (the parent judges)
            said = f"WRONG {error!r}"
        os.write(writable, said.encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    return os.waitpid(child, 0)[1], said


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
class TestForks:
    @pytest.mark.parametrize(
        ("name", "beats"), [("save", False), *((name, True) for name in CALLS)]
    )
    def test_a_child_gets_one_clear_error_and_the_parent_goes_on(self, place, proxy, name, beats):
        with contextlib.closing(manager(place)) as one:
            one.save()
            one._checkpointer.storage.sync()
            lease = one._checkpointer.storage._lease
            before = proxy.count
            thread = threading.Thread(target=lease.renew)
            if beats:
                # The child is made while another thread is in the middle of a request.
                proxy.plan(actions.hook(before=proxy.wait_for_release))
                thread.start()
                proxy.wait_for(before + 1)
            status, said = forked(lambda: CALLS[name](one, place))
            requests = proxy.count - before - beats
            if beats:
                proxy.release()
                thread.join()
            assert status == 0
            assert requests == 0
            silent = name in ("close", "witness")
            assert said == "done" if silent else "was forked from one that used" in said
            one.save()

    def test_the_end_of_children_calls_nothing(self, place, proxy):
        with contextlib.closing(manager(place)) as one:
            one.save()
            one._checkpointer.storage.sync()
            before = proxy.count
            context = multiprocessing.get_context("fork")
            children = [context.Process(target=len, args=("",)) for _ in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join(60)
            assert [child.exitcode for child in children] == [0, 0, 0]
            assert proxy.count == before
            one.save()


class TestTheEnd:
    def begun(self, place, *options):
        command = [sys.executable, *options, "-c", SCRIPT, place.url, json.dumps(place.options)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, text=True, **pipes)

    def test_a_program_that_ends_without_a_close_gives_the_place_back(self, place):
        with self.begun(place, "-X", "dev") as process:
            out, errors = process.communicate("\n", timeout=120)
        assert (process.returncode, out, errors) == (0, "saved\n", "")
        assert place.storage().probe().held is False
        assert b'"free": true' in place.storage().read(".lock", 5000)

    def test_an_interrupt_ends_the_wait_for_a_silent_store(self, place, proxy):
        with self.begun(place) as process:
            assert process.stdout.readline() == "saved\n"
            proxy.plan(actions.silence, times=float("inf"))
            before = proxy.count
            process.stdin.write("\n")
            process.stdin.flush()
            proxy.wait_for(before + 1)
            process.send_signal(signal.SIGINT)
            # The silence lasts as long as this reads.
            assert process.stdout.readline() == "KeyboardInterrupt\n"
            proxy.clear()
            _, errors = process.communicate(timeout=120)
        assert process.returncode == 0
        assert errors == ""

    def test_managers_that_are_closed_leave_no_threads(self, s3):
        place = StorePlace(s3)
        before = threading.active_count()
        made = []
        for _ in range(5):
            one = manager(place)
            one.restore_or_initialize()
            one.save()
            one.witness(1, loss=2.0)
            one.close()
            made.append(one)
        for thread in threading.enumerate():
            if thread.name.startswith("rekindle"):
                thread.join(60)
        named = [one.name for one in threading.enumerate() if "rekindle" in one.name]
        assert named == []
        assert threading.active_count() <= before
