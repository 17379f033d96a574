"""A restore changes only state that training changes, never values that the script set."""

from __future__ import annotations

import enum
import pathlib

import keras
import numpy as np
import pytest
from forging import Stop, forge
from small_fit import fit, make_model

import rekindle
from rekindle.keras import BackupAndRestore


class Phase(enum.Enum):
    WARM, MAIN = "warm", "main"


class Counter(keras.callbacks.Callback):
    """A callback with attributes of each kind."""

    klass = 3

    def __init__(self, path="here", where=None, then=None):
        super().__init__()
        self.path = path
        self.where = where or pathlib.Path("here")
        self.raw = b"here"
        self.then = then
        self.count = 0
        self.nothing = None
        self.phase = Phase.WARM
        self.empty = []
        self.paths = ["here", "there"]
        self.options = {"path": "here", "count": 1}
        self.nested = ({"deep": ["here"]}, 3)
        self.choices = {"here", "there"}
        self.by_number = {0: "here", 1: "there"}
        self.by_numpys = {np.int64(0): "here", np.int64(1): "there"}
        self.noise = np.random.default_rng(1)

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        self.model.stop_training = False


def scripts(callback):
    left_out = {"_model", "noise"}
    return {name: value for name, value in vars(callback).items() if name not in left_out}


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "backup"
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder), Counter(), Stop(2), epochs=3)
    return folder


FORGED = {
    "a string": ("path", "/etc/x"),
    "a string that becomes a number": ("path", 3),
    "a path": ("where", "/etc/x"),
    "bytes": ("raw", {"$": ["bytes", "L2V0Yy94"]}),
    "a function": ("then", "/etc/x"),
    "a string for a number": ("count", "/etc/x"),
    "a string for nothing": ("nothing", "/etc/x"),
    "bytes for nothing": ("nothing", {"$": ["bytes", "L2V0Yy94"]}),
    "a disguised string for nothing": ("nothing", {"$": ["object", ["x", "/etc/x"]]}),
    "a record for nothing": ("nothing", {"$": ["record", {"x": "/etc/x"}]}),
    "a path for nothing": ("nothing", {"$": ["Path", "/etc/x"]}),
    "another path": ("where", {"$": ["Path", "/etc/x"]}),
    "a path for a string": ("path", {"$": ["Path", "here"]}),
    "a string that is new": ("path", {"$": ["new", "/etc/x"]}),
    "a list of strings that is new": ("paths", {"$": ["new", ["/etc/x"]]}),
    "strings in a deque for a list": ("paths", {"$": ["deque", [["here", "/etc/x"], None]]}),
    "a member for nothing": ("nothing", {"$": ["enum", ["Phase", "MAIN"]]}),
    "a member of another enumeration": ("phase", {"$": ["enum", ["Other", "MAIN"]]}),
    "a name that is no member": ("phase", {"$": ["enum", ["Phase", "__class__"]]}),
    "a string for a member": ("phase", "main"),
    "a dict of a class for nothing": ("nothing", {"$": ["mapping", ["Own", []]]}),
    "a factory that is no name": ("nothing", {"$": ["defaultdict", ["open", [["a", 1]]]]}),
    "a deque of endless length": ("nothing", {"$": ["deque", [[1], -5]]}),
    "an object in a list": ("empty", [{"$": ["object", ["numpy.Generator", {}]]}]),
    "variables in a list": ("empty", [{"$": ["variables", {"a": 1}]}]),
    "new in new": ("count", {"$": ["new", {"$": ["new", 3]}]}),
    "a string in a list": ("paths", ["here", "/etc/x"]),
    "a string less in a list": ("paths", ["here"]),
    "strings in another order": ("paths", ["there", "here"]),
    "a tuple for a list": ("paths", {"$": ["tuple", ["here", "/etc/x"]]}),
    "a number for a list": ("paths", 3),
    "a string in a dict": ("options", {"path": "/etc/x", "count": 1}),
    "a string for a number in a dict": ("options", {"path": "here", "count": "/etc/x"}),
    "a string deep inside": ("nested", {"$": ["tuple", [{"deep": ["/etc/x"]}, 3]]}),
    "a string of a set": ("choices", {"$": ["set", ["here", "/etc/x"]]}),
    "a string more in a list": ("paths", ["here", "there", "/etc/x"]),
    "a string more in a dict": ("options", {"path": "here", "count": 1, "opener": "/etc/x"}),
    "a string more in a set": ("choices", {"$": ["set", ["here", "there", "/etc/x"]]}),
    "a list of strings for a number": ("count", ["/etc/x"]),
    "equal keys": (
        "by_number",
        {"$": ["dict", [[0, "here"], [1, "there"], [True, "/etc/x"], [0.0, "/etc/x"]]]},
    ),
    "NumPy's keys": (
        "by_numpys",
        {"$": ["dict", [[{"$": ["scalar", "k0"]}, "/etc/x"], [{"$": ["scalar", "k1"]}, "there"]]]},
    ),
    "a hook": ("on_epoch_end", 3),
    "another hook": ("on_train_batch_end", None),
    "the model": ("model", None),
    "the model's own name": ("_model", 3),
    "the parameters": ("params", {"epochs": 3}),
    "a method of Python's": ("__class__", 3),
    "the attributes": ("__dict__", {"path": "/etc/x"}),
    "a number for a generator": ("noise", 3),
    "an object for a number": ("count", {"$": ["object", ["numpy.Generator", {}]]}),
    "a generator for a number": ("count", {"$object": "numpy.Generator", "state": {}}),
    "a generator for nothing": ("nothing", {"$object": "numpy.Generator", "state": {}}),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_save_never_changes_what_the_script_set(what, saved):
    name, value = FORGED[what]
    forge(
        saved,
        lambda state: state["callbacks"]["Counter"].update(attributes={name: value}),
        {"k0": np.array(0), "k1": np.array(1)},
    )
    model, callback = make_model(), Counter(then=print)
    weights, before = model.get_weights(), scripts(callback)
    with pytest.raises(rekindle.DamageError, match=r"Counter|an attribute"):
        fit(model, BackupAndRestore(saved), callback, epochs=3)
    after = scripts(callback)
    after["params"] = before["params"]
    assert after == before
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


# The class assigns the second name, but as an attribute of the model.
@pytest.mark.parametrize("name", ["nobodys", "stop_training"])
def test_a_name_that_the_callback_does_not_have_is_told_and_not_set(name, saved):
    forge(saved, lambda state: state["callbacks"]["Counter"]["attributes"].update({name: 3}))
    callback = Counter()
    with pytest.warns(rekindle.InexactWarning, match=rf"Counter\.{name} did not exist"):
        fit(make_model(), BackupAndRestore(saved), callback, epochs=3)
    assert not hasattr(callback, name)
    assert callback.count == 3


def test_what_training_changes_comes_back_whatever_it_is(tmp_path):
    class Changing(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.count, self.best, self.seen, self.log = 0, None, {}, []

        def on_train_begin(self, logs=None):
            self.begun = 0.0

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_epoch_end(self, epoch, logs=None):
            self.count += 1
            self.best = np.float32(epoch) if self.best is None else [self.best, epoch]
            self.seen[f"epoch {epoch}"] = {"note": "text", "loss": logs["loss"]}
            self.log.append(f"epoch {epoch}")
            self.begun += 0.5
            if epoch == 0:
                self.first = np.arange(3)

    folder, end = tmp_path / "backup", Changing()
    fit(make_model(), Changing(), epochs=1)
    keras.utils.set_random_seed(1)
    fit(make_model(), BackupAndRestore(tmp_path / "never"), end, epochs=4)
    keras.utils.set_random_seed(1)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder), Changing(), Stop(2), epochs=4)
    again = Changing()
    fit(make_model(), BackupAndRestore(folder), again, epochs=4)
    for name in ("count", "best", "seen", "log", "begun", "epoch"):
        assert getattr(again, name) == getattr(end, name), name
    assert again.first.tolist() == [0, 1, 2]


def test_what_does_not_come_back_is_named_at_the_first_save(tmp_path):
    class Phase(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.phase, self.last, self.files, self.names = "warm", None, ["a"], ["a"]

        def on_epoch_end(self, epoch, logs=None):
            self.phase = self.last = "main"
            self.files.pop()
            self.names.append("b")
            setattr(self, "un" + "seen", 1)

    with pytest.warns(rekindle.InexactWarning) as caught:
        fit(make_model(), BackupAndRestore(tmp_path / "backup"), Phase(), epochs=1)
    told = " ".join(str(one.message) for one in caught)
    for name in ("phase", "last", "files", "names"):
        assert f"Phase.{name} was set to a string during training" in told
    assert "Phase.unseen did not exist when training began" in told
    assert "state_dict()" in told


@pytest.mark.parametrize("kind", ["Stopping", "EarlyStopping"])
def test_configuration_of_keras_callbacks_never_comes_from_a_save(kind, tmp_path):
    class Stopping(keras.callbacks.EarlyStopping):
        own = None

    make = {"Stopping": Stopping, "EarlyStopping": keras.callbacks.EarlyStopping}[kind]
    folder = tmp_path / "backup"
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder), make("loss", patience=9), Stop(2), epochs=3)
    for name in ("patience", "monitor", "verbose", "start_from_epoch", "restore_best_weights"):
        forge(
            folder,
            lambda state, name=name: state["callbacks"].update({kind: {"attributes": {name: 1}}}),
        )
        with pytest.raises(rekindle.DamageError, match=f"{kind}.{name}"):
            fit(make_model(), BackupAndRestore(folder), make("loss", patience=9), epochs=3)


ANSWERS = {
    "no count": ("EarlyStopping", "wait", []),
    "nothing for a count": ("EarlyStopping", "wait", None),
    "a count that never ends": ("EarlyStopping", "wait", -1000000),
    "no number": ("EarlyStopping", "wait", {"$": ["float", "nan"]}),
    "an array for a number": ("ReduceLROnPlateau", "best", {"$": ["array", "k"]}),
    "an array for a list": ("EarlyStopping", "best_weights", {"$": ["array", "k"]}),
    "numbers for arrays": ("EarlyStopping", "best_weights", [1, 2]),
    "a list for a count": ("ModelCheckpoint", "_batches_seen_since_last_saving", []),
    "a number for names": ("CSVLogger", "keys", 5),
    "numbers for names": ("CSVLogger", "keys", [5]),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_attributes_of_keras_callbacks_are_of_their_type(what, tmp_path):
    kind, name, value = ANSWERS[what]

    def callbacks():
        return [
            keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau("loss", patience=9),
            keras.callbacks.ModelCheckpoint(
                tmp_path / "m.weights.h5", "loss", save_freq=2, save_weights_only=True
            ),
            keras.callbacks.CSVLogger(tmp_path / "log.csv", append=True),
        ]

    folder, first = tmp_path / "backup", callbacks()
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder), *first, Stop(2), epochs=3)
    first[-1].csv_file.close()

    def change(state):
        state["callbacks"].setdefault(kind, {}).setdefault("attributes", {})[name] = value

    forge(folder, change, {"k": np.zeros(3)})
    again = callbacks()
    with pytest.raises(rekindle.DamageError, match=rf"{kind}\.{name}|cannot be"):
        fit(make_model(), BackupAndRestore(folder), *again, epochs=3)
    again[-1].csv_file.close()


@pytest.mark.parametrize("kind", ["set", "dict"])
def test_an_array_is_no_key_and_is_not_read_for_each(kind, tmp_path):
    folder = tmp_path / "backup"

    def stopping():
        return keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)

    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder), stopping(), Stop(2), epochs=3)
    key = {"$": ["array", "large"]}
    items = [key] * 5000 if kind == "set" else [[key, 1]] * 5000

    def change(state):
        state["callbacks"]["EarlyStopping"]["attributes"]["best_weights"] = {"$": [kind, items]}

    forge(folder, change, {"large": np.zeros(1 << 20)})
    with pytest.raises(rekindle.DamageError, match="an array cannot be a key"):
        fit(make_model(), BackupAndRestore(folder), stopping(), epochs=3)


def test_an_array_has_one_place_in_a_tree(saved):
    def change(state):
        state["history"]["metrics"]["loss"] = [{"$": ["array", "large"]}] * 1000
        state["history"]["epochs"]["loss"] = [0] * 1000

    forge(saved, change, {"large": np.zeros(1 << 20)})
    with pytest.raises(rekindle.DamageError, match="an array is used in two places"):
        fit(make_model(), BackupAndRestore(saved), Counter(), epochs=3)
