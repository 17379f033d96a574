"""One start of the command: its processes, from the first to the last."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from rekindle._supervisor import guard
from rekindle._supervisor.output import Output
from rekindle._supervisor.signals import Signals

# In seconds: the time between two checks of things that send no event (normal and brief), and the
# time that processes get to end if the command left them running.
_GLANCE = 1.0
_BRIEF = 0.05
_LEFT_RUNNING = 2.0

_CHUNK = 65536
# The most chunks that a pipe holds when the command has ended.
_REST = 64

_PR_SET_PDEATHSIG = 1


class Guard:
    """The process that ends the command's processes if this one dies; see :mod:`guard`."""

    def __init__(self, report: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, report],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A signal to the supervisor's process group must not reach the guard.
            start_new_session=True,
        )

    def tell(self, group: int) -> None:
        """Tells the guard the command's process group; 0 if there is none."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.write(b"%d\n" % group)
            self._process.stdin.flush()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait()


class Child:
    """The started command. It has its own session, so that a signal reaches each process once.

    Args:
        command: The program and its arguments.
        variables: The variables that its environment has beside those of the supervisor.
        output: Takes the command's output, if there is a log. Else the command writes to the
            supervisor's own standard output and error.
        watch: The guard. It gets the command's process group.

    Raises:
        OSError: The system cannot start the command.
    """

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        output: Output,
        watch: Guard,
    ) -> None:
        self._output = output
        self._guard = watch
        environment = {**os.environ, **variables}
        pipe = subprocess.PIPE if output.is_kept else None
        if output.is_kept:
            # Python buffers the output to a pipe. A killed Python would lose what is in the buffer.
            environment.setdefault("PYTHONUNBUFFERED", "1")
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            preexec_fn=_dies_with_parent(),
        )
        self.pid = self._process.pid
        watch.tell(self.pid)

    def send(self, number: int) -> None:
        """Sends a signal to every process of the command."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(
        self,
        signals: Signals,
        on_signal: Callable[[int], None],
        glance: Callable[[], None],
        is_asked: Callable[[int], bool],
    ) -> int:
        """Waits for the command's end. Returns the status as a shell has it. No process is left.

        Args:
            signals: The source of signals.
            on_signal: Called with each signal.
            glance: Called about once a second.
            is_asked: Returns whether an end with this status was asked for. If so, the processes
                that the command left running, such as the training of a shell script, are ending by
                themselves, and this method waits for them. Else this method ends them.
        """
        pipes = {
            stream.fileno(): fd
            for stream, fd in ((self._process.stdout, 1), (self._process.stderr, 2))
            if stream is not None
        }
        for pipe in pipes:
            os.set_blocking(pipe, False)
        with selectors.DefaultSelector() as selector:
            selector.register(signals.fd, selectors.EVENT_READ)
            while self._process.poll() is None or (is_asked(self.status) and self._is_left()):
                is_brief = self._hold_back(selector, pipes) or self._process.returncode is not None
                for key, _ in selector.select(_BRIEF if is_brief else _GLANCE):
                    if key.fd == signals.fd:
                        for number in signals.taken():
                            on_signal(number)
                    elif not self._pass_through(key.fd, pipes[key.fd]):
                        selector.unregister(key.fd)
                        del pipes[key.fd]
                glance()
        self.end()
        self._pass_rest_through(pipes)
        return self.status

    def _hold_back(self, selector: selectors.BaseSelector, pipes: Mapping[int, int]) -> bool:
        """Listens only to pipes that can be passed through now. Returns whether there are others.

        For these others, the command waits for the reader of its output, as it does without the
        supervisor.
        """
        listened = selector.get_map()
        held = [pipe for pipe, fd in pipes.items() if not self._output.accepts(fd)]
        for pipe in pipes:
            if pipe in held and pipe in listened:
                selector.unregister(pipe)
            elif pipe not in held and pipe not in listened:
                selector.register(pipe, selectors.EVENT_READ)
        return bool(held)

    def _pass_rest_through(self, pipes: Mapping[int, int]) -> None:
        for pipe, fd in pipes.items():
            # Not for ever: a process that has left the group may still hold the pipe, and go on
            # writing.
            for _ in range(_REST):
                if not self._pass_through(pipe, fd, last=True):
                    break
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def status(self) -> int:
        """The status of the started program, once it has ended: exit code, or 128 + a signal."""
        code: int = self._process.returncode
        return 128 - code if code < 0 else code

    def _pass_through(self, pipe: int, fd: int, *, last: bool = False) -> bool:
        """Passes one chunk through. Returns whether there may be more."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            # At the end, only a process that has left the group can still hold the pipe.
            return not last
        self._output.pass_through(fd, data)
        return bool(data)

    def end(self) -> None:
        """Ends the processes that are left: asks them first, waits a moment, and then kills."""
        self.send(signal.SIGTERM if self._process.poll() is not None else signal.SIGKILL)
        self._process.wait()
        if not self._is_gone():
            self.send(signal.SIGKILL)
            # Until they are gone, they hold memory and files that the next start may need.
            self._is_gone()
        self._guard.tell(0)

    def _is_gone(self) -> bool:
        """Waits a moment, if necessary. Returns whether no process of the command is left."""
        deadline = time.monotonic() + _LEFT_RUNNING
        while self._is_left():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def _is_left(self) -> bool:
        # The first process of a container inherits orphans. If this is that process, it must reap
        # them, or they would count as left. The program itself was waited for before.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _dies_with_parent() -> Callable[[], None] | None:
    """Makes Linux kill the command when the supervisor dies; ``None`` on another system.

    The guard does the same, but not in the moment before it knows the command, and not if the guard
    itself is killed, too.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    supervisor = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)

    return ask
