"""Power cuts: every state that a recorded run may leave on the disk, in three file-system moods.

journal    Changes of names reach the disk in their order, each with the bytes written before it,
           as on ext4 with data=ordered. Any sync makes everything before it durable.
writeback  Names are as under journal. But bytes that were not synced may be lost, zeroes, or cut
           off: a file may have length zero after a rename, as on XFS, or ext4 with data=writeback.
anyhow     A change of names may be lost or kept until its own folder is synced, in any
           combination. Bytes are as under writeback. POSIX allows this.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from faults import children, crash, preload, tree
from faults.disk import Disk, Filling, Naming, Replay
from faults.scenes import Scene

MOODS = ("journal", "writeback", "anyhow")

# What may happen to bytes that were not synced.
FATES = ("kept", "lost", "cut", "zeroes", "half")

# Up to this many changes of names, try every combination. Of more, try all simple ones and a
# sample.
_ALL_COMBINATIONS = 7
_SAMPLE = 48


def record(scene: Scene, top: str, faults: preload.Faults, start: tree.Tree) -> Disk:
    """Runs the scene to its end and records it."""
    tree.put(start, top)
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as begun:

        def work(say: children.Say) -> None:
            def begin() -> None:
                # The start folder includes the changes that a scene makes before it begins.
                tree.put(tree.take(top), begun)
                faults.watch(top, log.fileno())

            scene.act(top, begin, lambda index: faults.mark(str(index)))
            faults.end()

        outcome = children.run(work)
        assert outcome.crash is None, outcome.crash
        log.seek(0)
        return Replay(top, tree.take(begun), log.read()).disk


def states(disk: Disk, mood: str, seed: int = 0) -> Iterator[tuple[tree.Tree, bool]]:
    """Yields every state that a power cut may leave, and whether a save was acknowledged."""
    rng = random.Random(seed)
    for now in range(-1, disk.end):
        acknowledged = any(mark <= now for mark in disk.marks)
        for namings, until in _names(disk, mood, now, rng):
            for content in _contents(disk, mood, now, until):
                yield disk.tree(namings, content), acknowledged


def _names(
    disk: Disk, mood: str, now: int, rng: random.Random
) -> Iterator[tuple[list[Naming], int]]:
    """The changes of names that are on the disk, and the time up to which bytes may be there."""
    done = [naming for naming in disk.namings if naming.when <= now]
    if mood == "anyhow":
        pending = [naming for naming in done if not _is_durable(disk, naming, now)]
        for kept in _subsets(pending, rng):
            chosen = {id(naming) for naming in kept}
            lost = {id(naming) for naming in pending} - chosen
            yield [naming for naming in done if id(naming) not in lost], now
        return
    synced = max((sync.when for sync in disk.syncings if sync.when <= now), default=-1)
    # Try every time, not only the changes of names: the journal may be written between any two
    # calls.
    for until in range(synced, now + 1):
        yield [naming for naming in done if naming.when <= until], until


def _is_durable(disk: Disk, naming: Naming, now: int) -> bool:
    if naming.when < 0:
        return True
    return all(disk.synced(folder, now) > naming.when for folder in naming.folders)


def _subsets(pending: list[Naming], rng: random.Random) -> Iterable[tuple[Naming, ...]]:
    n = len(pending)
    if n <= _ALL_COMBINATIONS:
        return itertools.chain.from_iterable(
            itertools.combinations(pending, size) for size in range(n + 1)
        )
    simple = [tuple(pending[:end]) for end in range(n + 1)]
    simple += [tuple(pending[begin:]) for begin in range(n)]
    simple += [tuple(pending[:i] + pending[i + 1 :]) for i in range(n)]
    simple += [(one,) for one in pending]
    sample = [tuple(one for one in pending if rng.random() < 0.5) for _ in range(_SAMPLE)]
    return simple + sample


def _contents(disk: Disk, mood: str, now: int, until: int) -> Iterator[dict[int, bytes]]:
    fates = ("kept",) if mood == "journal" else FATES
    kept = {}
    unsynced = []
    for inode, fillings in disk.fillings.items():
        if fillings is None:
            continue
        kept[inode] = _bytes(disk, inode, fillings, until, "kept", now)
        if mood != "journal" and any(
            fill.when > disk.synced(inode, now) for fill in fillings if 0 <= fill.when <= now
        ):
            unsynced.append(inode)
    yield kept
    if not unsynced:
        return
    changed = {
        (inode, fate): _bytes(disk, inode, disk.fillings[inode] or [], until, fate, now)
        for inode in unsynced
        for fate in fates[1:]
    }
    for fate in fates[1:]:
        yield {**kept, **{inode: changed[inode, fate] for inode in unsynced}}
        if len(unsynced) > 1:
            for inode in unsynced:
                yield {**kept, inode: changed[inode, fate]}


def _bytes(
    disk: Disk, inode: int, fillings: list[Filling], until: int, fate: str, now: int
) -> bytes:
    synced = disk.synced(inode, now)
    data, safe = bytearray(), b""
    for fill in fillings:
        if fill.when > max(until, synced):
            break
        durable = fill.when <= synced or fill.when < 0
        if fill.data is None:
            if durable or fate != "lost":
                del data[fill.offset :]
                data.extend(bytes(fill.offset - len(data)))
        elif durable or fate in ("kept", "zeroes", "half"):
            new = fill.data if durable or fate != "zeroes" else bytes(len(fill.data))
            data.extend(bytes(max(0, fill.offset - len(data))))
            data[fill.offset : fill.offset + len(new)] = new
        if durable:
            safe = bytes(data)
    if fate == "half":
        return bytes(data[: (len(safe) + len(data)) // 2])
    return bytes(data)


def power_sweep(
    thing: Any,
    scene: Scene,
    top: str,
    faults: preload.Faults,
    start: tree.Tree | None = None,
    moods: Iterable[str] = MOODS,
) -> dict[str, crash.Tally]:
    """Judges every distinct state after a power cut, in each mood."""
    if start is None:
        start = crash.prepared(thing, scene, top)
    disk = record(scene, top, faults, start)
    tallies = {}
    for mood in moods:
        tally = tallies[mood] = crash.Tally()
        seen: set[tuple[bytes, bool]] = set()
        for found, acknowledged in states(disk, mood):
            key = tree.digest(found), acknowledged
            if key in seen:
                continue
            seen.add(key)
            tree.put(found, top)
            words = "after" if acknowledged else "before"
            where = f"{scene.name}, power cut ({mood}) {words} the acknowledgement: {sorted(found)}"
            tally.add(where, scene.judge(thing, top, acknowledged=acknowledged))
    return tallies
