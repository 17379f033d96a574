"""A process that holds a prefix and commits, as the tests tell it line by line on its input.

Arguments: the URL, the settings of the store as JSON, and how far its clock is ahead, in seconds.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from rekindle._base import places
from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle._storage.remote.storage import RemoteStorage


def snapshot(index):
    """A state of which every bit follows from the index."""
    arrays = {"a": np.random.default_rng(index).standard_normal(50), "b": np.arange(9)}
    return Snapshot(arrays, {"index": index}, Position(index, index, 0))


def main(url, options, ahead):
    truly = time.time
    time.time = lambda: truly() + float(ahead)
    folder = Repository(RemoteStorage(places.remote(url), json.loads(options)), "0.0.0")
    for line in sys.stdin:
        what, *given = line.split()
        try:
            if what == "open":
                folder.open()
                said = folder.storage.session
            elif what == "commit":
                said = folder.commit(snapshot(int(given[0]))).number
            elif what == "keep":
                said = folder.keep(folder.numbers[-1:])
            elif what == "close":
                said = folder.close()
        except Exception as error:  # noqa: BLE001  (the test judges)
            said = f"{type(error).__name__}: {error}"
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
