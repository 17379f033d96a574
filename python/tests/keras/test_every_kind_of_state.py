"""Values of every kind come back in each place where a fit() has state of the user's."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import every_kind
import forks
import pytest


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What a run has in the end that was never killed, and the same of one that was killed."""
    folder = tmp_path_factory.mktemp("runs")

    def run(name, *more):
        (folder / name).mkdir(exist_ok=True)
        script = Path(__file__).with_name("every_kind_run.py")
        status, out, errors = forks.run(script, folder / name, *more)
        assert status == (-signal.SIGKILL if more else 0), errors
        return None if more else json.loads(out)

    never, _, again = run("never"), run("killed", "die"), run("killed")
    return never, again


def test_the_resumed_run_is_exact_and_shares_its_list_with_the_script(ends):
    never, again = ends
    assert (never["exact"], again["exact"]) == (None, True)
    assert never["log"] == again["log"] == [0, 1, 2, 3]


@pytest.mark.parametrize("place", ["callback", "data", "model", "extra"])
def test_each_kind_comes_back_as_what_it_was_in_a_fresh_process(ends, place):
    never, again = ends
    left_out = every_kind.DICTS if place == "model" else ()
    assert list(never[place]) == [name for name in every_kind.made() if name not in left_out]
    assert again[place] == never[place]
