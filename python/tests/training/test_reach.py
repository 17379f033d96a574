"""Random generators within reach of data, and whether its code draws from those of the process."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest

from rekindle._training.owned import Owned
from rekindle._training.reach import Reach

RNG = np.random.default_rng(1)


def reach(value):
    return Reach({"data": value}, lambda found: None)


def found(value):
    return sorted(type(one).__name__ for one in reach(value).generators.values())


class Data:
    def __init__(self, own):
        self.parts = [{"deep": own}]

    def draw(self):
        return self.parts


class OnModule:
    def draw(self):
        return RNG.normal()


class Fails:
    def __init__(self):
        self.own = random.Random(1)

    def __getattr__(self, name):
        raise OSError("no connection")


def test_generators_are_found_wherever_the_code_keeps_them():
    own, other = np.random.default_rng(1), random.Random(2)

    def in_closure():
        return own.normal()

    def with_default(rng=own):
        return rng

    def batches():
        mine = random.Random(3)
        while True:
            yield mine.random(), own

    running = batches()
    next(running)
    assert found(Data(own)) == ["Generator"]
    assert found(in_closure) == found(with_default) == ["Generator"]
    assert found(running) == ["Generator", "Random"]
    assert found(OnModule()) == ["Generator"]
    assert found(functools.partial(in_closure, other)) == ["Generator", "Random"]
    assert found(Data(other).draw) == ["Random"]
    assert found([Fails(), other]) == ["Random"]


def test_the_generators_of_the_process_are_not_the_datas_own():
    own = [random.random, np.random.normal, np.random.mtrand._rand]
    assert found(own) == []


def on_numpy():
    return np.random.permutation(3)


def on_python():
    return [random.shuffle([index]) for index in range(3)]


def on_its_own():
    return np.random.default_rng(3), random.Random(4)


@pytest.mark.parametrize(
    ("function", "draws"), [(on_numpy, True), (on_python, True), (on_its_own, False)]
)
def test_code_that_draws_from_the_process_is_seen(function, draws):
    assert reach(function).draws_globally is draws


def test_states_come_back_and_those_that_are_gone_are_named():
    own = np.random.default_rng(1)
    owned = Owned.of(reach([own]), {})
    states = owned.take()
    drawn = own.normal()
    owned.check(states)
    owned.put(states)
    assert own.normal() == drawn
    assert owned.missing(states | {"data/9": 1}) == ["data/9"]
