"""Which saved state belongs to which callback of this fit(): by class, set-up and place. Pure.

Two callbacks of one class may change places, or get a neighbour. The state of one must not go into
the other: a `ModelCheckpoint` that takes another metric's best value for its own loses its file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import digest

# What a callback watches. Its state has no meaning for a callback that watches something else.
_WATCHED = ("monitor", "mode")
# Where it writes. The script may move these.
_PATHS = ("filepath", "filename", "log_dir", "directory", "path")

# A callback's watched metric, a digest of everything that the script has set, and `only_watches` if
# its class changes nothing in training.
Identity = dict[str, Any]


def of(callback: Any, set_up: Mapping[str, str], *, only_watches: bool) -> Identity:
    """The identity of a callback when training begins.

    Args:
        callback: The callback.
        set_up: Digests of the values of its attributes then, by name.
        only_watches: Whether its class changes nothing in training.
    """
    watched = {name: _text(getattr(callback, name, None)) for name in _WATCHED}
    paths = {name: _path(getattr(callback, name, None)) for name in _PATHS}
    everything = json.dumps([watched, paths, sorted(set_up.items())], sort_keys=True)
    found: Identity = {"watched": watched, "set_up": digest(everything.encode())}
    return found | {"only_watches": True} if only_watches else found


def may_be_left_out(identity: Any) -> bool:
    """Whether training is the same without the callback that was saved with this identity."""
    return isinstance(identity, dict) and identity.get("only_watches") is True


def class_of(name: str) -> str:
    """The class in a callback's name, such as ``ModelCheckpoint#2``."""
    return name.partition("#")[0]


def match(saved: Mapping[str, Any], live: Mapping[str, Identity]) -> dict[str, str | None]:
    """For each saved name, the name of the live callback that its state belongs to.

    Args:
        saved: The identities of the saved callbacks, by name; ``None`` where an older rekindle has
            saved none. Such a callback is recognized by its name.
        live: The identities of this fit()'s callbacks, by name.

    Returns:
        ``None`` for a saved callback that is no longer in the list, or is not distinguishable.
    """
    found: dict[str, str | None] = {
        name: name if name in live else None
        for name, identity in saved.items()
        if not isinstance(identity, dict)
    }
    for kind in dict.fromkeys(class_of(name) for name in saved if name not in found):
        ours = {n: i for n, i in saved.items() if class_of(n) == kind and n not in found}
        free = {n: i for n, i in live.items() if class_of(n) == kind and n not in found.values()}
        found |= _match_class(ours, free)
    return found


def _match_class(saved: dict[str, Any], live: dict[str, Identity]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, identity in saved.items():
        same = [n for n, one in live.items() if one["set_up"] == identity.get("set_up")]
        if same:
            found[name] = same[0]
            del live[same[0]]
    # The set-up of the others has changed. Their order counts, if there are as many.
    for name, identity in saved.items():
        if name in found:
            continue
        alike = [n for n, one in live.items() if _watch_the_same(one, identity)]
        left = [n for n, i in saved.items() if n not in found and _watch_the_same(i, identity)]
        if alike and len(alike) == len(left):
            found[name] = alike[0]
            del live[alike[0]]
        else:
            found[name] = None
    return found


def _watch_the_same(one: Any, other: Any) -> bool:
    first, second = one.get("watched"), other.get("watched")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return False
    modes = {first.get("mode"), second.get("mode")} - {None, "auto"}
    return first.get("monitor") == second.get("monitor") and len(modes) <= 1


def described(name: str, identity: Any) -> str:
    """The callback in a message, with the metric that it watches."""
    watched = identity.get("watched") if isinstance(identity, dict) else None
    monitor = watched.get("monitor") if isinstance(watched, dict) else None
    return name if monitor is None else f"{name} (monitor={monitor!r:.100})"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _path(value: Any) -> str | None:
    return os.path.abspath(value) if isinstance(value, str | os.PathLike) else None
