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

# Seconds between two looks at what nobody tells of; and for the end of what is left running.
_GLANCE = 1.0
_BRIEF = 0.05
_LEFT_RUNNING = 2.0

_CHUNK = 65536
# How many chunks a pipe holds at its end, at most.
_REST = 64

_PR_SET_PDEATHSIG = 1


class Guard:
    """The process that ends the command's when this one dies; see :mod:`guard`."""

    def __init__(self, report: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, report],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What is done to the runner's group must not be done to it.
            start_new_session=True,
        )

    def tell(self, group: int) -> None:
        """The command's process group, 0 when there is none."""
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
    """The command, started: a session of its own, so that a signal reaches each process once.

    Args:
        command: The program and its arguments.
        variables: What its environment has beside the runner's.
        output: Where its output goes when it is kept; else it has the runner's own.
        watch: Told of its process group.

    Raises:
        OSError: The system cannot start it.
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
            # A killed Python would take with it what stands in the buffer that a pipe gets.
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
        """Waits for its end: the status as a shell has it. No process of it is left then.

        Args:
            signals: Where signals come from.
            on_signal: Called with each.
            glance: Called about once a second.
            is_asked: Whether an end with this status was asked for. What the command has left
                running, such as the training that a shell script had started, is then ending by
                itself and is waited for; else it is ended.
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
        """Listens to the pipes that can be passed through now: whether there are others.

        The command then waits for the reader of its output, as it does without the runner.
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
            # Not for ever: what has left the group may still hold the pipe, and go on writing.
            for _ in range(_REST):
                if not self._pass_through(pipe, fd, last=True):
                    break
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def status(self) -> int:
        """Of the program that was started, once it has ended: its exit code, or 128 + a signal."""
        code: int = self._process.returncode
        return 128 - code if code < 0 else code

    def _pass_through(self, pipe: int, fd: int, *, last: bool = False) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            # At the end, only a process that has left the group can still hold the pipe.
            return not last
        self._output.pass_through(fd, data)
        return bool(data)

    def end(self) -> None:
        """Ends what is left of its processes: asked first, for a moment, and then killed."""
        self.send(signal.SIGTERM if self._process.poll() is not None else signal.SIGKILL)
        self._process.wait()
        if not self._is_gone():
            self.send(signal.SIGKILL)
            # Until then they hold memory, and files, that the next start may need.
            self._is_gone()
        self._guard.tell(0)

    def _is_gone(self) -> bool:
        """Whether nothing of it is left, or is not after a moment."""
        deadline = time.monotonic() + _LEFT_RUNNING
        while self._is_left():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def _is_left(self) -> bool:
        # Orphans come to the first process of a container: if that is this one, they are its to
        # bury, and would count as left until then. The program itself was waited for before.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _dies_with_parent() -> Callable[[], None] | None:
    """For the moment before the guard knows of the command, and for a guard that is killed, too."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    runner = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != runner:
            os._exit(1)

    return ask
