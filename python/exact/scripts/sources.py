"""The scripts of a folder, and the backends on which Keras can run each."""

from __future__ import annotations

import dataclasses
import os
import pathlib

# The table may name another folder than that of its own scripts.
USER = pathlib.Path(os.environ.get("EXACT_SCRIPTS") or pathlib.Path(__file__).parent / "user")
ALL = ("jax", "torch", "tensorflow")


@dataclasses.dataclass(frozen=True)
class Script:
    """A script of a user.

    Attributes:
        path: The file.
        backends: The backends on which Keras can run it. A script that is named after a backend
            has a `train_step()` of its own, which only that backend can run.
    """

    path: pathlib.Path
    backends: tuple[str, ...]


def _backends(name):
    return tuple(backend for backend in ALL if name.endswith(f"_{backend}")) or ALL


SOURCES = {
    path.stem: Script(path, _backends(path.stem)) for path in sorted(USER.resolve().glob("*.py"))
}
