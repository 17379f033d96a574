"""Scripts that resume from a forged folder: no forgery may do harm.

The cases are in `forgeries.py`. Each case runs in a folder of the victim's own, as if the victim
had copied the forged folder. If this process runs as root, each case also runs in a folder that
another user planted.
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
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from faults import children, tree
from faults.forge import newest
from faults.forgeries import CASES, Case, Forger
from rekindle.errors import RekindleError

# Processor seconds that a resume may take, and wall-clock seconds after which it hangs.
MOST_SECONDS, _PATIENCE = 10.0, 120
# Memory that a resume may need, as a multiple of the folder's size, and bytes of random variation.
MOST_TIMES, _CHANCE = 4, 48 << 20
# The id of a user without a name.
OTHER = 54321


class Trial:
    """A scratch folder in which victims resume from forged folders.

    Args:
        top: The scratch folder.
        scripts: The module of the victims: `victims`, or that of another front end.
        names: Those that are tried; by default all.
    """

    def __init__(self, top: str, scripts: ModuleType, names: Collection[str] = ()) -> None:
        self._scripts = scripts
        # Another user must reach the shared folder, and nothing else.
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
        self._ends: dict[str, Any] = {}
        for name in names or scripts.ALL:
            self._train(name)
            self._starts[name] = tree.take(os.path.join(self._home, "backup"))
            tree.empty(self._home)
            # Measure the memory that a victim needs without a folder.
            unforged = Case("without a folder", name, lambda forger: None)
            outcome = children.run(lambda say, case=unforged: self._resume(case, "backup", say))
            self._needs[name] = outcome.said[-1]["memory"]
            tree.empty(self._home)
            self._ends[name] = self._end_of(name)

    def _train(self, name: str) -> None:
        # If possible in this process: then no child has to import the modules that Keras imports
        # on first use.
        before = os.getcwd()
        os.chdir(self._home)
        try:
            if self._scripts.TRAINS_HERE:
                self._scripts.ALL[name]("backup", 2)
                return
            outcome = children.run(lambda say: self._scripts.ALL[name]("backup", 2))
            assert outcome.crash is None, outcome.crash
        finally:
            os.chdir(before)

    def _end_of(self, name: str) -> Any:
        """The state of the newest save after a resume from the folder that nobody forged."""
        folder = os.path.join(self._home, "backup")
        tree.put(self._starts[name], folder)
        case = Case("nothing forged", name, lambda forger: None)
        outcome = children.run(lambda say: self._resume(case, folder, say))
        assert outcome.said[-1]["how"] == "went on", outcome
        state, _ = newest(folder)
        tree.empty(self._home)
        return state

    def start(self, name: str) -> tree.Tree:
        """The folder of a victim before it is forged."""
        return self._starts[name]

    def saved(self, name: str) -> tuple[Any, dict[str, Any]]:
        """The state and the arrays in that folder."""
        folder = os.path.join(self._home, "backup")
        tree.put(self._starts[name], folder)
        found = newest(folder)
        tree.empty(self._home)
        return found

    def run(self, case: Case, *, planted: bool) -> tuple[str, str | None]:
        """Returns how the resume ended, and what was wrong, or None.

        Args:
            case: How the folder is forged.
            planted: Whether another user forges it, in a folder that every user may write to.
        """
        folder = os.path.join(self._shared if planted else self._home, "backup")
        made = children.run(lambda say: self._forge(case, folder, planted=planted))
        if made.crash is not None or made.status:
            return "not forged", made.crash or f"status {made.status}"
        size = sum(min(one.st_size, one.st_blocks * 512) for one in _files(folder))
        before = tree.digest(tree.take(folder)) if planted else ""
        outcome = children.run(lambda say: self._resume(case, folder, say))
        ended = (
            outcome.said[-1]
            if outcome.said
            else {"how": "nothing", "memory": 0, "seconds": 0, "kind": None}
        )
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
        left = set(os.listdir(self._home)) - self._scripts.OWN_FILES - {"backup"}
        if left:
            return f"the working directory has {left}"
        if ended["seconds"] > MOST_SECONDS:
            return f"it took {ended['seconds']:.0f} s"
        if ended["memory"] > self._needs[case.victim] + MOST_TIMES * size + _CHANCE:
            return f"it took {ended['memory']} bytes, for a folder of {size}"
        wanted = kind_of(self._ends[case.victim], case.place) if case.place else None
        if not are_alike(wanted, ended["kind"]):
            return f"a later save has a {ended['kind']} in place of a {wanted}"
        return None

    def _forge(self, case: Case, folder: str, *, planted: bool) -> None:
        if planted:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
        tree.put(self._starts[case.victim], folder)
        case.forge(Forger(folder, self._outside))

    def _resume(self, case: Case, folder: str, say: children.Say, epochs: int = 3) -> None:
        os.chdir(self._home)
        signal.alarm(_PATIENCE)
        warnings.simplefilter("ignore")
        began = time.process_time()
        how = "went on"
        try:
            self._scripts.ALL[case.victim](folder, epochs)
        except RekindleError as error:
            how = type(error).__name__
        except Exception as error:
            # A forged state of another callback may make that callback fail. That is not a fault of
            # the reader.
            if _raised_in_rekindle(error, str(self._scripts.__file__)):
                raise
            how = "a callback stumbled over its own values"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        seconds, kind = time.process_time() - began, None
        if how == "went on" and case.place:
            kind = kind_of(newest(folder)[0], case.place)
        say({"how": how, "memory": memory, "seconds": seconds, "kind": kind})


def kind_of(state: Any, place: tuple[Any, ...]) -> str | None:
    """The kind of value that a state has at a place; ``None`` if there is no such place."""
    for key in place:
        try:
            state = state[key]
        except (LookupError, TypeError):
            return None
    if isinstance(state, dict) and isinstance(state.get("$"), list) and state["$"]:
        return str(state["$"][0])
    return type(state).__name__


# Kinds that code does not tell apart. An array may take the place of a number that is added to.
_ALIKE = (
    {"int", "float", "nan", "complex", "scalar", "array"},
    {"dict", "OrderedDict", "defaultdict", "Counter"},
    {"set", "frozenset"},
    {"array", "new"},
)


def are_alike(wanted: str | None, found: str | None) -> bool:
    """Whether training may give a value of one kind where it gives one of another kind."""
    if None in (wanted, found) or wanted == found or "NoneType" in (wanted, found):
        return True
    return any({wanted, found} <= kinds for kinds in _ALIKE)


def _files(folder: str) -> list[os.stat_result]:
    return [path.stat() for path in Path(folder).rglob("*") if path.is_file()]


def _raised_in_rekindle(error: Exception, script: str) -> bool:
    """Whether rekindle called what raised, and not a hook that rekindle passes on."""
    frames = traceback.extract_tb(error.__traceback__)
    callbacks = (script, f"keras{os.sep}src{os.sep}callbacks")
    for frame in reversed(frames):
        if f"{os.sep}rekindle{os.sep}" in frame.filename:
            return True
        if any(part in frame.filename for part in callbacks):
            return False
    return False


def run(step: int, seed: int) -> dict[str, Any]:
    """Tries each case, or each `step`-th case, and returns the outcomes."""
    from faults import victims

    can_be_another = hasattr(os, "geteuid") and os.geteuid() == 0
    seen: dict[str, Counter[str]] = {"own": Counter(), "planted": Counter()}
    wrong = []
    with tree.scratch() as top:
        trial = Trial(top, victims)
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
