"""The objects between Keras and the data."""

from __future__ import annotations

import _thread
import multiprocessing
import queue
import threading
import warnings

import pytest

from rekindle._training.data_proxy import Proxy


class _Deaf:
    """Receives every event, and ignores it."""

    looks_for_draws = False

    def made(self):
        pass

    def first_read(self):
        pass

    def has_read(self, batch, *, drew):
        pass


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no process forks here"
)
def test_workers_that_a_thread_of_another_language_forks_end_well():
    # The workers of a DataLoader are forked like this: with the first batch, in TensorFlow's
    # threads.
    def exit_codes():
        worker = multiprocessing.get_context("fork").Process(target=int)
        worker.start()
        worker.join()
        yield worker.exitcode

    def read():
        # This call registers the thread as one that Python did not start.
        threading.current_thread()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.put(list(Proxy(_Deaf(), exit_codes(), reports_making=False)))

    found = queue.Queue()
    _thread.start_new_thread(read, ())
    assert found.get(timeout=600) == [0]
