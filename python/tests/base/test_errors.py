"""The exceptions carry their data, also from one process to another."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import rekindle
from rekindle import errors

CASES = [
    (errors.ArgumentError, ValueError, {"argument": "a", "value": [1]}),
    (errors.DependencyError, ImportError, {"package": "keras"}),
    (errors.LockError, RuntimeError, {"directory": "d", "host": "h", "pid": 3, "started": 1.5}),
    (errors.ForeignFileError, RuntimeError, {"path": "p"}),
    (errors.FormatError, RuntimeError, {"path": "p", "format": 2, "version": "9"}),
    (errors.DamageError, RuntimeError, {"directory": "d", "damages": ["x"]}),
    (errors.MismatchError, RuntimeError, {"differences": ["x"]}),
    (errors.UnmatchedError, AssertionError, {"differences": ["x"]}),
    (errors.RestoreError, OSError, {"directory": "d", "errno": 5}),
    (errors.SaveError, OSError, {"directory": "d", "errno": 28, "needed": 3, "free": None}),
]


def test_every_error_is_among_the_cases():
    kinds = {getattr(errors, name) for name in errors.__all__}
    concrete = {k for k in kinds if issubclass(k, Exception) and not issubclass(k, Warning)}
    assert concrete - {errors.RekindleError} == {case[0] for case in CASES}


@pytest.mark.parametrize(("kind", "builtin", "details"), CASES)
def test_an_error_is_ours_and_a_builtin_one_and_can_be_pickled(kind, builtin, details):
    error = kind("what happened", **details)
    assert isinstance(error, rekindle.RekindleError)
    assert isinstance(error, builtin)
    assert kind.__module__ == "rekindle"
    for again in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(again) is kind
        assert str(again) == "what happened"
        assert {name: getattr(again, name) for name in details} == details


def test_importing_rekindle_imports_no_framework():
    code = (
        "import sys, rekindle;"
        "print([m for m in ('keras', 'jax', 'torch', 'tensorflow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("version", ["2.15.0", "3.5.0", "3.0.0rc1"])
def test_an_older_keras_is_refused_with_its_version(version):
    code = (
        "import types, sys; sys.modules['keras'] = keras = types.ModuleType('keras')\n"
        f"keras.__version__ = {version!r}\n"
        "import rekindle\n"
        "try:\n    import rekindle.keras\n"
        "except rekindle.DependencyError as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"needs Keras 3.6 or newer, and Keras {version} is installed" in out.stdout


def test_without_keras_the_callback_says_what_to_install():
    code = (
        "import sys; sys.modules['keras'] = None\n"
        "import rekindle\n"
        "try:\n    import rekindle.keras\n"
        "except rekindle.DependencyError as error:\n    print(error, error.package)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install keras" in out.stdout
    assert "KERAS_BACKEND" in out.stdout
