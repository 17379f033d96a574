"""Forged random states never reach a generator."""

from __future__ import annotations

import random

import numpy as np
import pytest

import rekindle
from rekindle._codec import kinds, tags, tree
from rekindle._codec.capture import Capture
from rekindle._codec.changeable import Baseline
from rekindle._codec.restore import Restore
from rekindle._training import random_states
from rekindle.errors import BrokenTreeError

POSITIONS = (700, -5, 2**31 - 1, 10**30, 1.5, True, None, "3", [])


def spoiled(state, place, value):
    """The state with another value at one place."""
    *outer, last = place
    part = state
    for name in outer:
        part = part[name]
    part[last] = value
    return state


def refuses(live, state):
    kind = kinds.kind_of(live)
    arrays = {}
    saved = tags.tag("object", [kind, tree.flatten(state, "", arrays)])
    before = repr(kinds.get_state(kind, live))
    with pytest.raises(BrokenTreeError):
        put(saved, arrays, live)
    assert repr(kinds.get_state(kind, live)) == before


def put(saved, arrays, live):
    restore = Restore(arrays, live_only=True)
    Baseline.fitting(live, saved, "here", restore)()
    restore.states.put("here")


def take(live, arrays):
    capture = Capture(live)
    capture.arrays = arrays
    return capture.take(live, "")


def numpy_states():
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        make = getattr(np.random, name)
        yield name, lambda make=make: np.random.Generator(make(1))
        yield f"RandomState({name})", lambda make=make: np.random.RandomState(make(1))


GENERATORS = dict(numpy_states())


def places(state, place=()):
    for name, part in state.items():
        if isinstance(part, dict):
            yield from places(part, (*place, name))
        yield (*place, name)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_part_of_a_numpy_state_is_checked(name):
    make = GENERATORS[name]
    live = make()
    kind = kinds.kind_of(live)
    found = list(places(kinds.get_state(kind, live)))
    assert found
    for place in found:
        state = spoiled(kinds.get_state(kind, make()), place, "no such thing")
        refuses(live, state)
    for place in found:
        if place[-1] in ("pos", "buffer_pos", "has_uint32", "uinteger", "has_gauss", "inc"):
            for value in (-1, 2**130, True, None):
                refuses(live, spoiled(kinds.get_state(kind, make()), place, value))


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("draws", [0, 1, 3, 623, 624, 625])
def test_a_numpy_state_that_was_taken_is_put_back(name, draws):
    live, again = GENERATORS[name](), GENERATORS[name]()
    kind = kinds.kind_of(live)
    live.standard_normal(draws)
    live.integers(0, 9, draws, dtype=np.uint32) if kind == "numpy.Generator" else live.rand(draws)
    arrays = {}
    saved = take(live, arrays)
    arrays = {key: array.copy() for key, array in arrays.items()}
    put(saved, arrays, again)
    assert live.standard_normal(9).tolist() == again.standard_normal(9).tolist()


@pytest.mark.parametrize("position", POSITIONS)
def test_a_position_outside_of_numpys_words_is_refused(position):
    live = np.random.RandomState(0)
    state = live.get_state(legacy=False)
    refuses(live, spoiled(state, ("state", "pos"), position))


@pytest.mark.parametrize(
    "state",
    [
        [2, np.zeros(625, np.uint32), None],
        [4, np.zeros(625, np.uint32), None],
        [3, np.zeros(624, np.uint32), None],
        [3, np.zeros(625, np.int64), None],
        [3, np.full(625, 625, np.uint32), None],
        [3, np.full(625, 2**31 - 1, np.uint32), None],
        [3, np.zeros(625, np.uint32), "x"],
        [3, [0] * 625, None],
        [3, np.zeros(625, np.uint32)],
        "state",
    ],
)
def test_a_state_that_pythons_generator_was_never_in_is_refused(state):
    refuses(random.Random(1), state)


def torch_state(**changes):
    torch = pytest.importorskip("torch")
    state = torch.Generator().get_state().numpy().copy()
    for place, (dtype, value) in changes.items():
        size = np.dtype(dtype).itemsize
        at = {"left": 8, "seeded": 12, "next": 16, "normal": 5040, "float_normal": 5052}[place]
        state[at : at + size] = np.array([value], dtype).view(np.uint8)
    return state


@pytest.mark.parametrize(
    "changes",
    [
        {"left": (np.int32, 0)},
        {"left": (np.int32, -1)},
        {"left": (np.int32, 625)},
        {"next": (np.uint64, 625)},
        {"next": (np.uint64, 2**63)},
        # Each value is in its range. But the generator would read words past the end of the state.
        {"left": (np.int32, 624), "next": (np.uint64, 624)},
        {"left": (np.int32, 300), "next": (np.uint64, 326)},
        {"seeded": (np.int32, 0)},
        {"normal": (np.int32, 7)},
        {"float_normal": (np.uint8, 7)},
    ],
)
def test_a_position_outside_of_pytorchs_words_is_refused(changes):
    torch = pytest.importorskip("torch")
    refuses(torch.Generator(), torch_state(**changes))


@pytest.mark.parametrize("size", [0, 1, 5047, 5049, 5055, 5057, 1 << 20])
def test_a_pytorch_state_of_another_size_is_refused(size):
    torch = pytest.importorskip("torch")
    refuses(torch.Generator(), np.zeros(size, np.uint8))


@pytest.mark.parametrize("draws", [0, 1, 2, 623, 624, 625, 1300])
def test_a_pytorch_state_that_was_taken_is_put_back(draws):
    torch = pytest.importorskip("torch")
    live, again = torch.Generator(), torch.Generator()
    torch.randn(draws, generator=live)
    torch.randn(1, generator=live, dtype=torch.float64)
    arrays = {}
    saved = take(live, arrays)
    put(saved, arrays, again)
    assert torch.rand(9, generator=live).tolist() == torch.rand(9, generator=again).tolist()


SPOILED = {
    "python": lambda state: state["python"].update(words=np.full(625, 9999, np.uint32)),
    "numpy": lambda state: state["numpy"]["state"].update(pos=700),
    "numpy's kind": lambda state: state["numpy"].update(bit_generator="PCG64"),
    "keras": lambda state: state.update(keras=np.zeros((2, 2), np.uint32)),
    "keras' dtype": lambda state: state.update(keras="seed"),
    "nothing": lambda state: state.clear(),
}


@pytest.mark.parametrize("what", SPOILED)
def test_no_random_state_of_the_process_changes_when_one_is_broken(what):
    states = random_states.take()
    random.random()
    np.random.rand()
    before = random.getstate(), repr(np.random.get_state())
    SPOILED[what](states)
    with pytest.raises(BrokenTreeError):
        random_states.put(states)
    assert (random.getstate(), repr(np.random.get_state())) == before


@pytest.mark.parametrize("first", [0, 2**31 - 1])
def test_words_that_give_zeros_for_ever_are_refused(first):
    words = np.zeros(624, np.uint32)
    words[0] = first
    for live in (np.random.RandomState(1), np.random.Generator(np.random.MT19937(1))):
        kind = kinds.kind_of(live)
        state = kinds.get_state(kind, live)
        refuses(live, spoiled(state, ("state", "key"), words))
    live = random.Random(1)
    version, saved, gauss = kinds.get_state("random.Random", live)
    refuses(live, [version, np.append(words, saved[-1]), gauss])
    torch = pytest.importorskip("torch")
    live = torch.Generator()
    state = live.get_state().numpy().copy()
    state[24 : 24 + 8 * 624] = words.astype(np.uint64).view(np.uint8)
    refuses(live, state)


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM"])
def test_an_increment_that_shortens_the_period_is_refused(name):
    live = np.random.Generator(getattr(np.random, name)(1))
    refuses(live, spoiled(live.bit_generator.state, ("state", "inc"), 2))


@pytest.mark.parametrize("position", [700, -5, 2**31 - 1])
def test_a_manager_tells_a_broken_position_as_damage(position, tmp_path):
    class Forged:
        """Returns a state that the generator can never have."""

        def state_dict(self):
            return spoiled(np.random.RandomState(0).get_state(legacy=False), ("state", "pos"), 700)

        def load_state_dict(self, state):
            raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "kind_of", lambda value: "numpy.RandomState")
        patch.setattr(
            kinds,
            "get_state",
            lambda kind, value: spoiled(
                np.random.RandomState(0).get_state(legacy=False), ("state", "pos"), position
            ),
        )
        path = rekindle.Checkpoint(rng=Forged()).save(tmp_path / "ckpt")
    live = np.random.RandomState(3)
    before = live.get_state()[1].tolist()
    weights = np.zeros(2)
    with pytest.raises(rekindle.DamageError, match="random state"):
        rekindle.Checkpoint(rng=live, weights=weights).restore(path)
    assert live.get_state()[1].tolist() == before
