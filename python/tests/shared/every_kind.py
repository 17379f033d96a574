"""A value of each kind that may be state, as a script makes it, and how training changes it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import pathlib
import random
from typing import Any, NamedTuple

import numpy as np


class Phase(enum.Enum):
    WARM, MAIN, COOL, END = range(4)


class Level(enum.IntEnum):
    LOW, HIGH = 1, 2


class Mode(enum.Flag):
    A, B = enum.auto(), enum.auto()


class Pair(NamedTuple):
    left: Any
    right: Any


class Own(dict):
    """A dict of the script's own class."""


@dataclasses.dataclass
class Record:
    count: int
    times: list


def made():
    """The values as the script makes them."""
    return {
        "number": 0,
        "complex": 0j,
        "imaginary": np.complex64(0),
        "nothing": None,
        "scalar": np.float32(0),
        "whole": np.int8(0),
        "array": np.zeros(3, "float32"),
        "grown": np.zeros(1),
        "pairs": np.zeros((2, 2), "complex64"),
        "date": datetime.date(2000, 1, 1),
        "moment": datetime.datetime(2000, 1, 1, 3, 4, 5, 6, datetime.timezone.utc),
        "folded": datetime.datetime(2000, 1, 1, fold=1),
        "clock": datetime.time(1, 2, 3),
        "span": datetime.timedelta(0),
        "phase": Phase.WARM,
        "level": Level.LOW,
        "mode": Mode.A,
        "list": [1, [2]],
        "tuple": (1, [2]),
        "dict": {"a": {"b": 1}, 3: "three"},
        "set": {1},
        "frozenset": frozenset({1}),
        "deque": collections.deque([1], maxlen=3),
        "counter": collections.Counter("a"),
        "ordered": collections.OrderedDict(b=1, a=2),
        "default": collections.defaultdict(list),
        "made by the script": collections.defaultdict(lambda: 7),
        "own": Own(a=1),
        "pair": Pair(1, [2]),
        "record": Record(1, []),
        "paths": [],
        "python": random.Random(1),
        "numpy": np.random.default_rng(1),
        "legacy": np.random.RandomState(1),
        "generators": [random.Random(2), {"a": np.random.default_rng(2)}],
    }


# Keras turns these into a dict of its own when they become attributes of a model.
DICTS = ("counter", "ordered", "default", "made by the script", "own")


def change(values, step, *, dicts=True):
    """Changes each value, in place or by another one, as training does."""
    if dicts:
        change_dicts(values, step)
    values["number"] += 1
    values["complex"] += complex(step, -0.0)
    values["imaginary"] = np.complex64(values["imaginary"] + 2j)
    values["nothing"] = float("nan") if step % 2 else [np.float32(step), None]
    values["scalar"] = np.float32(values["scalar"] + 1.5)
    values["whole"] = np.int8(values["whole"] + 1)
    values["array"] += step
    values["grown"] = np.append(values["grown"], step)
    values["pairs"][0] += 1j
    values["date"] += datetime.timedelta(1)
    values["moment"] += datetime.timedelta(1, 2, 3)
    values["folded"] = values["folded"].replace(minute=step)
    values["clock"] = values["clock"].replace(minute=step)
    values["span"] += datetime.timedelta(1, 2, 3)
    values["phase"] = Phase((values["phase"].value + 1) % 4)
    values["level"] = Level(3 - values["level"])
    values["mode"] = Mode.A | Mode.B if step % 2 else Mode.B
    values["list"].append([step])
    values["list"][1].append(step)
    values["tuple"] = (step, [*values["tuple"][1], step])
    values["dict"]["a"]["b"] += 1
    values["dict"][step] = step
    values["set"].add(step)
    values["frozenset"] |= {step}
    values["deque"].append(step)
    values["pair"] = Pair(values["pair"].left + 1, [*values["pair"].right, step])
    values["record"].count += 1
    values["record"].times.append(datetime.timedelta(step))
    values["paths"].append(pathlib.Path(f"epoch-{step}"))
    values["paths"].append(pathlib.PureWindowsPath("C:/x"))
    values["python"].random()
    values["numpy"].normal(size=step)
    values["legacy"].normal(size=step + 1)
    values["generators"][0].random()
    values["generators"][1]["a"].random()


def change_dicts(values, step):
    """Changes the dicts of other classes."""
    values["counter"].update("ab")
    values["ordered"].move_to_end(next(iter(values["ordered"])))
    values["ordered"][f"step {step}"] = step
    values["default"][step].append(collections.defaultdict(int, {step: 1}))
    values["made by the script"][step] += 1
    values["own"][step] = step


def shown(value):
    """The value as text that tells its class and every bit."""
    name = type(value).__name__
    if isinstance(value, random.Random):
        return f"{name} {hash(value.getstate())}"
    if isinstance(value, np.random.Generator):
        return f"{name} {value.bit_generator.state}"
    if isinstance(value, np.random.RandomState):
        state = value.get_state(legacy=False)
        return f"{name} {state['state']['pos']} {state['state']['key'].tobytes().hex()[:99]}"
    if isinstance(value, np.ndarray | np.generic):
        return f"{name} {value.dtype} {value.shape} {value.tobytes().hex()}"
    name = name.removeprefix("Tracked").removeprefix("_Dict").lower()
    if isinstance(value, dict):
        text = ", ".join(f"{key!r}: {shown(item)}" for key, item in value.items())
        return f"{name} {{{text}}}"
    if isinstance(value, set | frozenset):
        return f"{name} {sorted(map(shown, value))}"
    if isinstance(value, list | tuple | collections.deque):
        end = f" at most {value.maxlen}" if isinstance(value, collections.deque) else ""
        return f"{name} [{', '.join(map(shown, value))}]{end}"
    if dataclasses.is_dataclass(value):
        return f"{name} {shown(vars(value))}"
    return f"{name} {value!r}"


def told(values):
    """Each value as text, by name."""
    return {name: shown(value) for name, value in values.items()}
