"""Scripts that resume from a folder somebody forged: no harm is done, however it was forged.

To add a case, add it to :data:`CASES`: its name, the victim that resumes, and what is done to a
folder that the victim left. Each is tried in a folder of the victim's own, as when the forged one
was copied; and, where this process runs as root, as one that another user planted.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faults import children, tree, victims
from faults.forge import forge
from rekindle.errors import RekindleError

# Seconds of a processor that a resume may take; and after how many of any clock it hangs.
MOST_SECONDS, _PATIENCE = 10.0, 120
# Times the folder's size that a resume may need, in memory; and bytes that differ by chance.
MOST_TIMES, _CHANCE = 4, 48 << 20
# A user of no name.
OTHER = 54321


@dataclass(frozen=True)
class Forger:
    """A folder that is about to be forged.

    Attributes:
        folder: The folder, with a save of the victim's.
        outside: A file elsewhere that must stay as it is.
    """

    folder: str
    outside: str

    def state(self, *path: str, to: Any, **arrays: Any) -> None:
        """Sets one value in the state of the newest save, and adds arrays."""

        def change(state: Any) -> None:
            *outer, last = path
            for name in outer:
                state = state.setdefault(name, {})
            state[last] = to

        forge(self.folder, change, arrays)


@dataclass(frozen=True)
class Case:
    """One way of forging.

    Attributes:
        name: In words.
        victim: Whose folder it is, a name in :data:`victims.ALL`.
        forge: Does it.
    """

    name: str
    victim: str
    forge: Callable[[Forger], object]


def _cases() -> Iterator[Case]:
    yield Case("nothing forged", "fit", lambda forger: None)
    yield from _of_callbacks()
    yield from _of_places()
    yield from _of_generators()


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
        of_process = ("random", "numpy", "state", "pos")
        of_callback = ("callbacks", "Notes", "attributes", "noise", "state", "state", "pos")
        of_data = ("data", "dataset", "noise", "state", "state", "pos")
        for victim, where in (("fit", of_process), ("fit", of_callback), ("rows", of_data)):
            yield Case(
                f"{'/'.join(where)} is {position}",
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


def _spoil_object(forger: Forger, name: str, part: tuple[str, ...], value: int) -> None:
    def change(state: Any) -> None:
        place = state["checkpoint"][name]["$"][1][1]
        for outer in part[:-1]:
            place = place[outer]
        place[part[-1]] = value

    forge(forger.folder, change)


CASES = tuple(_cases())


class Trial:
    """A scratch folder in which victims resume from what was forged.

    Args:
        top: The scratch folder.
    """

    def __init__(self, top: str) -> None:
        # Another user has to come to the shared folder, and to nothing else.
        os.chmod(top, 0o711)
        self._home, self._shared = os.path.join(top, "home"), os.path.join(top, "shared")
        self._outside = os.path.join(top, "outside", "profile")
        for folder in (self._home, self._shared, os.path.dirname(self._outside)):
            os.mkdir(folder)
        os.chmod(self._shared, 0o1777)
        Path(self._outside).write_text("mine\n")
        self._before = tree.take(os.path.dirname(self._outside))
        self._starts: dict[str, tree.Tree] = {}
        self._needs: dict[str, int] = {}
        for name in victims.ALL:
            # Here, so that no child has to import what Keras imports when it is first used.
            before = os.getcwd()
            os.chdir(self._home)
            try:
                victims.ALL[name]("backup", 2)
            finally:
                os.chdir(before)
            self._starts[name] = tree.take(os.path.join(self._home, "backup"))
            tree.empty(self._home)
            # What it needs without a folder.
            outcome = children.run(lambda say, name=name: self._resume(name, "backup", say))
            self._needs[name] = outcome.said[-1]["memory"]
            tree.empty(self._home)

    def run(self, case: Case, *, planted: bool) -> tuple[str, str | None]:
        """How the resume ended, and what was wrong with that.

        Args:
            case: How the folder is forged.
            planted: Whether another user does it, in a folder that everybody may write to.
        """
        folder = os.path.join(self._shared if planted else self._home, "backup")
        made = children.run(lambda say: self._forge(case, folder, planted=planted))
        if made.crash is not None or made.status:
            return "not forged", made.crash or f"status {made.status}"
        size = sum(min(one.st_size, one.st_blocks * 512) for one in _files(folder))
        before = tree.digest(tree.take(folder))
        outcome = children.run(lambda say: self._resume(case.victim, folder, say))
        ended = outcome.said[-1] if outcome.said else {"how": "nothing", "memory": 0, "seconds": 0}
        wrong = self._judge(case, outcome, ended, size)
        if planted and ended["how"] != "ForeignFileError":
            wrong = wrong or f"a folder that another user planted: {ended['how']}"
        if planted and tree.digest(tree.take(folder)) != before:
            wrong = wrong or "a folder of another user was changed"
        tree.empty(self._home)
        for name in os.listdir(self._shared):
            tree.empty(os.path.join(self._shared, name))
            os.rmdir(os.path.join(self._shared, name))
        return ended["how"], wrong

    def _judge(
        self, case: Case, outcome: children.Outcome, ended: dict[str, Any], size: int
    ) -> str | None:
        if outcome.crash is not None or outcome.status:
            return outcome.crash or f"the process ended with {outcome.status}"
        if tree.take(os.path.dirname(self._outside)) != self._before:
            tree.put(self._before, os.path.dirname(self._outside))
            return "a file outside of the folder changed"
        left = set(os.listdir(self._home)) - victims.OWN_FILES - {"backup"}
        if left:
            return f"the working directory has {left}"
        if ended["seconds"] > MOST_SECONDS:
            return f"it took {ended['seconds']:.0f} s"
        if ended["memory"] > self._needs[case.victim] + MOST_TIMES * size + _CHANCE:
            return f"it took {ended['memory']} bytes, for a folder of {size}"
        return None

    def _forge(self, case: Case, folder: str, *, planted: bool) -> None:
        if planted:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
        tree.put(self._starts[case.victim], folder)
        case.forge(Forger(folder, self._outside))

    def _resume(self, victim: str, folder: str, say: children.Say, epochs: int = 3) -> None:
        os.chdir(self._home)
        signal.alarm(_PATIENCE)
        warnings.simplefilter("ignore")
        began = time.process_time()
        how = "went on"
        try:
            victims.ALL[victim](folder, epochs)
        except RekindleError as error:
            how = type(error).__name__
        except Exception as error:
            # What a forged state of theirs does to other callbacks is not the reader's.
            if _raised_in_rekindle(error):
                raise
            how = "a callback stumbled over its own values"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        say({"how": how, "memory": memory, "seconds": time.process_time() - began})


def _files(folder: str) -> list[os.stat_result]:
    return [path.stat() for path in Path(folder).rglob("*") if path.is_file()]


def _raised_in_rekindle(error: Exception) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any(f"{os.sep}rekindle{os.sep}" in frame.filename for frame in frames)


def run(step: int, seed: int) -> dict[str, Any]:
    """What became of each case, or of each `step`-th."""
    can_be_another = hasattr(os, "geteuid") and os.geteuid() == 0
    seen: dict[str, Counter[str]] = {"own": Counter(), "planted": Counter()}
    wrong = []
    with tree.scratch() as top:
        trial = Trial(top)
        for case in CASES[seed % step :: step]:
            for where in ("own", "planted") if can_be_another else ("own",):
                how, fault = trial.run(case, planted=where == "planted")
                seen[where][how] += 1
                if fault is not None:
                    wrong.append(f"{case.victim}, {where} folder, {case.name}: {fault}")
    return {
        "seen": json.loads(json.dumps(seen)),
        "skipped": not can_be_another,
        "wrong": wrong,
    }
