"""Objects that a script shares with callbacks and `extra_state`, and states that fail."""

from __future__ import annotations

import collections
import warnings

import keras
import numpy as np
import pytest
from forging import Stop, forge
from small_fit import assert_same, fit, make_model, values

import rekindle
from rekindle.keras import BackupAndRestore


def interrupted(folder, *callbacks, **more):
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(folder, **more), *callbacks, Stop(2), epochs=3)


class Fills(keras.callbacks.Callback):
    """Puts the epochs into containers that the script gave it."""

    def __init__(self, *given):
        super().__init__()
        self.given = given
        self.first, self.last, self.table = given[0], given[1], {"inner": given[2]}

    def on_epoch_end(self, epoch, logs=None):
        self.first.append(epoch)
        self.last.append(epoch)
        self.table["inner"] += epoch


def test_what_the_script_shares_stays_shared(tmp_path):
    def given():
        return [], collections.deque(maxlen=2), np.zeros(2)

    folder = tmp_path / "backup"
    start = given()
    interrupted(folder, Fills(*start), Fills(*start), extra_state={"first": start[0]})
    mine = given()
    one, other = Fills(*mine), Fills(*mine)
    backup = BackupAndRestore(folder, extra_state={"first": mine[0]})
    fit(make_model(), backup, one, other, epochs=3)
    assert mine[0] == [0, 0, 1, 1, 2, 2]
    assert (list(mine[1]), mine[2].tolist()) == ([2, 2], [6.0, 6.0])
    for callback in (one, other):
        assert callback.first is mine[0]
        assert callback.last is mine[1]
        assert callback.table["inner"] is mine[2]
    assert backup.resume_report["exact"]


def test_what_training_replaces_does_not_change_what_the_script_has(tmp_path):
    class Replaces(keras.callbacks.Callback):
        def __init__(self, seen, order, step):
            super().__init__()
            self.seen, self.order, self.step = seen, order, step

        def on_epoch_end(self, epoch, logs=None):
            if self.step:
                self.seen = [*self.seen, epoch * self.step]
                self.order = self.order + self.step

    def given():
        seen, order = [], np.zeros(2)
        return seen, order, [Replaces(seen, order, step) for step in (1, 10, 0)]

    interrupted(tmp_path / "backup", *given()[2])
    seen, order, callbacks = given()
    fit(make_model(), BackupAndRestore(tmp_path / "backup"), *callbacks, epochs=3)
    assert [one.seen for one in callbacks] == [[0, 1, 2], [0, 10, 20], []]
    assert [one.order.tolist() for one in callbacks] == [[3.0, 3.0], [30.0, 30.0], [0.0, 0.0]]
    assert (seen, order.tolist()) == ([], [0.0, 0.0])


class Fails:
    """Its state cannot be read; or it refuses the saved one."""

    def __init__(self, *, reads=False, loads=False):
        self.reads, self.loads, self.value = reads, loads, 0

    def state_dict(self):
        if self.reads:
            raise OSError("gone")
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]
        if self.loads and state["value"] == 7:
            raise KeyError("not mine")


class FailingCallback(Fails, keras.callbacks.Callback):
    def __init__(self, **fails):
        keras.callbacks.Callback.__init__(self)
        Fails.__init__(self, **fails)


def test_a_state_that_cannot_be_read_is_named_once_and_ends_nothing(tmp_path):
    folder, made = tmp_path / "backup", FailingCallback(reads=True)
    extra = {"mine": Fails(reads=True)}
    with pytest.warns(rekindle.InexactWarning) as caught:
        history = fit(make_model(), made, BackupAndRestore(folder, extra_state=extra), epochs=3)
    assert len(history.epoch) == 3
    told = [str(one.message) for one in caught if "OSError('gone')" in str(one.message)]
    assert len(told) == 2
    assert any(text.startswith("FailingCallback.state_dict() cannot be saved") for text in told)
    assert any(text.startswith("extra_state['mine'] cannot be saved") for text in told)


@pytest.mark.parametrize("where", ["callback", "extra_state"])
def test_a_state_that_is_refused_is_a_mismatch_and_nothing_is_changed(where, tmp_path):
    folder = tmp_path / "backup"

    def objects(value, **fails):
        made = {"callback": FailingCallback(), "extra_state": Fails()}
        made[where] = type(made[where])(**fails)
        made["array"] = np.full(2, float(value))
        for name in ("callback", "extra_state"):
            made[name].value = value
        return made

    def run(model, made, *more):
        extra = {"first": made["array"], "mine": made["extra_state"]}
        backup = BackupAndRestore(folder, extra_state=extra)
        return fit(model, made["callback"], backup, *more, epochs=3)

    with pytest.raises(RuntimeError, match="Interrupting!"):
        run(make_model(), objects(7), Stop(2))
    model, made = make_model(), objects(3, loads=True)
    model.optimizer.build(model.trainable_variables)
    before = values(model)
    with pytest.raises(rekindle.MismatchError, match="Nothing was changed") as caught:
        run(model, made)
    assert "not mine" in str(caught.value)
    assert_same(values(model), before)
    assert (made["callback"].value, made["extra_state"].value) == (3, 3)
    assert made["array"].tolist() == [3.0, 3.0]


def test_what_cannot_be_saved_is_named_with_its_type_and_place(tmp_path):
    class Socket:
        __slots__ = ()

    class Odd(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.table, self.phase, self.loop = {"a": [1]}, None, []

        def on_epoch_end(self, epoch, logs=None):
            self.table["a"].append(Socket())
            self.phase = collections.namedtuple("Phase", "at")(epoch)
            self.loop.append(self.loop)

    class Rows(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.last, self.same = None, Socket()

        def __len__(self):
            return 2

        def __getitem__(self, index):
            self.last = Socket()
            return np.ones((4, 3), "float32"), np.ones((4, 1), "float32")

    model = make_model()
    backup = BackupAndRestore(tmp_path / "backup", extra_state={"mine": {"a": [1]}})
    with pytest.warns(rekindle.InexactWarning) as caught:
        model.fit(Rows(), epochs=2, shuffle=False, verbose=0, callbacks=[Odd(), backup])
    told = [str(one.message) for one in caught]
    for text in (
        "Odd.table is of a type that cannot be saved (at a/1: a value of type 'Socket')",
        "Odd.phase is of a type that cannot be saved",
        "Odd.loop is of a type that cannot be saved (at 0: a container that contains itself)",
        "Rows.last is of a type that cannot be saved (a value of type 'Socket')",
    ):
        assert sum(one.startswith(text) for one in told) == 1, text
    assert not any("Rows.same" in one for one in told)


def test_text_that_the_script_put_into_extra_state_stays(tmp_path):
    folder = tmp_path / "backup"
    interrupted(folder, extra_state={"mine": {"path": "here", "count": 1}})
    forge(folder, lambda state: state["extra"].update(mine={"path": "/etc/x", "count": 2}))
    mine = {"path": "here", "count": 1}
    with pytest.raises(rekindle.DamageError, match=r"extra_state\['mine'\] that training cannot"):
        fit(make_model(), BackupAndRestore(folder, extra_state={"mine": mine}), epochs=3)
    assert mine == {"path": "here", "count": 1}


@pytest.mark.parametrize("value", [3, "text", (1, 2), None, 1j, frozenset({1})])
def test_a_value_that_no_restore_can_change_is_no_extra_state(value, tmp_path):
    with pytest.raises(rekindle.ArgumentError, match="mine="):
        BackupAndRestore(tmp_path / "backup", extra_state={"mine": value})


def test_the_forms_of_earlier_versions_are_read(tmp_path):
    folder = tmp_path / "backup"

    def made(fill):
        layer, seeds = keras.layers.Dense(2), keras.random.SeedGenerator(fill)
        layer.build((None, 3))
        layer.set_weights([np.full_like(one, fill) for one in layer.get_weights()])
        variable = keras.Variable(np.full(2, fill, "float32"))
        model = make_model()
        model.optimizer.build(model.trainable_variables)
        model.set_weights([np.full_like(one, fill) for one in model.get_weights()])
        return {"layer": layer, "seeds": seeds, "variable": variable, "model": model}

    extra = made(1)
    interrupted(folder, extra_state=extra)

    def older(state):
        saved = state["extra"]
        for name in ("layer", "model"):
            _, found = saved[name]["$"]
            own = [found[one] for one in found if not one.startswith("optimizer/")]
            saved[name] = {"$object": "keras.variables", "state": own}
        _, found = saved["seeds"]["$"]
        saved["seeds"] = {"$object": "keras.SeedGenerator", "state": found["state"]}
        saved["variable"] = {"$object": "keras.Variable", "state": saved["variable"]}
        state["state_version"] = 1

    forge(folder, older)
    again = made(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        fit(make_model(), BackupAndRestore(folder, extra_state=again), epochs=3)
    for name in ("layer", "model"):
        assert_same(again[name].get_weights(), made(1)[name].get_weights())
    assert keras.ops.convert_to_numpy(again["variable"]).tolist() == [1.0, 1.0]
    one, other = (keras.ops.convert_to_numpy(x["seeds"].state) for x in (again, extra))
    assert_same([one], [other])
