"""The callback that R makes serves programs of Synalinks, where Python has Keras and where not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
import synalinks
import table
from small_program import Interrupt, Interrupted, fit, make, seed, state

import rekindle._r

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def callback(backup_dir, **more):
    return rekindle._r.backup_and_restore(
        backup_dir=str(backup_dir), save_freq=1, restore_history=True, **more
    )


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="Keras and JAX are not installed here"
)
def test_a_program_is_resumed_exactly(backup_dir, monkeypatch):
    # Keras is there, and the callback is made before a program is seen.
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    first = callback(backup_dir)  # This imports Keras, which draws random numbers.
    assert not isinstance(first, synalinks.callbacks.Callback)
    seed()
    expected = make()
    history = fit(expected, [], 2)
    seed()
    with pytest.raises(Interrupted):
        fit(make(), [first, Interrupt(1, 2)], 2)
    ours, program = callback(backup_dir), make()
    again = fit(program, [ours, Interrupt(9)], 2)
    assert ours.resume_report["epoch"] == 1
    assert ours.save_report["saves"] > 0
    assert again.history == history.history
    assert state(program) == state(expected)


# A folder named keras, where the script runs, is a package with nothing in it.
@pytest.mark.parametrize("keras", ["None", "types.ModuleType('keras')"])
def test_without_keras_the_callback_of_synalinks_is_made(keras):
    program = (
        f"import sys, types; sys.modules['keras'] = sys.modules['tf_keras'] = {keras};"
        "import rekindle._r; made = rekindle._r.backup_and_restore(backup_dir='x');"
        "assert type(made).__module__ == 'rekindle.synalinks', type(made)"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env=table.environment(), check=True
    )
