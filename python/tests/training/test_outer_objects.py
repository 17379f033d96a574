"""Objects of all kinds in global variables that functions of callbacks use."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from typing import NamedTuple

from hooked import Hooked, taken

from rekindle._training.outer_values import OuterValues

COUNT = 0


def test_the_users_own_objects_may_fail(monkeypatch):
    class Fails:
        def __getattr__(self, name):
            raise OSError("no connection")

    class Lies(dict):
        def __len__(self):
            raise OSError("no connection")

    for name, one in {"FAILS": Fails(), "LIES": Lies()}.items():
        monkeypatch.setitem(globals(), name, one)

    def use():
        return FAILS, LIES, COUNT  # noqa: F821

    values = OuterValues([Hooked(use)], [])
    assert taken(values)[0] == {}


NAMES = """
from hooked import Hooked, taken
from rekindle._training.outer_values import OuterValues

def counting():
    count = 0
    def count_it():
        nonlocal count
        count += 1
    return count_it

first, second, third, fourth = counting(), counting(), counting(), counting()

def hook():
    first(), second(), third(), fourth()

values = OuterValues([Hooked(hook)], [])
for number, one in enumerate([first, second, third, fourth]):
    for _ in range(number + 1):
        one()
print(taken(values)[0])
"""


def test_values_have_the_same_names_in_each_process():
    found = [
        subprocess.run(
            [sys.executable, "-c", NAMES],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    ]
    assert found[0].count("count") >= 4
    assert set(found) == {found[0]}


class Slots:
    """An object without a dict of attributes."""

    __slots__ = ("steps",)

    def __init__(self):
        self.steps = 0


class Pair(NamedTuple):
    first: int
    second: list


class Stage(enum.Enum):
    BEGIN = 0
    END = 1


def test_objects_without_a_dict_of_attributes_end_nothing(monkeypatch):
    found = {"SLOTS": Slots(), "PAIR": Pair(1, []), "STAGE": Stage.BEGIN, "KINDS": [Slots, Stage]}
    for name, one in found.items():
        monkeypatch.setitem(globals(), name, one)

    def use():
        global PAIR, STAGE
        PAIR.second.append(1)
        SLOTS.steps += 1  # noqa: F821
        PAIR, STAGE = Pair(2, PAIR.second), Stage.END if STAGE is Stage.BEGIN else STAGE
        return KINDS  # noqa: F821

    values = OuterValues([Hooked(use)], [])
    use()
    state, arrays = taken(values)
    globals().update(PAIR=Pair(1, []), STAGE=Stage.BEGIN)
    OuterValues([Hooked(use)], []).put(state, arrays)
    assert (Pair(2, [1]), Stage.END) == (PAIR, STAGE)
