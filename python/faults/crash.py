"""Kills a process before, in and after each call that changes a folder, and judges the folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from faults import children, preload, tree
from faults.scenes import Scene
from rekindle.errors import RekindleError


@dataclass
class Tally:
    """The number of states tried, and what was wrong with the states that were not whole."""

    tried: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def whole(self) -> int:
        return self.tried - len(self.wrong)

    def add(self, where: str, fault: str | None) -> None:
        self.tried += 1
        if fault is not None:
            self.wrong.append(f"{where}: {fault}")


def prepared(thing: Any, scene: Scene, top: str) -> tree.Tree:
    """The folder at the start of the scene, with the number of checkpoints that the scene needs."""
    tree.empty(top)
    if scene.saves:
        thing.save(top, range(scene.saves), scene.kept)
    return tree.take(top)


def act(scene: Scene, top: str, faults: preload.Faults, arm: Any) -> children.Outcome:
    """Runs the scene in a child, which reports each acknowledgement and the number of calls."""

    def work(say: children.Say) -> None:
        faults.watch(top)
        scene.act(top, arm, lambda index: say(index))
        say({"calls": faults.disarm()})

    return children.run(work)


def count(scene: Scene, top: str, faults: preload.Faults, kinds: int) -> int:
    outcome = act(scene, top, faults, lambda: faults.count_from_here(kinds))
    assert outcome.crash is None, outcome.crash
    return outcome.said[-1]["calls"]


def kill_sweep(
    thing: Any, scene: Scene, top: str, faults: preload.Faults, start: tree.Tree | None = None
) -> Tally:
    """Tries every place where the process may die, from a prepared folder or from `start`."""
    if start is None:
        start = prepared(thing, scene, top)
    tally = Tally()
    for where, acknowledged in crashes(scene, top, faults, start):
        tally.add(where, scene.judge(thing, top, acknowledged=acknowledged))
    return tally


def crashes(
    scene: Scene, top: str, faults: preload.Faults, start: tree.Tree
) -> Iterator[tuple[str, bool]]:
    """Makes each crashed state in turn. Yields where it died, and if it had acknowledged."""
    tree.put(start, top)
    calls = count(scene, top, faults, preload.CHANGES)
    writes = count_after(scene, top, faults, start)
    plans = [(preload.KILL_BEFORE, preload.CHANGES, n, "before call") for n in range(1, calls + 1)]
    if calls:
        plans += [(preload.KILL_AFTER, preload.CHANGES, calls, "after call")]
    plans += [(preload.KILL_HALF, preload.WRITE, n, "inside write") for n in range(1, writes + 1)]
    for action, kinds, n, words in plans:
        tree.put(start, top)
        outcome = act(scene, top, faults, lambda a=(action, kinds, n): faults.arm(*a))
        assert outcome.killed, (scene.name, words, n, outcome)
        yield f"{scene.name}, killed {words} {n}", bool(outcome.said)


def count_after(scene: Scene, top: str, faults: preload.Faults, start: tree.Tree) -> int:
    tree.put(start, top)
    return count(scene, top, faults, preload.WRITE)


def leftovers(thing: Any, scene: Scene, top: str, faults: preload.Faults) -> list[tree.Tree]:
    """The distinct states that a first crash leaves, if its save did not come into being."""
    start = prepared(thing, scene, top)
    # For a clean-up, `before` and `after` are equal. So any of these checkpoints may come back.
    without = scene.before - scene.after or scene.before
    found: dict[bytes, tree.Tree] = {}
    for _ in crashes(scene, top, faults, start):
        left = tree.take(top)
        # The first sweep already reports a state that cannot be restored.
        with contextlib.suppress(RekindleError):
            if left != start and thing.restored(top) in without:
                found[tree.digest(left)] = left
    return list(found.values())
