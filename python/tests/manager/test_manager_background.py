"""Saving in the background: save() returns early, and saves the state at that moment."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import programs
import pytest

import rekindle
from rekindle import Checkpoint, CheckpointManager


def test_save_returns_before_and_sync_after_the_save_is_durable(home, gate):
    checkpoint = Checkpoint(w=np.zeros(3))
    manager = CheckpointManager(checkpoint, home, 3, background=True)
    assert manager.save() == f"{home}/ckpt-1"
    assert gate.reached.wait(600)
    assert manager.latest_checkpoint is None
    assert manager.checkpoints == []
    assert checkpoint.save_counter == 0
    assert manager._checkpointer.poll() is None
    assert rekindle.latest_checkpoint(home) is None
    gate.opened.set()
    assert manager.sync() is None
    assert manager.checkpoints == [manager.latest_checkpoint] == [f"{home}/ckpt-1"]
    assert checkpoint.save_counter == 1
    assert rekindle.latest_checkpoint(home) == f"{home}/ckpt-1"
    assert threading.main_thread() not in gate.threads
    manager.close()


def test_without_it_nothing_is_done_on_another_thread(home, gate):
    gate.opened.set()
    with CheckpointManager(Checkpoint(w=1), home, 3) as manager:
        manager.save()
    assert gate.threads == {threading.main_thread()}
    assert manager.waited == 0.0


def test_at_most_one_save_is_written_at_a_time(home, gate):
    checkpoint = Checkpoint(w=np.zeros(3))
    with CheckpointManager(checkpoint, home, 3, background=True) as manager:
        manager.save()
        assert gate.reached.wait(600)
        done = manager._checkpointer._writer._thread._done
        wait = done.wait
        done.wait = lambda: gate.opened.set() or wait()
        checkpoint.w[:] = 2.0
        assert manager.save() == f"{home}/ckpt-2"
        # To reach this line, it had to wait for the first save.
        assert gate.opened.is_set()
        assert manager.waited > 0
        assert manager.latest_checkpoint == f"{home}/ckpt-1" or checkpoint.save_counter == 2
    assert manager.checkpoints == [f"{home}/ckpt-1", f"{home}/ckpt-2"]
    assert [Checkpoint.read(path)["w"][0] for path in manager.checkpoints] == [0.0, 2.0]


def test_the_interval_counts_from_a_save_that_is_still_being_written(home, gate):
    checkpoint = Checkpoint(step=0)
    more = {"step_counter": "step", "checkpoint_interval": 2, "background": True}
    with CheckpointManager(checkpoint, home, 3, **more) as manager:
        assert manager.save() == f"{home}/ckpt-1"
        assert manager.save() is None
        checkpoint.step = 1
        assert manager.save() is None
        gate.opened.set()
        checkpoint.step = 2
        assert manager.save() == f"{home}/ckpt-2"


def test_a_write_callback_is_called_on_the_callers_thread_when_the_save_is_durable(home, gate):
    import tensorflow as tf

    called = []

    def note(path):
        called.append((path, threading.current_thread(), rekindle.latest_checkpoint(home)))

    options = tf.train.CheckpointOptions(experimental_write_callbacks=[note])
    with CheckpointManager(Checkpoint(w=1), home, 3, background=True) as manager:
        path = manager.save(options=options)
        assert called == []
        gate.opened.set()
        manager.sync()
        assert called == [(path, threading.main_thread(), path)]


FORK = """
    import os, sys, threading
    import numpy as np
    import rekindle
    from rekindle._storage.local import fs

    opened, sync = threading.Event(), fs.sync
    def slow(fd):
        assert opened.wait(600)
        sync(fd)
    fs.sync = slow

    checkpoint = rekindle.Checkpoint(w=np.zeros(3))
    manager = rekindle.CheckpointManager(checkpoint, sys.argv[1], 3, background=True)
    manager.save()
    pid = os.fork()
    if pid == 0:
        # Has the object, and neither the thread nor the folder.
        manager.sync()
        print("child", manager.checkpoints, manager.latest_checkpoint, flush=True)
        try:
            manager.save()
            manager.sync()
        except (rekindle.LockError, rekindle.SaveError) as error:
            print("child", type(error).__name__, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    opened.set()
    manager.sync()
    print("parent", manager.checkpoints == [sys.argv[1] + "/ckpt-1"], flush=True)
    manager.close()
"""


def test_a_forked_child_neither_waits_for_the_save_nor_writes(home):
    assert programs.run(FORK, home).splitlines() == [
        "child [] None",
        "child LockError",
        "parent True",
    ]


END = """
    import sys
    import numpy as np
    import rekindle

    manager = rekindle.CheckpointManager(
        rekindle.Checkpoint(w=np.zeros(2_000_000)), sys.argv[1], 3, background=True
    )
    manager.save()
"""


def test_a_program_that_ends_right_after_save_has_saved(home):
    programs.run(END, home)
    assert rekindle.latest_checkpoint(home) == f"{home}/ckpt-1"


@pytest.mark.parametrize("way", ["waited for", "past the cache", "refused past the cache"])
@pytest.mark.parametrize("ending", ["pass", "sys.exit(3)", "raise KeyError('the program fails')"])
def test_a_program_that_ends_without_close_leaves_nothing_but_its_saves(home, ending, way):
    program = programs.start(
        """
        import os, sys
        import numpy as np
        from rekindle import Checkpoint, CheckpointManager
        from rekindle._storage.local import fs
        if sys.argv[3] == "refused past the cache":
            fs.set_direct = lambda fd, direct: not direct
        checkpoint = Checkpoint(w=np.zeros(5 << 20, np.float32))
        background = sys.argv[3] != "waited for"
        manager = CheckpointManager(checkpoint, sys.argv[1], 1, background=background)
        for step in range(3):
            checkpoint.w[:] = step
            manager.save()
        manager.sync()
        print(*(name for name in os.listdir(sys.argv[1]) if name.endswith(".tmp")))
        exec(sys.argv[2])
        """,
        home,
        ending,
        way,
    )
    printed, _ = program.communicate(timeout=600)
    # Large packs are written over old ones, so there is one more file until the end.
    if sys.platform == "linux":
        assert printed == ".rekindle-ckpt-2.safetensors.tmp\n"
    assert sorted(os.listdir(home)) == [".lock", "checkpoint", "ckpt-3.json", "ckpt-3.safetensors"]
    assert Checkpoint.read(f"{home}/ckpt-3")["w"][0] == 2.0
