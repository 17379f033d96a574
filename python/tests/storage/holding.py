"""Separate programs for the tests of the lock on a folder."""

from __future__ import annotations

import subprocess
import sys
import textwrap

# Holds the folder until it is killed.
HOLD = """
    import sys, time
    from rekindle._repository.repository import Repository
    from rekindle._storage.local.storage import LocalStorage
    folder = Repository(LocalStorage(sys.argv[1]), "1")
    folder.open()
    print("held", flush=True)
    time.sleep(600)
"""


def start(code: str, *arguments: object, **more) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
