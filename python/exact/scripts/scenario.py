"""Runs one script of a user as it is, may kill it, and writes down all that it left.

The zygote forks a process for each run and calls :func:`main`. The script knows nothing of that:
its steps are watched from outside, and no callback is added to it, because a callback with hooks
for batches would change how Keras calls the others.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pathlib
import random
import runpy
import signal
import sys
import warnings

import keras
import numpy as np
import sources

import rekindle
from rekindle.keras import BackupAndRestore

# fit() imports them, which takes longer than one of these runs. Here, all runs share them.
for name in ("tensorflow", "h5py", *(["torch._dynamo"] * (keras.backend.backend() == "torch"))):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)

# The zygote asks for it. Each script has a training of its own.
TRAININGS = ()


class Watch:
    """Watches every fit() of this process: each step, and what its backup reports at the end.

    Args:
        kill: The event at which the process dies: ``[number of the fit(), "begin" or "end", batches
            of it before]``, or ``None``.

    Attributes:
        events: All events: these three, the batches since a checkpoint was due, and how many were
            due before. The last two are ``None`` if a clock decides.
        resumed: The `resume_report` of each fit().
        folders: The backups.
    """

    def __init__(self, kill):
        self._kill = None if kill is None else tuple(kill)
        self._fit, self._batches, self._epoch_began = -1, 0, 0
        self._backup, self._epochs = None, set()
        self.events, self.resumed, self.folders = [], [], set()

    def install(self):
        fit, make = keras.Model.fit, keras.Model.make_train_function

        def watched_fit(model, *args, **kwargs):
            self._begin(kwargs["callbacks"])
            history = fit(model, *args, **kwargs)
            self.resumed.append(self._backup.resume_report)
            return history

        def make_watched(model, force=False):
            make(model, force)
            if not hasattr(model.train_function, "is_watched"):
                model.train_function = self._watched(model.train_function)

        keras.Model.fit, keras.Model.make_train_function = watched_fit, make_watched

    def _begin(self, callbacks):
        (self._backup,) = (one for one in callbacks if isinstance(one, BackupAndRestore))
        self.folders.add(os.path.realpath(self._backup.backup_dir))
        self._fit, self._batches, self._epochs = self._fit + 1, 0, set()

    def _watched(self, step):
        def watched(*args):
            # Keras' own callback has this attribute, too.
            if self._backup._current_epoch not in self._epochs:
                self._epochs.add(self._backup._current_epoch)
                self._epoch_began = self._batches
            self._event("begin")
            result = step(*args)
            self._event("end")
            self._batches += 1
            return result

        watched.is_watched = True
        return watched

    def _event(self, kind):
        place = (self._fit, kind, self._batches)
        if place == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        freq, since, due = self._backup.save_freq, None, None
        if freq == "epoch":
            since, due = self._batches - self._epoch_began, len(self._epochs) - 1
        elif isinstance(freq, int):
            since, due = self._batches % freq, self._batches // freq
        self.events.append([*place, since, due])


def main(config):
    out, work = pathlib.Path(config["out"]), pathlib.Path(config["work"])
    work.mkdir(parents=True, exist_ok=True)
    log = os.open(out.with_suffix(".log"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(work)
    watch = Watch(config.get("kill"))
    watch.install()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = runpy.run_path(str(sources.SOURCES[config["source"]].path), run_name="__main__")
    told = [str(one.message) for one in caught if is_suspect(one.category)]
    left = {f"script: {name}": value for name, value in results(names).items()}
    left |= {f"file: {name}": value for name, value in files(work, watch.folders).items()}
    left["next random numbers"] = next_draws()
    report = {"left": left, "events": watch.events, "resumed": watch.resumed, "warned": told}
    out.write_text(json.dumps(report))


def is_suspect(category):
    """Whether a warning says that something is lost. A RekindleWarning itself only informs."""
    return (
        issubclass(category, rekindle.RekindleWarning) and category is not rekindle.RekindleWarning
    )


def results(names):
    """What the variables of the script hold, in a form that can be compared bit for bit."""
    found = {name: result(value) for name, value in names.items() if not name.startswith("__")}
    return {name: value for name, value in found.items() if value is not None}


def result(value):
    if isinstance(value, keras.Model):
        optimizers = {id(one): one for one in optimizers_of(value)}.values()
        variables = [*value.variables, *(v for one in optimizers for v in one.variables)]
        return [digest(variable) for variable in variables]
    if isinstance(value, keras.callbacks.History):
        return [value.epoch, {name: list(map(float, v)) for name, v in value.history.items()}]
    if isinstance(value, np.ndarray):
        return digest(value)
    if isinstance(value, list) and value and all(isinstance(one, float | int) for one in value):
        return [float(one).hex() for one in value]
    return float(value).hex() if isinstance(value, float) else None


def optimizers_of(model):
    held = [getattr(model, "optimizer", None), *vars(model).values()]
    return [one for one in held if isinstance(one, keras.optimizers.Optimizer)]


def files(work, folders):
    """The files that the script wrote, but not the backups."""
    found = {}
    for path in sorted(work.rglob("*")):
        is_backup = any(str(path.resolve()).startswith(folder) for folder in folders)
        if path.is_file() and not is_backup:
            found[str(path.relative_to(work))] = digest_of_file(path)
    return found


def digest_of_file(path):
    if path.suffix != ".h5":
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    import h5py

    arrays = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, one: (
                arrays.append([name, digest(one[()])]) if hasattr(one, "dtype") else None
            )
        )
    return arrays


def digest(value):
    array = np.asarray(keras.ops.convert_to_numpy(value))
    return hashlib.sha256(str(array.dtype).encode() + array.tobytes()).hexdigest()[:16]


def next_draws():
    found = [random.random(), float(np.random.rand())]
    found.append(float(keras.ops.convert_to_numpy(keras.random.uniform(()))))
    if keras.backend.backend() == "torch":
        found.append(float(sys.modules["torch"].rand(())))
    if keras.backend.backend() == "tensorflow":
        found.append(float(sys.modules["tensorflow"].random.uniform(())))
    return found
