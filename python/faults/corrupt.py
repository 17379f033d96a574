"""Damages files of a folder with three checkpoints, and checks that no damage is believed."""

from __future__ import annotations

import os
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from faults import scenes, tree
from rekindle._format.decode import decode
from rekindle._format.snapshot import LoadedCheckpoint
from rekindle.errors import DamageWarning, RekindleError, RekindleWarning

SAVES = 3
_TOOLS = "outside"


class Damages:
    """A folder with three checkpoints. Each try damages a fresh copy of it.

    Attributes:
        seen: The outcomes of the damages, with their counts.
        wrong: Damages that the reader believed, or that caused an error which is not rekindle's.
    """

    def __init__(self, top: str) -> None:
        tree.empty(top)
        scenes.Store().save(top, range(SAVES), SAVES)
        self._box = os.path.join(top, scenes.BOX)
        self._top = top
        self._start = tree.take(self._box)
        self._known = {
            number: decode(self._data(f"ckpt-{number}.json"), prefix="ckpt", number=number, path="")
            for number in range(1, SAVES + 1)
        }
        self._files = sorted(name for name, data in self._start.items() if data)
        # A link may lead to this file. Nothing may change the file.
        self._outside = Path(top) / _TOOLS
        self._outside.write_bytes(self._start[f"ckpt-{SAVES}.json"] or b"")
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def flip(self, rng: random.Random, count: int) -> None:
        """Flips single bits: half spread over the files by size, half in each file in turn."""
        sizes = [len(self._start[name] or b"") for name in self._files]
        for index in range(count):
            spread = rng.choices(self._files, sizes)[0]
            name = spread if index % 2 else self._files[index // 2 % len(self._files)]
            data = bytearray(self._start[name] or b"")
            bit = rng.randrange(len(data) * 8)
            data[bit // 8] ^= 1 << bit % 8
            self._lay()
            self._path(name).write_bytes(data)
            self._judge(f"bit {bit} of {name} flipped")

    def damage(self, rng: random.Random, count: int) -> None:
        """Makes damages of every other kind, in turn."""
        kinds = list(self._kinds())
        for index in range(count):
            words, spoil = kinds[index % len(kinds)]
            name = rng.choice([file for file in self._files if file != ".lock"])
            self._lay()
            spoil(name, rng)
            self._judge(f"{name} {words}")

    def _kinds(self) -> Iterator[tuple[str, Callable[[str, random.Random], None]]]:
        yield (
            "cut off",
            lambda name, rng: os.truncate(
                self._path(name), rng.randrange(self._path(name).stat().st_size)
            ),
        )
        yield "emptied", lambda name, rng: os.truncate(self._path(name), 0)
        yield "longer", self._lengthen
        yield "zeroed in part", self._zero
        yield "zeroed", lambda name, rng: self._write(name, bytes(len(self._data(name))))
        yield "replaced by noise", lambda name, rng: self._write(name, rng.randbytes(4096))
        yield "with bytes moved", self._shuffle
        yield "swapped", self._swap
        yield "replaced by another", self._copy_over
        yield "deleted", lambda name, rng: self._path(name).unlink()
        yield "replaced by a link outside", self._link
        yield "replaced by a link to itself", self._loop
        yield "replaced by a link to nothing", self._dangle
        yield "replaced by a folder", self._folder
        yield "replaced by a FIFO", self._fifo
        yield "made sparse and huge", lambda name, rng: os.truncate(self._path(name), 1 << 42)
        yield "turned back", self._older

    def _lengthen(self, name: str, rng: random.Random) -> None:
        with self._path(name).open("ab") as file:
            file.write(rng.randbytes(rng.randrange(1, 5000)))

    def _zero(self, name: str, rng: random.Random) -> None:
        data = bytearray(self._data(name))
        start = rng.randrange(len(data))
        stop = min(len(data), start + rng.choice((1, 16, 512, 4096)))
        data[start:stop] = bytes(stop - start)
        self._write(name, data)

    def _shuffle(self, name: str, rng: random.Random) -> None:
        data = self._data(name)
        at = rng.randrange(len(data))
        self._write(name, data[at:] + data[:at])

    def _swap(self, name: str, rng: random.Random) -> None:
        other = rng.choice([file for file in self._files if file != ".lock"])
        one, two = self._data(name), self._data(other)
        self._write(name, two)
        self._write(other, one)

    def _copy_over(self, name: str, rng: random.Random) -> None:
        self._write(name, self._data(rng.choice(self._files)))

    def _older(self, name: str, rng: random.Random) -> None:
        # An old copy of one file: whole in itself, but it does not belong here.
        older = name.replace("3", "2")
        self._write(name, self._start.get(older) or b"")

    def _link(self, name: str, rng: random.Random) -> None:
        self._path(name).unlink()
        self._path(name).symlink_to(self._outside)

    def _loop(self, name: str, rng: random.Random) -> None:
        self._path(name).unlink()
        self._path(name).symlink_to(name)

    def _dangle(self, name: str, rng: random.Random) -> None:
        self._path(name).unlink()
        self._path(name).symlink_to("nowhere")

    def _folder(self, name: str, rng: random.Random) -> None:
        self._path(name).unlink()
        self._path(name).mkdir()

    def _fifo(self, name: str, rng: random.Random) -> None:
        self._path(name).unlink()
        os.mkfifo(self._path(name))

    def _path(self, name: str) -> Path:
        return Path(self._box, name)

    def _data(self, name: str) -> bytes:
        return self._start[name] or b""

    def _write(self, name: str, data: bytes | bytearray) -> None:
        self._path(name).write_bytes(data)

    def _lay(self) -> None:
        shutil.rmtree(self._box)
        tree.put(self._start, self._box)

    def _judge(self, what: str) -> None:
        outside = self._outside.read_bytes()
        folder = scenes.Store().open(self._top)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                save = folder.newest()
                ending = self._ending(what, save, caught)
            except RekindleError as error:
                ending = type(error).__name__
            except Exception as error:  # noqa: BLE001  (any other is what is looked for)
                ending = "WRONG"
                self.wrong.append(f"{what}: {error!r}")
            finally:
                folder.close()
        if self._outside.read_bytes() != outside or set(os.listdir(self._top)) != {
            scenes.BOX,
            _TOOLS,
        }:
            self.wrong.append(f"{what}: something outside of the folder changed")
        self.seen[ending] += 1

    def _ending(
        self, what: str, save: LoadedCheckpoint | None, caught: list[warnings.WarningMessage]
    ) -> str:
        index = None if save is None else scenes.index_of(save)
        if save is not None and save.manifest != self._known[save.manifest.number]:
            self.wrong.append(f"{what}: a changed manifest was believed")
        told = any(issubclass(one.category, DamageWarning) for one in caught)
        if not all(issubclass(one.category, RekindleWarning) for one in caught):
            self.wrong.append(f"{what}: warned of {caught}")
        if index == SAVES - 1:
            return "the newest save" + (", and a warning" if told else "")
        # A reader cannot see the damage if a manifest is gone.
        gone = "deleted" in what and ".json" in what
        if index is None or not (told or gone):
            self.wrong.append(f"{what}: save {index} was taken without a word")
        return "an older save" + (", and a warning" if told else "")
