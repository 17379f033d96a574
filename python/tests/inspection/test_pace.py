"""How fast a run goes, and what is left of it, with a clock of the test's own."""

from __future__ import annotations

import pytest
from looked_at import commit
from pulses import THEN, pulse, write

from rekindle._inspection import words
from rekindle._saving.attempts import Attempt, Attempts


class TestPace:
    """Speed, and what is left."""

    def test_it_is_that_of_the_last_minute(self, home, watcher, lock, clock):
        home.mkdir()
        for second in range(100):
            # The first half is slow, and longer ago than a minute in the end.
            place = 0.1 * second if second < 40 else 4 + 2 * (second - 40)
            write(home, pulse(int(place) // 10, int(place) % 10, second, epochs=20))
            clock.now = THEN + second
            found = watcher.look()
        assert found.speed == pytest.approx(2.0, rel=0.05)
        assert found.left == pytest.approx((200 - 122) / 2, rel=0.1)

    def test_at_the_first_look_it_is_that_since_the_checkpoint(self, home, watcher, lock, clock):
        state = Attempts((Attempt(1),), 5, 10).as_state()
        home.mkdir()
        commit(home, 0.0, (1, 0), state=state)
        write(home, pulse(1, 8, 4.0))
        clock.now = THEN + 5
        found = watcher.look()
        assert found.speed == 2.0
        assert found.left == pytest.approx(32 / 2 - 1)

    def test_a_checkpoint_of_an_attempt_before_says_nothing_of_it(self, home, watcher, lock):
        home.mkdir()
        commit(home, 0.0, (1, 0))
        lock.started = THEN + 1
        write(home, pulse(1, 8, 4.0, attempt=2))
        assert watcher.look().speed is None

    def test_without_the_number_of_batches_there_is_speed_within_an_epoch_and_no_end(
        self, home, watcher, lock
    ):
        home.mkdir()
        for epoch, batch, second in ((0, 5, 0), (0, 9, 2), (1, 1, 3)):
            write(home, pulse(epoch, batch, second, batches=None))
            found = watcher.look()
            assert found.left is None
            assert found.speed == (2.0 if batch == 9 else None)

    def test_a_run_that_stands_still_is_said_to(self, home, watcher, lock, clock):
        home.mkdir()
        write(home, pulse(0, 5, 0.0))
        assert not any("no batch" in part for part in words.parts(watcher.look()))
        clock.now += 300
        assert "no batch for 5 min" in words.parts(watcher.look())

    def test_an_attempt_that_resumes_begins_a_new_measurement(self, home, watcher, lock):
        home.mkdir()
        for place, second, attempt in ((5, 0, 1), (9, 1, 1), (2, 100, 2), (4, 104, 2)):
            write(home, pulse(0, place, second, attempt=attempt))
            lock.started = THEN - 1 if attempt == 1 else THEN + 99.5
            found = watcher.look()
        assert found.speed == 0.5
        assert words.speed(found) == "2 s per batch"
