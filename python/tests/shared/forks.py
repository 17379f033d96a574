"""Runs scripts in children of a process that has only imported libraries, which saves the imports.

A child is a process of its own, which no other run was ever in. Two parents take turns: so a run
that resumes has other hashes of strings and other addresses than the run before it that was killed,
like a newly started process. Scripts that set what an import reads need such a process.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

from exact.forker import Forker

# Keras' set_random_seed() imports TensorFlow on each backend. PyTorch is here because a checkpoint
# then has the state of its generator, too.
KERAS = ("keras", "rekindle.keras", "tensorflow", "torch")

_turns = itertools.cycle((0, 1))


def run(script, *arguments, imports=KERAS):
    """Runs a script in a child. Returns its exit status, its output and its errors.

    Args:
        script: The path of the script.
        arguments: Its arguments.
        imports: The modules that the parent has imported. Importing them must start no threads.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = [str(script), [str(one) for one in arguments], folder]
        status = _parent(imports, next(_turns)).run(job)
        return status, *(Path(folder, name).read_text() for name in ("out", "err"))


def run_code(code, *arguments, **how):
    """Runs code as :func:`run` runs a script."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "code_of_a_test.py")
        script.write_text(textwrap.dedent(code))
        return run(script, *arguments, **how)


@functools.cache
def _parent(imports, turn):
    """The parent of this turn."""
    script = str(Path(__file__).with_name("fork_scripts.py"))
    made = Forker([sys.executable, script, *imports], os.environ | _environment())
    atexit.register(made.close)
    return made


@functools.cache
def _environment():
    """Keeps what JAX has compiled for the next child, which takes half of its time otherwise.

    A newly started process compiles anew, and has to end with the same bits: see test_own_state.py.
    """
    compiled = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)
    return {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_COMPILATION_CACHE_DIR": compiled,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
