"""Synalinks' own tests of its `BackupAndRestore`, with rekindle's class.

Of its seven tests, three check arguments: they run as they are. The other four never run: they call
`fit()`, which is a coroutine, and do not wait for it. Here they are in the form that was meant:

| test | as written | here |
| --- | --- | --- |
| all four | `program.fit(...)` | `await program.fit(...)` |
| all four | 15 or 30 answers, then an error | an answer to each call |
| all four | batches of 8, then of 4: rekindle refuses another batch size | batches of 4 |
| all four | a module is called once for each batch (17, 15, 6) | once for each sample, as in a run
                                                                  that is never interrupted |
| test_backup_corrupted | `_weights_path`, which no class has | the newest checkpoint is damaged |
"""

from __future__ import annotations

import asyncio
import importlib

import pytest

from rekindle.synalinks import BackupAndRestore

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


@pytest.fixture
def upstream(monkeypatch):
    module = importlib.import_module("synalinks.src.callbacks.backup_and_restore_test")
    monkeypatch.setattr(module, "BackupAndRestore", BackupAndRestore)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "test_save_freq_unknown_error",
        "test_backup_dir_empty_error",
        "test_backup_dir_none_error",
    ],
)
def test_the_tests_of_arguments_pass_as_they_are(upstream, name):
    case = upstream.BackupAndRestoreCallbackTest(name)
    case.setUp()
    getattr(case, name)()


def fit(upstream, program, callbacks, epochs):
    (x, y), _ = upstream.load_test_data()
    arguments = {"batch_size": 4, "minibatch_size": None, "epochs": epochs, "verbose": 0}
    return asyncio.run(program.fit(x, y, callbacks=callbacks, **arguments))


def program_of(upstream):
    return upstream.BackupAndRestoreCallbackTest("test_best_case_step").make_model()


def counted(program):
    return program.modules[1].counter.get("counter")


@pytest.mark.parametrize(
    ("name", "save_freq", "steps", "epochs_done", "expected"),
    [
        # The last: current epoch and last batch after the interruption, as upstream expects them.
        ("test_best_case_step", 1, 2, None, (0, 1)),
        ("test_best_case_epoch", "epoch", None, 2, (2, None)),
        # Upstream interrupts at the end of an epoch. rekindle saves after all other callbacks, so
        # that this epoch would not be saved yet: here, in the third epoch.
        ("test_backup_corrupted", "epoch", 9, None, (2, None)),
    ],
)
def test_an_interrupted_run_counts_as_one_never_interrupted(
    upstream, tmp_path, name, save_freq, steps, epochs_done, expected
):
    never = program_of(upstream)
    fit(upstream, never, [], 3)

    folder = tmp_path / "subdir"
    callback = BackupAndRestore(folder, save_freq=save_freq, double_checkpoint=True)
    program = program_of(upstream)
    interrupting = upstream.InterruptingCallback(steps_int=steps, epoch_int=epochs_done)
    with pytest.raises(RuntimeError, match="Interruption"):
        fit(upstream, program, [callback, interrupting], 3)
    assert folder.exists()
    assert callback._current_epoch == expected[0]
    assert expected[1] in (None, callback._last_batch_seen)
    if name == "test_backup_corrupted":
        newest = max(folder.glob("ckpt-*.json"), key=lambda path: path.stat().st_mtime_ns)
        newest.write_text("0")
    # As upstream does it: the same program and callback, which still have what came later.
    history = fit(upstream, program, [callback], 3)
    assert callback._current_epoch == 3
    assert history.epoch[-1] == 2
    assert counted(program) == counted(never)


def test_the_folder_is_removed_when_training_is_complete(upstream, tmp_path):
    # test_model_deleted_case_epoch
    folder = tmp_path / "subdir"
    fit(upstream, program_of(upstream), [BackupAndRestore(folder)], 2)
    assert not folder.exists()
