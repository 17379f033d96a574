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
from pathlib import Path
from typing import Any

from faults import children, tree, victims
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
    """

    def __init__(self, top: str) -> None:
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
        for name in victims.ALL:
            # Train here, so that no child has to import the modules that Keras imports on first
            # use.
            before = os.getcwd()
            os.chdir(self._home)
            try:
                victims.ALL[name]("backup", 2)
            finally:
                os.chdir(before)
            self._starts[name] = tree.take(os.path.join(self._home, "backup"))
            tree.empty(self._home)
            # Measure the memory that a victim needs without a folder.
            outcome = children.run(lambda say, name=name: self._resume(name, "backup", say))
            self._needs[name] = outcome.said[-1]["memory"]
            tree.empty(self._home)

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
            # A forged state of another callback may make that callback fail. That is not a fault of
            # the reader.
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
    """Tries each case, or each `step`-th case, and returns the outcomes."""
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
