"""How rekindle keeps R's interrupts out of Python's frames, with flags that stand for R's."""

import ctypes
import sys
import time
import types

import pytest

from rekindle._r import session
from rekindle._r.session import Uninterrupted


@pytest.fixture
def flags(monkeypatch):
    stand_for_those_of_r = session._Flags(ctypes.c_ubyte(0), ctypes.c_int(0))
    monkeypatch.setattr(session, "_flags", lambda: stand_for_those_of_r)
    return stand_for_those_of_r


@pytest.fixture(params=[0, 1])
def before(request, flags):
    flags.suspended.value = request.param
    return request.param


class TestUninterrupted:
    def test_interrupts_are_suspended_during_the_call_and_then_as_before(self, flags, before):
        function = Uninterrupted(lambda *args, **kwargs: (flags.suspended.value, args, kwargs))
        assert function(1, b=2) == (1, (1,), {"b": 2})
        assert flags.suspended.value == before

    def test_they_are_as_before_after_an_error_too(self, flags, before):
        def fails():
            raise RuntimeError(flags.suspended.value)

        with pytest.raises(RuntimeError, match="1"):
            Uninterrupted(fails)()
        assert flags.suspended.value == before

    def test_one_that_came_meanwhile_is_pythons_after_the_call(self, flags):
        ended = []

        def interrupted():
            flags.pending.value = 1
            time.sleep(0.01)
            ended.append(True)

        def training():
            Uninterrupted(interrupted)()
            time.sleep(5)

        with pytest.raises(KeyboardInterrupt):
            training()
        assert ended

    def test_within_another_such_function_it_waits_for_the_end_of_that_one(self, flags):
        flags.suspended.value = flags.pending.value = 1
        Uninterrupted(lambda: None)()
        time.sleep(0.05)

    def test_without_r_the_function_is_called_as_it_is(self):
        assert session._flags() is None
        assert Uninterrupted(lambda x: x + 1)(1) == 2


class TestOlderReticulate:
    @pytest.fixture
    def signals(self, monkeypatch):
        module = types.SimpleNamespace(_callback=lambda reset: pytest.fail("asks R"))
        monkeypatch.setitem(sys.modules, "rpytools.signals", module)
        return module

    def test_r_is_looked_at_and_not_asked(self, signals, flags):
        session.keep_interrupts()
        assert not signals._callback(False)
        flags.pending.value = 1
        assert signals._callback(False)
        assert not signals._callback(True)
        assert flags.pending.value == 0

    def test_what_is_suspended_stays_pending(self, signals, flags):
        session.keep_interrupts()
        flags.suspended.value = flags.pending.value = 1
        assert not signals._callback(False)
        assert not signals._callback(True)
        assert flags.pending.value == 1

    def test_where_r_cannot_be_looked_at_all_stays_as_it_is(self, signals):
        before = signals._callback
        session.keep_interrupts()
        assert signals._callback is before

    @pytest.mark.parametrize("module", [None, types.SimpleNamespace()])
    def test_a_newer_one_has_nothing_of_it(self, monkeypatch, flags, module):
        monkeypatch.setitem(sys.modules, "rpytools.signals", module)
        session.keep_interrupts()
        assert not hasattr(module, "_callback")


class TestWhereExceptionsGoNoFurther:
    @pytest.fixture
    def ignored(self, monkeypatch):
        """The exceptions that reach the hook which was set before."""
        found = []
        monkeypatch.setattr(sys, "unraisablehook", lambda one: found.append(one.exc_type))
        return found

    @staticmethod
    def destroy(exception):
        class Fails:
            def __del__(self):
                raise exception

        Fails()

    @staticmethod
    def train():
        for _ in range(6000):
            time.sleep(0.01)

    def test_an_interrupt_is_pending_again_and_raised_where_it_goes_further(self, flags, ignored):
        session.keep_interrupts()
        self.destroy(KeyboardInterrupt())
        assert flags.pending.value == 1
        with pytest.raises(KeyboardInterrupt):
            self.train()
        flags.pending.value = 0
        assert ignored == []

    def test_all_else_goes_to_the_hook_that_was_there_before(self, flags, ignored):
        session.keep_interrupts()
        self.destroy(ValueError())
        assert flags.pending.value == 0
        assert ignored == [ValueError]

    def test_the_hook_is_installed_once(self, flags, ignored):
        session.keep_interrupts()
        installed = sys.unraisablehook
        session.keep_interrupts()
        assert sys.unraisablehook is installed

    def test_where_r_cannot_be_looked_at_all_stays_as_it_is(self, ignored):
        before = sys.unraisablehook
        session.keep_interrupts()
        assert sys.unraisablehook is before
