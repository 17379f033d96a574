"""Saving into an object store, against the library's own upload and download of as many bytes.

The store is moto's server of S3 on this machine, so the network costs nothing: what is left is what
rekindle itself adds. A proxy counts the requests of one save and of one restore.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import rekindle
from benchmarks import timing
from rekindle import inspection

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "shared"))

_ARRAYS = 64


def measured(megabytes: float, rounds: int, folder: str) -> dict:
    from servers import S3Server

    count = int(megabytes * 1e6 / 4 / _ARRAYS)
    arrays = {f"a{index}": np.zeros(count, np.float32) for index in range(_ARRAYS)}
    rows: dict[str, list[float]] = {}
    with S3Server() as server:
        contestants = {
            "rekindle, S3": _Manager(f"{server.url}/ours", arrays, server.options),
            "rekindle, folder": _Manager(os.path.join(folder, "ours"), arrays, None),
            "obstore": _Obstore(server, arrays),
        }
        if importlib.util.find_spec("s3fs"):
            contestants["s3fs"] = _S3fs(server, arrays)
        for index in range(rounds):
            for name, contestant in timing.rotated(contestants, index):
                for array in arrays.values():
                    array += 1
                _measure(name, contestant, arrays, rows)
        for contestant in contestants.values():
            contestant.close()
        requests = _requests(server)
    return {"bytes": sum(map(_nbytes, arrays.values())), "rows": rows, "requests": requests}


def _nbytes(array) -> int:
    return array.nbytes


def _measure(name: str, contestant, arrays: dict, rows: dict[str, list[float]]) -> None:
    began = time.perf_counter()
    contestant.save()
    rows.setdefault(f"{name}: held", []).append(time.perf_counter() - began)
    contestant.wait()
    rows.setdefault(f"{name}: durable", []).append(time.perf_counter() - began)
    before = arrays["a0"][0]
    with timing.timed(rows, f"{name}: restore"):
        contestant.restore()
    assert arrays["a0"][0] == before


class _Manager:
    """rekindle.CheckpointManager, in the background."""

    def __init__(self, place: str, arrays: dict, options) -> None:
        checkpoint = rekindle.Checkpoint(**arrays)
        self._manager = rekindle.CheckpointManager(
            checkpoint, place, 1, background=True, storage_options=options
        )

    def save(self) -> None:
        self._manager.save()

    def wait(self) -> None:
        self._manager.sync()

    def restore(self) -> None:
        assert self._manager.restore_or_initialize()

    def close(self) -> None:
        self._manager.close()


class _Obstore:
    """One upload in parts, and one download, as the library does them by itself."""

    def __init__(self, server, arrays: dict) -> None:
        self._store, self._arrays = server.store("theirs"), arrays

    def save(self) -> None:
        self._store.put("state", iter([memoryview(one).cast("B") for one in self._arrays.values()]))

    def wait(self) -> None:
        return

    def restore(self) -> None:
        memoryview(self._store.get("state").bytes())

    def close(self) -> None:
        return


class _S3fs:
    """A file of s3fs."""

    def __init__(self, server, arrays: dict) -> None:
        import s3fs

        options = server.options
        self._files = s3fs.S3FileSystem(
            key=options["access_key_id"],
            secret=options["secret_access_key"],
            client_kwargs={"endpoint_url": server.endpoint, "region_name": "us-east-1"},
        )
        self._path, self._arrays = f"{server.bucket}/s3fs/state", arrays

    def save(self) -> None:
        with self._files.open(self._path, "wb", block_size=8 << 20) as file:
            for array in self._arrays.values():
                file.write(memoryview(array).cast("B"))

    def wait(self) -> None:
        return

    def restore(self) -> None:
        self._files.cat_file(self._path)

    def close(self) -> None:
        return


def _requests(server) -> dict[str, dict[str, int]]:
    """How many requests a save of 1 MB makes, and a restore; and a minute of a held place."""
    from proxy import Proxy

    arrays = {"a": np.zeros(250_000, np.float32)}
    found = {}
    with Proxy(server.endpoint) as proxy:
        options = server.options_at(proxy.endpoint)
        place = f"{server.url}/counted"
        with contextlib.closing(_Manager(place, arrays, options)) as manager:
            for _ in range(3):
                proxy.forget()
                arrays["a"] += 1
                manager.save()
                manager.wait()
            found["save"] = _counted(proxy)
        with contextlib.closing(_Manager(place, arrays, options)) as manager:
            proxy.forget()
            manager.restore()
            found["restore"] = _counted(proxy)
        proxy.forget()
        inspection.info(place, storage_options=options)
        found["info"] = _counted(proxy)
    return found


def _counted(proxy) -> dict[str, int]:
    """By the classes that stores charge for."""
    kinds = Counter()
    for one in proxy.requests:
        is_list = one.method == "GET" and "list-type" in one.query
        kinds["list" if is_list else {"POST": "delete"}.get(one.method, one.method.lower())] += 1
    return dict(kinds)


if __name__ == "__main__":
    import json
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measured(float(sys.argv[1]), int(sys.argv[2]), scratch), indent=1))
