"""One run with values of every kind in each place: may kill itself, and prints what it has.

every_kind_run.py FOLDER [die | elsewhere]
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "shared"))

import every_kind

import rekindle
from rekindle.keras import BackupAndRestore

FOLDER, DIES = sys.argv[1], sys.argv[2:] == ["die"]
X = np.random.RandomState(0).normal(size=(40, 6)).astype("float32")


class Holder(keras.callbacks.Callback):
    """Has each value in an attribute, and changes those in other places, too."""

    def __init__(self):
        super().__init__()
        vars(self).update(every_kind.made())
        # The script has this list as well.
        self.log = log

    def on_epoch_end(self, epoch, logs=None):
        if DIES and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        self.log.append(epoch)
        for place in (self, data):
            every_kind.change(Attributes(place), epoch)
        every_kind.change(Attributes(model), epoch, dicts=False)
        every_kind.change(extra, epoch)


class Attributes:
    """The attributes of an object, as a dict has its items."""

    def __init__(self, owner):
        self.owner = owner

    def __getitem__(self, name):
        return getattr(self.owner, name)

    def __setitem__(self, name, value):
        setattr(self.owner, name, value)


class Rows(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()
        vars(self).update(every_kind.made())

    def __len__(self):
        return 5

    def __getitem__(self, index):
        x = X[8 * index : 8 * index + 8]
        return x, x[:, :1]


class Model(keras.Model):
    def __init__(self):
        super().__init__()
        for name, value in every_kind.made().items():
            if name not in every_kind.DICTS:
                setattr(self, name, value)
        self.dense = keras.layers.Dense(1)
        self.dense.build((None, 6))
        self.built = True

    def call(self, x):
        return self.dense(x)


# On another backend, Keras may warn of what it does itself.
warnings.simplefilter("error", rekindle.InexactWarning)
keras.utils.set_random_seed(1)
log, extra = [], every_kind.made()
holder, data, model = Holder(), Rows(), Model()
model.compile("sgd", "mse")
# Another machine may give losses other bits.
told = rekindle.Tolerance(1e-4) if sys.argv[2:] == ["elsewhere"] else "warn"
backup = BackupAndRestore(
    f"{FOLDER}/backup", save_freq=2, extra_state={"mine": extra}, on_difference=told
)
model.fit(data, epochs=4, shuffle=False, verbose=0, callbacks=[holder, backup])
names = list(every_kind.made())
found = {
    place: every_kind.told({name: getattr(owner, name) for name in names if hasattr(owner, name)})
    for place, owner in [("callback", holder), ("data", data), ("model", model)]
}
found["extra"] = every_kind.told(extra)
found["log"] = log
found["exact"] = backup.resume_report and backup.resume_report["exact"]
print(json.dumps(found))
