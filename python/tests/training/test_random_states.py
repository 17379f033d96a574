"""Random states of another language, such as R when R drives Python."""

from __future__ import annotations

import threading

import pytest

from rekindle._codec import tree
from rekindle._r.state import ExternalState
from rekindle._training import random_states


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(random_states, "_external", {})
    kept = {"state": "3 1 2"}
    random_states.add(
        "R", ExternalState(lambda: kept["state"], lambda value: kept.update(state=value))
    )
    return kept


def there_and_back(states):
    arrays = {}
    return tree.unflatten(tree.flatten(states, "random", arrays), arrays)


def test_a_state_that_was_added_is_taken_and_put_back(kept):
    states = there_and_back(random_states.take())
    kept["state"] = "later"
    random_states.put(states)
    assert kept["state"] == "3 1 2"


def test_an_absent_state_is_put_back_as_absent(kept):
    kept["state"] = None
    states = there_and_back(random_states.take())
    kept["state"] = "later"
    random_states.put(states)
    assert kept["state"] is None


def test_another_thread_never_calls_the_other_language(kept):
    found = []
    thread = threading.Thread(target=lambda: found.append(random_states.take()))
    thread.start()
    thread.join()
    random_states.put(found[0])
    assert "foreign" not in found[0]
    assert kept["state"] == "3 1 2"


def test_a_state_that_nobody_keeps_any_more_is_left_alone(kept, monkeypatch):
    states = random_states.take()
    monkeypatch.setattr(random_states, "_external", {})
    random_states.put(states)
    assert kept["state"] == "3 1 2"
