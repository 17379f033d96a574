"""Short versions of the sweeps of `make faults` over the requests of a save in an object store."""

from __future__ import annotations

import pytest

from faults import remote, remote_races

# Those that differ for the client; `make faults` has the other statuses.
HARMS = [harm for harm in remote.HARMS if harm not in ("clock skew", "429", "500", "closed")]


@pytest.fixture(scope="module")
def sweep():
    with remote.Sweep() as made:
        yield made


@pytest.fixture(scope="module")
def count(sweep):
    return sweep.requests("later save")


# For each harm the requests that it is done to, so that all together meet every request: those
# that cost a client its time, one.
@pytest.mark.parametrize(("at", "harm"), list(enumerate(HARMS)))
def test_a_harm_to_a_request_loses_no_save(sweep, count, at, harm):
    tally = remote.Tally()
    step = count if harm in remote.SLOW else 15
    for number in range(1 + (7 * at) % min(step, count), count + 1, step):
        sweep.tried("later save", harm, number, 0, tally)
    assert tally.tried
    assert not tally.wrong


@pytest.mark.parametrize("harm", ["later", "409", "killed after"])
def test_the_commit_of_the_same_number_again_is_as_safe(sweep, harm):
    tally = remote.Tally()
    count = sweep.requests("same number again")
    for number in range(count // 2, count // 2 + 2):
        sweep.tried("same number again", harm, number, 0, tally)
    assert not tally.wrong


def test_a_removal_that_the_store_denies_having_had_is_not_believed(sweep):
    tally = remote.Tally()
    for number in (2, 3, 4):
        sweep.tried("clean-up", "404", number, 0, tally)
    assert not tally.wrong


def test_one_of_eight_processes_holds_a_prefix():
    assert list(remote_races.races(4, 8)) == [None] * 4
