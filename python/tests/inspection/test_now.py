"""What a run is doing now, seen from outside, with a clock of the test's own."""

from __future__ import annotations

import os

import pytest
from backups import everything_in, fill, flip
from looked_at import commit
from pulses import THEN, pulse, write

import rekindle
from rekindle import inspection
from rekindle._inspection import words
from rekindle._inspection.now import Watcher
from rekindle._saving.attempts import Attempt, Attempts


class TestPlace:
    """Where the run is."""

    def test_between_checkpoints_the_pulse_says_it(self, home, watcher, lock, clock):
        fill(home, 2)
        write(home, pulse(2, 4, 0.0))
        found = watcher.look()
        assert (found.state, found.epoch, found.batch) == ("running", 2, 4)
        assert (found.epochs, found.batches, found.loss, found.attempt) == (5, 10, 0.5, 1)
        assert (found.checkpoint, found.holder.pid) == ("ckpt-2", 42)
        write(home, pulse(2, 9, 1.0))
        assert watcher.look().batch == 9

    def test_a_checkpoint_of_this_attempt_may_be_further_than_the_pulse(self, home, watcher, lock):
        state = Attempts((Attempt(1),), 5, 10).as_state()
        home.mkdir()
        commit(home, 0.5, (2, 7), state=state)
        write(home, pulse(2, 4, 0.0))
        found = watcher.look()
        assert (found.epoch, found.batch, found.seen) == (2, 7, THEN + 0.5)

    def test_a_pulse_of_the_attempt_before_says_nothing_of_this_one(self, home, watcher, lock):
        fill(home, 2)
        write(home, pulse(2, 9, 0.0))
        lock.started = THEN + 60
        found = watcher.look()
        assert (found.epoch, found.batch, found.attempt, found.loss) == (2, 0, 2, None)

    def test_before_its_first_batch_a_run_has_no_place(self, home, watcher, lock):
        home.mkdir()
        found = watcher.look()
        assert (found.state, found.epoch) == ("running", None)
        assert words.parts(found)[0] == "started, and has not trained yet"

    def test_of_a_manager_the_steps_of_its_checkpoints(self, home, watcher, lock):
        commit(home, 0.0, (None, None), step=100, prefix="model")
        assert watcher.look().step == 100
        commit(home, 20.0, (None, None), step=150, prefix="model")
        found = watcher.look()
        assert (found.step, found.epoch, found.checkpoint) == (150, None, "model-2")
        assert found.speed == pytest.approx(2.5)
        assert words.parts(found)[:2] == ["step 150", "2.5 steps/s"]

    def test_of_several_checkpoints_the_newest_even_if_a_manifest_is_damaged(
        self, home, watcher, lock
    ):
        fill(home, 3)
        flip(home / "ckpt-3.json")
        assert watcher.look().checkpoint == "ckpt-2"


class TestState:
    """Whether there is a run, and how it ended."""

    def test_it_waits_for_a_folder_and_for_a_run_in_it(self, home, watcher, lock):
        assert watcher.look().state == "waiting"
        home.mkdir()
        lock.held = False
        assert watcher.look().state == "waiting"
        assert words.parts(watcher.look()) == [f"waiting for a run to begin in {home}"]
        lock.held = True
        assert watcher.look().state == "running"

    def test_a_folder_that_could_not_be_made_is_refused(self, tmp_path):
        with pytest.raises(rekindle.ArgumentError, match="could make it in"):
            Watcher(tmp_path / "no" / "backup")

    @pytest.mark.parametrize(
        ("said", "state", "told"),
        [
            ("complete", "finished", "The run has finished: all 5 epochs done."),
            ("preempted", "preempted", "The run was asked to end. It has saved, and ended: all"),
            ("stopped", "stopped", "The run was stopped by an error or by its user: all"),
            ("running", "died", "The process of the run is gone, and the run was not complete:"),
        ],
    )
    def test_once_no_process_has_the_lock_the_pulse_says_how(
        self, home, watcher, lock, said, state, told
    ):
        fill(home, 2)
        lock.held = False
        write(home, pulse(5, 0, 0.0, state=said))
        found = watcher.look()
        assert (found.state, found.is_over) == (state, True)
        assert words.ending(found).startswith(told)

    def test_without_a_pulse_nothing_says_how(self, home, watcher, lock):
        fill(home, 2)
        lock.held = False
        found = watcher.look()
        assert found.state == "ended"
        assert words.ending(found).endswith("The same script resumes from ckpt-2.")

    def test_a_backup_that_is_removed_while_it_is_locked_is_that_of_a_complete_run(
        self, home, watcher, lock
    ):
        home.mkdir()
        write(home, pulse(4, 9, 0.0))
        assert watcher.look().state == "running"
        (home / "ckpt.witness").unlink()
        lock.held = False
        found = watcher.look()
        assert (found.state, found.epoch) == ("finished", 4)
        home.rmdir()
        assert watcher.look().state == "finished"
        assert words.ending(found).endswith("last seen here: epoch 5 of 5, batch 9 of 10.")

    def test_where_locks_cannot_be_seen_it_goes_on_until_the_pulse_says_so(
        self, home, watcher, lock
    ):
        home.mkdir()
        lock.held = None
        write(home, pulse(4, 9, 0.0))
        assert watcher.look().state == "unseen"
        write(home, pulse(5, 0, 1.0, state="complete"))
        assert watcher.look().state == "finished"


class TestFolder:
    """What looking does to the folder, and what the folder can do to looking."""

    def test_nothing_is_written_and_no_pack_is_read(self, home, watcher, lock, monkeypatch):
        fill(home, 2)
        write(home, pulse(2, 4, 0.0))
        before, read, opened = everything_in(home), [], os.open

        def watched_open(path, *more, **others):
            read.append(os.path.basename(path))
            return opened(path, *more, **others)

        monkeypatch.setattr(os, "open", watched_open)
        for _ in range(3):
            watcher.look()
        monkeypatch.setattr(os, "open", opened)
        assert everything_in(home) == before
        assert not [name for name in read if str(name).endswith(".safetensors")]

    def test_a_manifest_is_read_once(self, home, watcher, lock, monkeypatch):
        fill(home, 2)
        watcher.look()
        sizes, read = [], watcher._storage.read
        monkeypatch.setattr(watcher._storage, "read", lambda *one: sizes.append(one) or read(*one))
        watcher.look()
        assert sizes == []

    @pytest.mark.parametrize("data", [b"", b"mine", b'{"rekindle_witness":1}\n', bytes(10_000)])
    def test_a_witness_in_any_state_is_one_that_is_not_there(self, home, watcher, lock, data):
        fill(home, 1)
        (home / "ckpt.witness").write_bytes(data)
        assert watcher.look().epoch == 1

    def test_a_folder_of_the_names_does_not_matter(self, home, watcher, lock):
        (home / "ckpt.witness").mkdir(parents=True)
        (home / "ckpt-1.json").mkdir()
        assert watcher.look().state == "running"

    def test_names_of_metrics_are_printed_harmlessly_and_few(self, home, watcher, lock):
        metadata = {f"\x1b[2J{index}": 1.0 for index in range(100)}
        fill(home, 1, state={"metadata": metadata})
        line = "".join(words.parts(watcher.look()))
        assert "\x1b" not in line
        assert len(line) < 300

    @pytest.mark.parametrize("metadata", [5, [], {"loss": {"$": ["array", "x"]}}, {"loss": {}}])
    def test_metrics_that_are_none_are_left_out(self, home, watcher, lock, metadata):
        fill(home, 1, state={"metadata": metadata})
        assert watcher.look().metrics == {}


def test_watch_yields_until_the_run_has_ended(home):
    fill(home, 2)
    assert [now.state for now in inspection.watch(home, every=0.01)] == ["ended"]


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), "1", True, None])
def test_every_is_a_number_of_seconds(home, every):
    with pytest.raises(rekindle.ArgumentError, match="every"):
        inspection.watch(home, every=every)
