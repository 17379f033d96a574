"""What the functions of callbacks keep in global variables, closures, classes and defaults."""

from __future__ import annotations

import functools
import random
import types

import numpy as np
import pytest
from hooked import taken

from rekindle._training.outer_values import OuterValues

COUNT, SEEN, CHECKED, TABLE = 0, [], [], {"model": None, "best": 1.0}
RNG, ARRAY, LABEL = random.Random(0), np.zeros(3), "a"
LATER: object


class Tracker:
    def __init__(self):
        self.steps, self.path = 0, "a.txt"

    def saw(self):
        self.steps += 1


TRACKER = Tracker()


class Model:
    def __init__(self):
        self.variables = [np.zeros(2)]


class Callback:
    """A callback of the user's own."""

    total = 0

    def __init__(self, model=None, hook=None):
        self.model, self.hook = model, hook

    def on_epoch_end(self, epoch, logs=None, seen=[]):  # noqa: B006
        global COUNT, LATER
        COUNT += 1
        LATER = epoch
        SEEN.append(epoch)
        CHECKED.append(epoch)
        if len(CHECKED) > 100:
            raise AssertionError
        Callback.total += 2
        TABLE["best"] /= 2
        TRACKER.saw()
        RNG.random()
        ARRAY[0] += 1
        seen.append(epoch)


def counting():
    count = 0

    def count_it():
        nonlocal count
        count += 1
        return count

    return count_it


def begin():
    """Gives every value as a script has it that begins; the objects stay."""
    names = globals()
    names.pop("LATER", None)
    names.update(COUNT=0, LABEL="a")
    for one in (SEEN, CHECKED, Callback.on_epoch_end.__defaults__[1]):
        one.clear()
    TABLE.update(model=None, best=1.0)
    TRACKER.steps = Callback.total = 0
    RNG.seed(0)
    ARRAY.fill(0)


@pytest.fixture(autouse=True)
def begins():
    begin()


def as_they_are():
    return (
        *(COUNT, list(SEEN), list(CHECKED), TABLE["best"], TRACKER.steps, RNG.getstate()),
        *(ARRAY.tolist(), globals().get("LATER"), Callback.total),
        list(Callback.on_epoch_end.__defaults__[1]),
    )


def test_what_a_callback_changes_outside_of_it_comes_back(monkeypatch):
    model = Model()
    TABLE["model"] = model
    values = OuterValues([Callback(model)], [])
    assert taken(values) == ({}, {})
    for epoch in range(3):
        Callback(model).on_epoch_end(epoch)
    state, arrays = taken(values)
    assert values.lost == {}
    expected = as_they_are()
    assert expected[0] == 3
    begin()
    TABLE["model"] = model
    assert as_they_are() != expected
    resumed = OuterValues([Callback(model)], [])
    for _ in range(2):
        assert resumed.put(state, arrays) == []
    # What no function reads is a record, and is left to the script.
    assert as_they_are() == (expected[0], [], *expected[2:7], None, *expected[8:])


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: functools.partial(one)])
def test_variables_around_functions_of_one_name_are_told_apart(wrap):
    hooks = [counting(), counting()]
    values = OuterValues([Callback(hook=wrap(one)) for one in hooks], [])
    hooks[0]()
    for _ in range(5):
        hooks[1]()
    state, arrays = taken(values)
    hooks = [counting(), counting()]
    OuterValues([Callback(hook=wrap(one)) for one in hooks], []).put(state, arrays)
    assert [one() for one in hooks] == [2, 6]


def test_names_in_a_module_of_the_user_count(monkeypatch):
    module = types.ModuleType("test_outer_values.settings")
    module.rate = 1.0
    monkeypatch.setitem(globals(), "SETTINGS", module)

    def halve():
        SETTINGS.rate /= 2  # noqa: F821

    values = OuterValues([Callback(hook=halve)], [])
    halve()
    state, arrays = taken(values)
    module.rate = 1.0
    OuterValues([Callback(hook=halve)], []).put(state, arrays)
    assert module.rate == 0.5


def test_what_cannot_be_saved_is_named(monkeypatch):
    monkeypatch.setitem(globals(), "HELD", None)

    def hold():
        global HELD, LABEL, TRACKER
        TRACKER = Tracker()
        HELD = (number for number in range(3))
        LABEL = "b"
        Callback.fresh = 1
        return HELD, LABEL, TRACKER

    values = OuterValues([Callback(hook=hold)], [])
    try:
        hold()
        assert taken(values)[0] == {}
    finally:
        del Callback.fresh
    held, label, another, fresh = sorted(values.lost.items())
    assert another[0] == "'TRACKER', a global variable that on_epoch_end() uses,"
    assert another[1].startswith("was set to another object during training")
    assert held[0] == "'HELD', a global variable that hold() uses,"
    assert held[1].startswith("is of a type that cannot be saved (a value of type 'generator')")
    assert label[0] == "'LABEL', a global variable that hold() uses,"
    assert label[1].startswith("was set to a string during training")
    assert fresh[0] == "Callback.fresh, an attribute of the class,"


def test_a_checkpoint_changes_no_text_and_no_code(monkeypatch):
    def use():
        global COUNT, LABEL
        COUNT, LABEL = COUNT + 1, LABEL + ""
        return counting, TRACKER

    values = OuterValues([Callback(hook=use)], [])
    use()
    state, arrays = taken(values)
    name = next(key for key in state if key.endswith(".COUNT"))
    forged = {
        name: {"value": "text"},
        name.replace("COUNT", "LABEL"): {"value": "/etc/passwd"},
        name.replace("COUNT", "counting"): {"value": 1},
        name.replace("COUNT", "TRACKER"): {"attributes": {"path": "/etc/passwd"}},
        name.replace("COUNT", "unknown"): {"value": 1},
    }
    notes = OuterValues([Callback(hook=use)], []).put(forged, arrays)
    assert len(notes) == 3
    assert all("is now of another kind, and was not restored" in note for note in notes)
    assert (LABEL, TRACKER.path, callable(counting), COUNT) == ("a", "a.txt", True, 1)


def test_a_model_that_is_saved_by_itself_is_none_of_them(monkeypatch):
    model = Model()
    inner, other = Model(), Model()
    inner.variables = model.variables
    for name, one in {"MODEL": model, "INNER": inner, "OTHER": [other, model]}.items():
        monkeypatch.setitem(globals(), name, one)

    def use():
        return MODEL, INNER, OTHER  # noqa: F821

    values = OuterValues([Callback(model, hook=use)], [])
    model.variables[0] += 1
    assert taken(values) == ({}, {})


def test_a_large_value_is_read_at_the_first_checkpoints_only(monkeypatch):
    large = np.zeros(1 << 18)
    monkeypatch.setitem(globals(), "LARGE", large)

    def use():
        return LARGE  # noqa: F821

    values = OuterValues([Callback(hook=use)], [])
    for _ in range(4):
        assert taken(values)[0] == {}
    large[0] = 1
    assert taken(values)[0] == {}
    values = OuterValues([Callback(hook=use)], [])
    large[0] = 2
    assert len(taken(values)[0]) == 1
    for _ in range(9):
        assert len(taken(values)[0]) == 1


def test_a_callback_that_says_what_its_state_is_has_no_other(monkeypatch):
    class Says(Callback):
        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            """Nothing."""

    callback = Says()
    values = OuterValues([callback], [])
    callback.on_epoch_end(0)
    assert taken(values) == ({}, {})
