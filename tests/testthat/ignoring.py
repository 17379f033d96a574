"""Code whose exceptions Python ignores, hit by an interrupt; for test-interrupts.R."""

import gc
import os
import signal
import time
import weakref


def interrupt(*ignored):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        pass


class Destroyed:
    def __del__(self):
        interrupt()


def in_a_destructor():
    Destroyed()


def in_a_finalizer():
    class Object:
        pass

    weakref.finalize(Object(), interrupt)


def in_the_garbage_collector():
    # Once: the next collection is to be left alone.
    def callback(phase, info):
        gc.callbacks.remove(callback)
        interrupt()

    gc.callbacks.append(callback)
    gc.collect()


def go_on_after(function):
    function()
    for _ in range(6000):
        time.sleep(0.01)
