"""A table of forged folders, for `forged.py`.

To add a case, yield it in the function for its kind: its name, the victim that resumes, and a
function that forges a folder which the victim left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faults import heavy, tree
from faults.forge import forge


@dataclass(frozen=True)
class Forger:
    """A folder that is about to be forged.

    Attributes:
        folder: The folder, with a checkpoint of the victim.
        outside: A file elsewhere that must stay as it is.
    """

    folder: str
    outside: str

    def state(self, *path: str | int, to: Any, **arrays: Any) -> None:
        """Sets one value in the state of the newest save, and adds arrays."""

        def change(state: Any) -> None:
            *outer, last = path
            for name in outer:
                state = state[name] if isinstance(state, list) else state.setdefault(name, {})
            state[last] = to

        forge(self.folder, change, arrays)


@dataclass(frozen=True)
class Case:
    """One way of forging.

    Attributes:
        name: A description in words.
        victim: The script that owns the folder, a name in :data:`victims.ALL`.
        forge: Forges the folder.
        place: Where in the state a value is forged, if one is: later saves must have a value of the
            kind there that they have without the forgery.
    """

    name: str
    victim: str
    forge: Callable[[Forger], object]
    place: tuple[Any, ...] = ()


def _cases() -> Iterator[Case]:
    yield Case("nothing forged", "fit", lambda forger: None)
    yield from _of_callbacks()
    yield from _of_places()
    yield from _of_generators()
    yield from _of_bounds()


def _of_callbacks() -> Iterator[Case]:
    paths = [("CSVLogger", "filename"), ("ModelCheckpoint", "filepath"), ("Notes", "path")]
    paths += [("Notes", "last"), ("Notes", "on_train_end"), ("EarlyStopping", "monitor")]
    for callback, name in paths:
        where = ("callbacks", callback, "attributes", name)
        yield Case(
            f"{callback}.{name} is a path",
            "fit",
            lambda forger, where=where: forger.state(*where, to=forger.outside),
        )
    values = [("paths", ["/etc/x"]), ("on_epoch_end", None), ("model", None), ("params", {})]
    values += [("__class__", 3), ("noise", 3), ("count", [[["x"]]])]
    for name, value in values:
        where = ("callbacks", "Notes", "attributes", name)
        yield Case(
            f"Notes.{name} is {value}",
            "fit",
            lambda forger, where=where, value=value: forger.state(*where, to=value),
        )
    log = {"$": ["array", "forged"]}
    yield Case(
        "CSVLogger writes a file elsewhere",
        "fit",
        lambda forger: forger.state(
            "callbacks",
            "CSVLogger",
            to={"attributes": {"filename": forger.outside}, "beside": log},
            forged=np.frombuffer(b"rm -rf ~\n", np.uint8),
        ),
    )
    for name, value in (("path", "/etc/x"), ("_workers", 64), ("__getitem__", None)):
        yield Case(
            f"the data set's {name} is {value}",
            "rows",
            lambda forger, name=name, value=value: forger.state("data", "dataset", name, to=value),
        )


def _of_places() -> Iterator[Case]:
    for victim in ("fit", "steps", "rows"):
        for name, value in (
            ("steps", 10**12),
            ("earlier", 10**12),
            ("num_batches", 10**12),
            ("live", True),
            ("base", 10**12),
        ):
            yield Case(
                f"{name} of the place in the data is {value}",
                victim,
                lambda forger, name=name, value=value: forger.state(
                    "data", "place", name, to=value
                ),
            )


def _of_generators() -> Iterator[Case]:
    for position in (700, -5, 2**31 - 1):
        # The state of an object: its kind, and then the state itself.
        state = ("$", 1, 1, "state")
        of_process = ("random", "numpy", "state", "pos")
        of_callback = ("callbacks", "Notes", "attributes", "noise", *state, "pos")
        of_data = ("data", "dataset", "noise", *state, "pos")
        for victim, where in (("fit", of_process), ("fit", of_callback), ("rows", of_data)):
            yield Case(
                f"{'/'.join(map(str, where))} is {position}",
                victim,
                lambda forger, where=where, position=position: forger.state(*where, to=position),
            )
        for name, part in (
            ("state", ("state", "pos")),
            ("MT19937", ("state", "pos")),
            ("Philox", ("buffer_pos",)),
            ("PCG64", ("has_uint32",)),
            ("SFC64", ("uinteger",)),
        ):
            yield Case(
                f"{name}/{'/'.join(part)} is {position}",
                "loop",
                lambda forger, name=name, part=part, position=position: _spoil_object(
                    forger, name, part, position
                ),
            )
    for word in (625, 2**31 - 1):
        words = np.full(625, word, np.uint32)
        tag = {"$": ["array", "forged"]}
        yield Case(
            f"the position of Python's generator is {word}",
            "fit",
            lambda forger, words=words, tag=tag: forger.state(
                "random", "python", "words", to=tag, forged=words
            ),
        )
    yield Case(
        "a state of PyTorch's that is full of ones",
        "fit",
        lambda forger: forger.state(
            "random",
            "torch",
            "cpu",
            to={"$": ["array", "forged"]},
            forged=np.full(5056, 1, np.uint8),
        ),
    )


def _of_bounds() -> Iterator[Case]:
    for name, make in heavy.ALL.items():
        # The tests of the store cover these sparse files: a digest of them takes minutes.
        if make in (heavy.sparse_manifest, heavy.sparse_list, heavy.sparse_settled):
            continue
        size = 20_000_000 if make in heavy.OF_TEXT else 3_000_000
        yield Case(
            f"heavy: {name}",
            "fit",
            lambda forger, make=make, size=size: _replace(forger.folder, make, size),
        )


def _replace(folder: str, make: Callable[[Path, int], None], size: int) -> None:
    tree.empty(folder)
    make(Path(folder), size)


def _spoil_object(forger: Forger, name: str, part: tuple[str, ...], value: int) -> None:
    def change(state: Any) -> None:
        place = state["checkpoint"][name]["$"][1][1]
        for outer in part[:-1]:
            place = place[outer]
        place[part[-1]] = value

    forge(forger.folder, change)


CASES = tuple(_cases())
