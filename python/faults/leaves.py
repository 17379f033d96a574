"""Forges every value of a saved state, every array and every file, one at a time.

Each value of the state, inner ones too, is replaced by each value of a list, or removed; each array
by arrays of other types, shapes and values; each file by something that is no regular file. Then
the script of `victims.py` resumes. Wanted: an error of rekindle's, or training goes on, and what it
saves has the types that training itself gives.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from faults import tree
from faults.forge import forge
from faults.forged import Trial
from faults.forgeries import Case, Forger

_ARRAY = {"$": ["array", "forged"]}


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def values(outside: str) -> dict[str, Any]:
    """What takes the place of a saved value, by a description."""
    return {
        "null": None,
        "true": True,
        "zero": 0,
        "minus one": -1,
        "a huge number": 10**30,
        "a fraction": 0.5,
        "NaN": {"$": ["float", "nan"]},
        "a text": "x",
        "no text": "",
        "a path elsewhere": outside,
        "a Path elsewhere": {"$": ["Path", outside]},
        "control characters": "\x1b]0;x\x07\u202e\n",
        "an empty list": [],
        "an empty dict": {},
        "a list of texts": [outside, outside],
        "a deep list": _nested(300),
        "a large dict": {str(number): number for number in range(3000)},
        "keys of one hash": {"$": ["dict", [[n * (2**61 - 1), n] for n in range(2000)]]},
        "an array": _ARRAY,
        "a set": {"$": ["set", [1, "x"]]},
        "bytes": {"$": ["bytes", "AAAA"]},
        "an object": {"$": ["object", ["numpy.RandomState", {}]]},
        "an unknown kind": {"$": ["exec", "import os"]},
        "a broken tag": {"$": []},
    }


ARRAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "another shape": lambda array: np.zeros((*array.shape, 2), array.dtype),
    "no elements": lambda array: np.zeros(0, array.dtype),
    "no dimension": lambda array: np.zeros((), array.dtype),
    "another dtype": lambda array: array.astype("float64" if array.dtype != "float64" else "int8"),
    "all ones": lambda array: np.full_like(array, 1),
    "all bits set": lambda array: np.frombuffer(b"\xff" * array.nbytes, array.dtype).reshape(
        array.shape
    ),
    "truth values": lambda array: np.ones(array.shape, bool),
    "complex numbers": lambda array: np.ones(array.shape, "complex64"),
}


def nodes(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yields each value in a tree of JSON, with its place."""
    if place:
        yield place, value
    inner = value.items() if isinstance(value, dict) else []
    for key, item in enumerate(value) if isinstance(value, list) else inner:
        yield from nodes(item, (*place, key))


def _has_one_type(state: Any, place: tuple[Any, ...]) -> bool:
    """Whether a value here must be of the type that is there.

    A container that the script has made empty takes all types, and a list all types of its items.
    """
    for key in place[:-1]:
        state = state[key]
    is_mixed = isinstance(state, list) and len({type(item) for item in state}) > 1
    return "grown" not in place and not is_mixed


def of_state(victim: str, state: Any) -> Iterator[Case]:
    """The cases in which one value of the state is forged."""
    for place, saved in nodes(state):
        judged = place if _has_one_type(state, place) else ()
        for what in (*values(""), "nothing"):
            if what != "nothing" and values("")[what] == saved:
                continue
            name = f"{'/'.join(map(str, place))} is {what}"
            yield Case(name, victim, lambda forger, p=place, w=what: _forge(forger, p, w), judged)


def _forge(forger: Forger, place: tuple[Any, ...], what: str) -> None:
    def change(state: Any) -> None:
        for key in place[:-1]:
            state = state[key]
        if what == "nothing":
            del state[place[-1]]
        else:
            state[place[-1]] = values(forger.outside)[what]

    forge(forger.folder, change, {"forged": np.ones((3, 3), "float32")})


def of_arrays(victim: str, arrays: dict[str, Any]) -> Iterator[Case]:
    """The cases in which one array is forged."""
    for name in arrays:
        for what, make in ARRAYS.items():

            def change(forger: Forger, name: str = name, make: Any = make) -> None:
                forge(forger.folder, lambda state: None, {name: make(arrays[name])})

            yield Case(f"the array {name} is {what}", victim, change)


def _special(kind: str, path: Path, outside: Path) -> None:
    if path.is_dir():
        return
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as one:
            # Paths of sockets are short.
            before = os.getcwd()
            os.chdir(path.parent)
            one.bind(path.name)
            os.chdir(before)
    elif kind == "a link elsewhere":
        path.symlink_to(outside)
    elif kind == "a hard link elsewhere":
        os.link(outside, path)
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    elif kind == "a link to no file":
        path.symlink_to(outside.with_name("absent"))
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a sparse giant":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "empty":
        path.touch()


FILES = ("a folder", "a pipe", "a socket", "a link elsewhere", "a hard link elsewhere")
FILES += ("a link to itself", "a link to no file", "a device", "a sparse giant", "empty", "absent")


def of_files(victim: str, folder: tree.Tree) -> Iterator[Case]:
    """The cases in which one file is something else."""
    for name, data in folder.items():
        for kind in FILES if data is not None else ():

            def change(forger: Forger, name: str = name, kind: str = kind) -> None:
                _special(kind, Path(forger.folder, name), Path(forger.outside))

            yield Case(f"{name} is {kind}", victim, change)


def of_pairs(cases: list[Case], count: int, rng: random.Random) -> Iterator[Case]:
    """Cases in which two values are forged at once."""
    for _ in range(count):
        one, other = rng.sample(cases, 2)

        def both(forger: Forger, first: Case = one, second: Case = other) -> None:
            first.forge(forger)
            # The first may have removed the place of the second.
            with contextlib.suppress(LookupError, TypeError):
                second.forge(forger)

        yield Case(f"{one.name}, and {other.name}", one.victim, both)


def _scripts() -> ModuleType:
    if os.environ.get("FAULTS_FRONT_END") == "tf_keras":
        from faults import victims_tf_keras

        return victims_tf_keras
    from faults import victims

    return victims


def run(step: int, seed: int) -> dict[str, Any]:
    """Tries each case, or each `step`-th case, and returns the outcomes by kind of forgery."""
    seen: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    scripts, rng = _scripts(), random.Random(seed)
    with tree.scratch() as top:
        trial = Trial(top, scripts, scripts.EVERY_PART)
        for victim in scripts.EVERY_PART:
            state, arrays = trial.saved(victim)
            singles = list(of_state(victim, state))
            chosen = singles[seed % step :: step]
            kinds = {
                "values": chosen,
                "two values": list(of_pairs(singles, len(chosen) // 4, rng)),
                "arrays": list(of_arrays(victim, arrays))[seed % step :: step],
                "files": list(of_files(victim, trial.start(victim)))[seed % step :: step],
            }
            for kind, cases in kinds.items():
                tally = seen.setdefault(f"{victim}, {kind}", Counter())
                for case in cases:
                    how, fault = trial.run(case, planted=False)
                    tally[how] += 1
                    if fault is not None:
                        wrong.append(f"{victim}: {case.name}: {fault}")
    return {"seen": json.loads(json.dumps(seen)), "wrong": wrong}
