"""Processes, clocks and texts for the tests of the lease."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import lease_child
from store_places import StorePlace

from rekindle._format import layout
from rekindle._repository import reader
from rekindle._repository.repository import Repository
from rekindle._storage.protocol import Holder
from rekindle._storage.remote import lease_text
from rekindle._storage.remote.lease_text import LeaseText

NAME = layout.LOCK
CHILD = Path(__file__).with_name("lease_child.py")


def through(place, proxy):
    """The same prefix, by a client that goes through the proxy and does not try again."""
    other = StorePlace(place.server, proxy.endpoint)
    other.prefix, other.url = place.prefix, place.url
    other.options |= {"client_options": {"timeout": "1s"}, "retry_config": {"max_retries": 0}}
    return other


def repository(place):
    return Repository(place.storage(), "0.0.0")


def saved(place, index):
    folder = repository(place)
    folder.open()
    folder.commit(lease_child.snapshot(index))
    folder.close()


def newest(place):
    """The index of the newest checkpoint, all of whose bits are those of that index."""
    _, found = reader.load_newest(place.storage())
    index = found.manifest.state["index"]
    for name, array in lease_child.snapshot(index).arrays.items():
        assert found.arrays[name].tobytes() == array.tobytes()
    return index


def text_of(place):
    data = place.storage().read(NAME, 5000)
    return lease_text.decode(data, "")


def of_another_host(**facts):
    """A lease that a process of another host wrote."""
    mine = LeaseText.of_this_process(7, "b" * 16, 60.0)
    holder = Holder("elsewhere", 4, mine.holder.started)
    return dataclasses.replace(mine, holder=holder, system="another boot", **facts)


def plant(place, text):
    place.plant(NAME, lease_text.encode(text))


class Child:
    """A process that does what it is told."""

    def __init__(self, place, seconds=None, ahead=0):
        seconds = {} if seconds is None else {"REKINDLE_LEASE_SECONDS": str(seconds)}
        command = [sys.executable, str(CHILD), place.url, json.dumps(place.options), str(ahead)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **seconds},
        )

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def do(self, *words):
        self.tell(*words)
        return self.hear()

    def send(self, number):
        os.kill(self.process.pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate()
