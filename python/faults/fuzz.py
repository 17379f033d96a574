"""Gives the reader forged manifests and packs: only rekindle's exceptions, no harm."""

from __future__ import annotations

import json
import os
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xxhash

from faults import scenes, tree
from rekindle import errors
from rekindle._codec import tree as _tree
from rekindle._format.decode import decode
from rekindle._format.manifest import Damage, Manifest
from rekindle._repository import pack
from rekindle._storage.local.storage import LocalStorage
from rekindle.errors import FormatError

# If the memory grows by more than this, it grows with the data that the reader reads.
MEMORY = 512 << 20

_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 10**30, 1.5, -0.0, 1e308)
_TEXTS = ("", "../x", "/etc/passwd", "ckpt-1.safetensors", "ckpt-1.json", "a/b", "\ud800", "\0")
_TEXTS += ("float32", "int4", "object", "O", "0" * 32, "f" * 32, "$", "nan", "x" * 3000)
_RAW = (b"1" * 500, b"9" * 5000, b"1e999", b"NaN", b"-Infinity", b"[" * 3000, b'{"a":' * 3000)
_RAW += (b'{"a":1,"a":2}', b"\xff\xfe", b"[" * 400 + b"]" * 400, b"null", b"[[]]", b"{}")
_TAGS = ("array", "scalar", "float", "bytes", "dict", "tuple", "set", "frozenset", "other", None)


class Source:
    """Changes to manifests, at random, from one seed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def spoil(self, document: dict[str, Any]) -> None:
        """Changes one value somewhere. The document stays valid JSON."""
        place: Any = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                return
            key = self.rng.choice(keys)
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or self.rng.random() < 0.2:
                break
            place = inner
        action = self.rng.random()
        if action < 0.15:
            del place[key]
        elif action < 0.3 and isinstance(place, dict):
            place[self.rng.choice(_TEXTS)] = place.pop(key)
        else:
            place[key] = self.value(3)

    def value(self, depth: int) -> Any:
        kind = self.rng.randrange(8 if depth else 5)
        if kind < 2:
            return self.rng.choice(_NUMBERS)
        if kind == 2:
            return self.rng.choice(_TEXTS)
        if kind == 3:
            return self.rng.choice((None, True, False))
        if kind == 4:
            return self.rng.randrange(10**6)
        if kind == 5:
            return [self.value(depth - 1) for _ in range(self.rng.randrange(4))]
        if kind == 6:
            return {"$": [self.rng.choice(_TAGS), self.value(depth - 1)]}
        return {self.rng.choice(_TEXTS): self.value(depth - 1) for _ in range(2)}

    def mutate(self, data: bytearray) -> bytearray:
        for _ in range(self.rng.choice((1, 1, 2, 4, 16))):
            at = self.rng.randrange(len(data)) if data else 0
            action = self.rng.randrange(6)
            if action == 0 and data:
                data[at] ^= 1 << self.rng.randrange(8)
            elif action == 1 and data:
                data[at] = self.rng.choice(b'0123456789{}[]",:-e.\\/nN\x00\xff')
            elif action == 2:
                del data[at : at + self.rng.choice((1, 8, 200))]
            elif action == 3:
                data[at:at] = data[self.rng.randrange(len(data) + 1) :][:200]
            elif action == 4:
                data[at:at] = self.rng.choice(_RAW)[:600]
            else:
                del data[at:]
        return data


class Fuzz:
    """A seeded source of bad manifests and packs, and the reader that must survive them.

    Args:
        top: A folder to work in.
        seed: The same seed makes the same files.

    Attributes:
        seen: The reader's outcomes, with their counts.
        wrong: Outcomes that must not occur.
    """

    def __init__(self, top: str, seed: int) -> None:
        self._rng = random.Random(seed)
        self._source = Source(self._rng)
        tree.empty(top)
        scenes.Store().save(top, range(2), 2)
        self._top = top
        self._box = os.path.join(top, scenes.BOX)
        self._storage = LocalStorage(self._box)
        self._manifest = Path(self._box, "ckpt-2.json").read_bytes()
        self._document = json.loads(self._manifest)
        self._known = decode(self._manifest, prefix="ckpt", number=2, path="x")
        self._pack = Path(self._box, "ckpt-2.safetensors")
        self._pack_bytes = self._pack.read_bytes()
        self._header = self._known.packs["ckpt-2.safetensors"].header
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, count: int, seconds: float) -> int:
        """Tries `count` files, or as many as the time allows. Returns the number of files."""
        outside = set(os.listdir(self._top)) | {os.path.join(scenes.BOX, "x")}
        kinds: list[tuple[int, Callable[[], None]]] = [
            (4, self._mutated_manifest),
            (4, self._made_manifest),
            (2, self._mutated_pack),
        ]
        tries = [kind for weight, kind in kinds for _ in range(weight)]
        end = time.monotonic() + seconds
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        done = 0
        for done in range(1, count + 1):
            self._rng.choice(tries)()
            if done % 1000 == 0 and time.monotonic() > end:
                break
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        if grown > MEMORY:
            self.wrong.append(f"the memory grew by {grown >> 20} MiB")
        if set(os.listdir(self._top)) - outside:
            self.wrong.append("a file outside of the folder was made")
        self.seen["MiB of memory grown by"] = grown >> 20
        return done

    def _mutated_manifest(self) -> None:
        data = self._source.mutate(bytearray(self._manifest))
        if self._rng.random() < 0.5:
            data = with_digest(bytes(data[: -len(_LAST)]))
        self._read(bytes(data))

    def _made_manifest(self) -> None:
        document = json.loads(self._manifest)
        for _ in range(self._rng.choice((1, 1, 1, 2, 5))):
            self._source.spoil(document)
        document.pop("xxh3_128", None)
        text = json.dumps(document).encode()[:-1] + b","
        if self._rng.random() < 0.15:
            at = self._rng.choice([i for i, byte in enumerate(text) if byte in b":,[{"]) + 1
            text = text[:at] + self._rng.choice(_RAW) + text[at:]
        self._read(with_digest(text))

    def _read(self, data: bytes) -> None:
        try:
            manifest = decode(data, prefix="ckpt", number=2, path="x")
        except (Damage, FormatError) as error:
            self.seen[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001  (any other is what is looked for)
            self.wrong.append(f"{error!r} from {data[:2000]!r}")
        else:
            self._use(manifest, data)

    def _use(self, manifest: Manifest, data: bytes) -> None:
        """Checks an accepted manifest: its bytes must exist, its state must be readable."""
        try:
            arrays = pack.read(self._storage, manifest)
        except Damage:
            self.seen["Damage in a pack"] += 1
            return
        except Exception as error:  # noqa: BLE001  (any other is what is looked for)
            self.wrong.append(f"{error!r} reading {data[:2000]!r}")
            return
        try:
            _tree.unflatten(dict(manifest.state), arrays)
            self.seen["whole"] += 1
        except (errors.BrokenTreeError, RecursionError):
            self.seen["state refused"] += 1
        except Exception as error:  # noqa: BLE001  (any other is what is looked for)
            self.wrong.append(f"{error!r} taking up the state of {data[:2000]!r}")

    def _mutated_pack(self) -> None:
        header = self._source.mutate(bytearray(self._pack_bytes[: self._header]))
        if self._rng.random() < 0.8:
            # Keep the length. Otherwise the size alone would reveal the damage.
            header = header[: self._header].ljust(self._header)
        with self._pack.open("r+b", buffering=0) as file:
            file.truncate(len(header) + len(self._pack_bytes) - self._header)
            file.write(bytes(header) + self._pack_bytes[self._header :])
        try:
            same = bytes(header) == self._pack_bytes[: self._header]
            pack.is_ours(self._storage, self._pack.name)
            pack.read(self._storage, self._known)
            if not same:
                self.wrong.append(f"a changed pack was believed: {bytes(header)!r}")
        except Damage:
            self.seen["Damage in a pack"] += 1
        except Exception as error:  # noqa: BLE001  (any other is what is looked for)
            self.wrong.append(f"{error!r} from the pack {bytes(header)!r}")
        finally:
            self._pack.write_bytes(self._pack_bytes)


_LAST = b'"xxh3_128":"00000000000000000000000000000000"}\n'


def with_digest(body: bytes) -> bytes:
    return body + b'"xxh3_128":"%s"}\n' % xxhash.xxh3_128_hexdigest(body).encode()
