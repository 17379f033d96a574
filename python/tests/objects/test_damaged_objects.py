"""What a store may do to objects by itself, or somebody else in it: no byte is believed unread."""

from __future__ import annotations

import itertools
import random
import warnings

import numpy as np
import pytest
from store_places import StorePlace

from rekindle._format.manifest import Position
from rekindle._format.snapshot import Snapshot
from rekindle._repository.repository import Repository
from rekindle.errors import DamageError, DamageWarning


@pytest.fixture
def place(s3):
    """A place with two checkpoints, and the bytes of its objects."""
    made = StorePlace(s3)
    one = Repository(made.storage(), "1.2.3")
    for value in (1, 2):
        arrays = {
            "often": np.full((40, 50), value, np.float32),
            "never": np.arange(300, dtype=np.int64),
        }
        one.commit(Snapshot(arrays, {"value": value}, Position(value, value, 0)))
    one.keep(one.numbers)
    one.close()
    made.bytes = {name.rpartition("/")[2]: data for name, data in s3.objects(made.prefix).items()}
    return made


def newest(place):
    """The value of the newest whole checkpoint; ``None`` if rekindle refuses all of them."""
    one = Repository(place.storage(), "1.2.3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamageWarning)
            found = one.newest()
    except DamageError:
        return None
    finally:
        one.close()
    value = found.manifest.state["value"]
    assert (found.arrays["often"] == value).all()
    assert (found.arrays["never"] == np.arange(300)).all()
    return value


def put_back(place):
    for name in place.server.objects(place.prefix):
        place.server.delete(name)
    for name, data in place.bytes.items():
        place.plant(name, data)


def names(place, ending):
    return sorted(name for name in place.bytes if name.endswith(ending))


def test_a_flipped_bit_anywhere_costs_at_most_one_checkpoint(place):
    chosen = random.Random(5)
    for name in [*names(place, ".json"), *names(place, ".safetensors")]:
        data = place.bytes[name]
        for at in [0, len(data) - 1, *(chosen.randrange(len(data)) for _ in range(4))]:
            damaged = bytearray(data)
            damaged[at] ^= 1 << chosen.randrange(8)
            place.plant(name, bytes(damaged))
            # Both checkpoints share an array, which is in the pack of the first.
            expected = {None, 1, 2} if name.startswith("ckpt-1.s") else {1, 2}
            assert newest(place) in expected
            put_back(place)
    assert newest(place) == 2


def test_swapped_objects_are_not_believed(place):
    for ending in (".json", ".safetensors"):
        for first, second in itertools.combinations(names(place, ending), 2):
            place.plant(first, place.bytes[second])
            place.plant(second, place.bytes[first])
            assert newest(place) is None or ending == ".safetensors"
            put_back(place)
    assert newest(place) == 2


def test_an_object_that_is_cut_off_missing_or_of_another_run_is_not_believed(place):
    for name in [*names(place, ".json"), *names(place, ".safetensors")]:
        for data in (b"", place.bytes[name][:-1], place.bytes[name] * 2, bytes(1000)):
            place.plant(name, data)
            assert newest(place) in ({None, 1, 2} if name.startswith("ckpt-1.s") else {1, 2})
            put_back(place)
    newest_manifest = names(place, ".json")[-1]
    place.server.delete(f"{place.prefix}/{newest_manifest}")
    assert newest(place) == 1
