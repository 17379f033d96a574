"""What a custom training loop reports to its manager, and what a resumed loop makes of it."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from every_framework import tf
from programs import ENVIRONMENT

import rekindle
from rekindle import inspection

LOOP = pathlib.Path(__file__).parent / "loops" / "witness_loop.py"


def run(folder, framework, kill=0, *, keeps_data=True):
    done = subprocess.run(
        [sys.executable, str(LOOP), str(folder), framework, str(kill), str(int(keeps_data))],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
    return done


@pytest.mark.parametrize("framework", ["numpy", "jax", "torch"])
def test_a_loop_killed_and_resumed_is_verified(home, framework):
    run(home, framework, kill=17)
    done = run(home, framework)
    report = json.loads(done.stdout)
    assert (report["number"], report["evidence"], report["notes"]) == (1, "verified", [])
    # Steps 11 to 17. The killed loop may not have noted what a device had not computed yet.
    least = 7 if framework == "numpy" else 1
    assert least <= report["compared"]["batches"] <= 7
    assert least <= report["compared"]["losses"] <= 7
    assert report["compared"]["largest"] == 0
    assert "Warning" not in done.stderr
    newest = inspection.info(home).saves[-1].evidence
    assert (newest["number"], newest["evidence"]) == (1, "verified")


def test_a_loop_that_does_not_restore_its_place_in_the_data_is_told(home):
    run(home, "numpy", kill=17, keeps_data=False)
    done = run(home, "numpy", keeps_data=False)
    report = json.loads(done.stdout)
    assert report["evidence"] == "differs"
    assert report["notes"] == ["from step 11 on, the data is not that of the interrupted run"]
    assert "InexactWarning: The resumed run differs" in done.stderr
    assert inspection.info(home).saves[-1].evidence["evidence"] == "differs"


class Loop:
    """A loop in this process. Its losses are 100, 101, ... plus `off`, from step `wrong` on."""

    def __init__(self, home, **more):
        self.checkpoint = rekindle.Checkpoint(step=0)
        self.manager = rekindle.CheckpointManager(self.checkpoint, home, 2, **more)
        self.manager.restore_or_initialize()

    def train(self, until, *, wrong=99, off=1e-9, save_at=4, batch=None):
        while self.checkpoint.step < until:
            self.checkpoint.step += 1
            step = self.checkpoint.step
            loss = 100 + step + (off if step >= wrong else 0)
            data = np.full(3, step) if batch is None else batch(step)
            self.manager.witness(step, batch=data, loss=loss)
            if step == save_at:
                self.manager.save()
        return self.manager.resume_report

    def left(self, home):
        """The folder, as a kill leaves it at this moment."""
        self.manager._checkpointer.storage.release()
        return home


def killed(home, until=9, **more):
    loop = Loop(home, **more)
    loop.train(until)
    return loop.left(home)


def test_a_loop_that_began_afresh_has_no_report(home):
    loop = Loop(home)
    assert loop.train(9) is None
    loop.manager.close()
    assert loop.manager.resume_report is None


def test_a_loop_that_reports_no_step_has_no_file(home):
    checkpoint = rekindle.Checkpoint(step=0)
    with rekindle.CheckpointManager(checkpoint, home, 2) as manager:
        manager.save()
    assert "ckpt.witness" not in os.listdir(home)
    with rekindle.CheckpointManager(checkpoint, home, 2) as manager:
        manager.restore_or_initialize()
        manager.save()
        assert manager.resume_report["evidence"] == "unverified"
    assert "ckpt.witness" not in os.listdir(home)
    assert inspection.info(home).saves[-1].evidence == {}


def test_before_the_first_checkpoint_there_is_nothing_to_resume(home):
    loop = Loop(home)
    loop.train(3)
    assert not os.path.exists(home)


def test_the_first_difference_is_told_once(home):
    killed(home)
    loop = Loop(home)
    with pytest.warns(rekindle.InexactWarning) as caught:
        report = loop.train(9, wrong=6)
    assert len(caught) == 1
    assert report["evidence"] == "differs"
    assert report["notes"] == ["from step 6 on, the loss is not that of the interrupted run"]
    assert (report["compared"]["batches"], report["compared"]["losses"]) == (2, 1)
    # The next loop is compared with this one.
    loop.left(home)
    assert Loop(home).train(9, wrong=6)["evidence"] == "verified"


def test_a_difference_can_raise_and_the_checkpoints_stay(home):
    killed(home)
    loop = Loop(home, on_difference="raise")
    with pytest.raises(rekindle.MismatchError, match="from step 6 on, the loss") as caught:
        loop.train(9, wrong=6)
    assert len(caught.value.differences) == 1
    assert loop.manager.resume_report["evidence"] == "differs"
    loop.manager.close()
    assert latest(home) == "ckpt-1"


def latest(home):
    return os.path.basename(rekindle.latest_checkpoint(home))


def test_a_difference_can_be_noted_only_and_losses_may_be_near(home):
    killed(home)
    loop = Loop(home, on_difference="ignore")
    assert loop.train(9, wrong=6)["evidence"] == "differs"
    loop.manager.clear()
    killed(home)
    report = Loop(home, on_difference=rekindle.Tolerance(1e-6)).train(9, wrong=6)
    assert report["evidence"] == "verified"
    assert 1e-12 < report["compared"]["largest"] < 1e-10


def test_without_data_only_losses_are_compared_and_the_other_way_round(home):
    killed(home)
    loop = Loop(home)
    loop.manager.witness(5, loss=105)
    loop.manager.witness(6, batch=np.full(3, 6))
    compared = loop.manager.resume_report["compared"]
    assert (compared["losses"], compared["batches"]) == (1, 1)


def test_a_batch_may_be_of_numbers_and_texts(home):
    def batch(step):
        return [{"question": "why?", "weight": 0.5, "rows": [step, 3]}, None]

    loop = Loop(home)
    loop.train(9, batch=batch)
    loop.left(home)
    loop = Loop(home)
    with pytest.warns(rekindle.InexactWarning, match="from step 7 on, the data"):
        loop.train(9, batch=lambda step: batch(step if step != 7 else 8))
    assert loop.manager.resume_report["compared"]["batches"] == 2


def test_a_loop_that_begins_afresh_forgets_the_notes_of_another(home):
    killed(home)
    fresh = rekindle.Checkpoint(step=0)
    manager = rekindle.CheckpointManager(fresh, home, 2, checkpoint_name="fresh")
    manager.save()
    manager.witness(1, loss=3.0)
    manager._checkpointer.storage.release()
    loop = Loop(home)
    loop.manager.witness(5, loss=3.0)
    assert loop.manager.resume_report["evidence"] == "unverified"


def test_after_close_the_next_save_begins_new_notes(home):
    loop = Loop(home)
    loop.train(6)
    loop.manager.close()
    loop.manager.witness(7, loss=5.0)
    loop.manager.save()
    loop.manager.witness(8, loss=108)
    loop.left(home)
    loop = Loop(home)
    loop.manager.witness(7, loss=107)
    assert loop.manager.resume_report["evidence"] == "unverified"
    loop.manager.witness(8, loss=108)
    assert loop.manager.resume_report["evidence"] == "verified"


def test_a_step_may_be_a_variable(home):
    killed(home)
    loop = Loop(home)
    loop.manager.witness(tf.Variable(5, dtype="int64"), loss=tf.constant(105.0))
    assert loop.manager.resume_report["compared"]["losses"] == 1


@pytest.mark.parametrize("value", [-1, 1.5, None, "5", True, np.array([1, 2])])
def test_a_step_is_a_whole_number(home, value):
    with pytest.raises(rekindle.ArgumentError, match="`step`"):
        Loop(home).manager.witness(value, loss=1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", object()),
        ("batch", [np.zeros(2), {"x": len}]),
        ("loss", "low"),
        ("loss", True),
        ("loss", np.zeros(2)),
        ("loss", [1.0]),
    ],
)
def test_a_value_that_could_never_be_compared_is_refused(home, name, value):
    loop = Loop(home)
    loop.manager.save()
    with pytest.raises(rekindle.ArgumentError, match=f"`{name}`"):
        loop.manager.witness(1, **{name: value})


@pytest.mark.parametrize("value", ["error", None, True, 1e-5])
def test_what_to_do_at_a_difference_is_checked(home, value):
    with pytest.raises(rekindle.ArgumentError, match="on_difference"):
        Loop(home, on_difference=value)
