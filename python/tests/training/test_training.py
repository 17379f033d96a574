"""A fit() under backup with a trainer of its own: nothing here imports a training library."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from rekindle._policy import schedule
from rekindle._policy.retention import Retention
from rekindle._saving import metadata
from rekindle._training.fit import Fit
from rekindle._training.options import FitOptions
from rekindle.errors import FormatError, LockError, MismatchError

STEPS = 4


class Quiet:
    """Loses nothing and makes nothing."""

    def step_ended(self):
        pass

    def unknown(self):
        return []

    def other_optimizers(self):
        return []


class Trainer:
    """Adds up draws of NumPy's global generator. It has four steps in an epoch, and one weight."""

    knows_fit, can_replay, data, continues_imports = True, True, None, False
    team = None

    def __init__(self, epochs, callbacks=()):
        self.weight = np.zeros(1)
        self.steps, self.begins, self.stop_training, self.is_live = 0, 0, False, True
        self.fit = {"epochs": epochs, "initial_epoch": 0}
        self.history = type("History", (), {"epoch": [], "history": {}, "params": {}})()
        self._callbacks = list(callbacks)

    def train_epoch(self, epoch):
        for number in range(STEPS):
            self.weight += np.random.default_rng(np.random.randint(1 << 31)).random()
            self.steps += 1
            self.step_ended(number + 1, {"loss": float(self.weight[0])})
        self.epoch_ends(epoch, {"loss": float(self.weight[0])})

    def start_at(self, epoch):
        self.begins = epoch or 0

    def capture(self, *, metrics):
        return {"model/weight": self.weight}

    def put(self, arrays):
        self.weight[:] = arrays["model/weight"]
        return ["model/weight"]

    def differences(self, manifest):
        saved = manifest.arrays["model/weight"].shape
        return [] if saved == (1,) else [f"weight: expected (1,), found {saved}"]

    def callbacks(self):
        return self._callbacks

    def is_training(self):
        return self.is_live

    def step(self):
        return self.steps

    def versions(self):
        return {"trainer": "1"}

    def fingerprint(self):
        return {"steps": STEPS}

    def put_before_epochs(self, put, is_new):
        pass

    def rehearsal(self, extra):
        return Quiet()

    def own_states(self, extra):
        return {}

    def inexact(self):
        return []

    def close(self):
        pass

    def keep_learning_rate(self):
        raise AssertionError("this trainer has none")

    def watch(self, step_ended, epoch_ends):
        self.step_ended, self.epoch_ends = step_ended, epoch_ends
        return lambda: None

    def build(self, manifest):
        pass

    def unbuilt(self, manifest):
        return []

    def import_backup(self, options):
        return None

    def settle_import(self, directory):
        pass

    def progress_bar(self, total):
        raise AssertionError("nothing is read again")


def options(directory, **more):
    given = {
        "directory": str(directory),
        "delete_checkpoint": False,
        "restore_history": True,
        "save_freq": "epoch",
        "double_checkpoint": False,
        "on_save_error": "raise",
        "verbose": 0,
        "background": False,
        "retention": Retention(),
    }
    return FitOptions(**given | more)


def train(directory, epochs, until=None, **more):
    """Trains as an adapter does. Returns the trainer and the fit(), which may be interrupted."""
    trainer = Trainer(epochs)
    fit = Fit(options(directory, **more), trainer, schedule.schedule("epoch"))
    for epoch in range(trainer.begins, epochs):
        fit.epoch_begins(epoch, lambda: None)
        trainer.train_epoch(epoch)
        logs = {"loss": float(trainer.weight[0])}
        trainer.history.epoch.append(epoch)
        trainer.history.history.setdefault("loss", []).append(logs["loss"])
        fit.epoch_ends(epoch, logs)
        fit.save(epoch + 1, 0, logs)
        if epoch + 1 == until:
            fit.close()
            return trainer, fit
    fit.end()
    fit.close()
    return trainer, fit


@pytest.fixture
def straight(tmp_path):
    np.random.seed(7)
    return train(tmp_path / "straight", 6)[0]


@pytest.mark.parametrize("background", [False, True])
def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(tmp_path, straight, background):
    np.random.seed(7)
    train(tmp_path / "backup", 6, until=2, background=background)
    np.random.seed(99)
    resumed, fit = train(tmp_path / "backup", 6, background=background)
    assert fit.report["epoch"] == 2
    assert fit.report["exact"]
    assert resumed.weight.tobytes() == straight.weight.tobytes()
    assert resumed.history.epoch == list(range(6))
    assert len(resumed.history.history["loss"]) == 6


def test_the_state_of_another_callback_comes_back(tmp_path):
    class Counter:
        model = None

        def __init__(self):
            self.count = 0

    def one(count):
        callback = Counter()
        trainer = Trainer(3, [callback])
        fit = Fit(options(tmp_path / "b"), trainer, schedule.schedule("epoch"))
        found = callback.count
        callback.count += count
        fit.save(1, 0, {})
        fit.close()
        return found

    assert [one(5), one(2), one(0)] == [0, 5, 7]


def test_a_complete_fit_leaves_no_backup_that_is_not_asked_for(tmp_path):
    train(tmp_path / "backup", 2, delete_checkpoint=True)
    assert not (tmp_path / "backup").exists()


def test_a_backup_of_another_set_up_is_refused_and_nothing_is_changed(tmp_path, monkeypatch):
    train(tmp_path / "backup", 6, until=2)
    monkeypatch.setattr(Trainer, "fingerprint", lambda self: {"steps": 8})
    with pytest.raises(MismatchError, match="steps: expected 8, found 4"):
        train(tmp_path / "backup", 6)


def test_a_backup_whose_state_is_of_a_later_version_is_refused(tmp_path, monkeypatch):
    newer = metadata.STATE_VERSION + 1
    with monkeypatch.context() as later:
        later.setattr(metadata, "versioned", lambda state: {**state, "state_version": newer})
        train(tmp_path / "backup", 6, until=2)
    with pytest.raises(FormatError, match=f"whose state has version {newer}"):
        train(tmp_path / "backup", 6)
    assert (tmp_path / "backup" / "ckpt-2.json").exists()


def test_a_second_fit_is_refused_while_the_first_goes_on(tmp_path):
    trainer = Trainer(3)
    every = schedule.schedule("epoch")
    first = Fit(options(tmp_path / "b"), trainer, every)
    with pytest.raises(LockError):
        Fit(options(tmp_path / "b"), Trainer(3), every)
    trainer.is_live = False
    Fit(options(tmp_path / "b"), Trainer(3), every).close()
    first.close()


def test_no_library_is_imported_or_needed():
    code = """
        import sys

        class Nobody:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("keras", "tf_keras", "jax", "torch", "tensorflow"):
                    raise ImportError(f"{name} is not installed here")

        sys.meta_path.insert(0, Nobody())
        sys.path[:0] = sys.argv[1:]
        import test_training, pathlib, tempfile
        import numpy as np
        with tempfile.TemporaryDirectory() as home:
            home = pathlib.Path(home)
            test_training.train(home / "backup", 4, until=2)
            trainer, fit = test_training.train(home / "backup", 4)
            assert fit.report["epoch"] == 2
        print("trained")
    """
    here = __file__.rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), here],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "trained\n", done.stderr
