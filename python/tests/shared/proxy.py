"""A proxy between a client and an object store, which does harm as a test asks for it.

The requests are answered one connection to a thread, in this process, or with :func:`apart` in a
process of its own. `actions.py` has the harm; here are the plan, the record and the network.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from multiprocessing import get_context
from multiprocessing.managers import BaseManager, NamespaceProxy
from urllib.parse import unquote, urlsplit

import actions
import http_message
from proxy_record import Record, Rule


def _wait(is_so, seconds, words):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"{words} in {seconds} seconds")
        time.sleep(0.005)


class Proxy:
    """A port that passes on what it gets, unless the plan says otherwise.

    Args:
        upstream: The endpoint of the server.

    Attributes:
        endpoint: The endpoint for the client.
        requests: A :class:`Record` of each request.
    """

    def __init__(self, upstream):
        url = urlsplit(upstream)
        self.upstream = (url.hostname, url.port)
        self.requests = []
        self._forgotten = 0
        self._rules = []
        self._lock = threading.Lock()
        self._busy = 0
        self._pause = 0.0
        self._connections = set()
        self._is_cut = False
        self._released = threading.Event()
        self._port = 0
        self._listener = self._bound()
        self._port = self._listener.getsockname()[1]
        self._listen()
        self.endpoint = f"http://127.0.0.1:{self._port}{url.path}"

    # The plan

    def plan(self, action, at=1, when=None, times=1):
        """Does `action` to a request.

        Args:
            action: A function of :mod:`actions`, or of an :class:`actions.Exchange`.
            at: Which request from now on, among those that `when` picks.
            when: A function of a :class:`Record`; None for every request.
            times: To how many requests in a row; infinity for all that follow.
        """
        with self._lock:
            self._rules.append(Rule(action, when, at, times))

    def clear(self):
        """Forgets the plan, and ends every silence."""
        with self._lock:
            self._rules.clear()
        self.delay(0)
        self.release()

    def forget(self):
        """Empties the record, but goes on with its numbers."""
        with self._lock:
            self._forgotten = self.count
            self.requests.clear()

    @property
    def count(self):
        """How many requests there were."""
        return self._forgotten + len(self.requests)

    def wait_for(self, count, seconds=20):
        """Returns when there were so many requests; fails if that takes too long."""
        _wait(lambda: self.count >= count, seconds, f"there were not {count} requests")

    def wait_until_idle(self, but=0, seconds=20):
        """Returns when at most `but` requests are under way; fails if that takes too long."""
        _wait(lambda: self._busy <= but, seconds, "requests are under way")

    # The network

    def delay(self, seconds):
        """Holds back each request for so long before it goes to the server."""
        self._pause = seconds

    def release(self):
        """Ends every silence that there is now."""
        with self._lock:
            released, self._released = self._released, threading.Event()
        released.set()

    def cut(self):
        """The network goes away: new connections are refused, and those that there are end."""
        self._is_cut = True
        self._stop_listening()
        # A port that is bound and does not listen refuses, and no other program can take it.
        self._listener = self._bound()
        with self._lock:
            for one in self._connections:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self):
        """The network comes back, at the same endpoint."""
        self._is_cut = False
        self._listen()

    def close(self):
        self.clear()
        self.cut()
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # What :mod:`actions` needs

    def pause(self):
        time.sleep(self._pause)

    def wait_for_release(self):
        with self._lock:
            released = self._released
        released.wait()

    @contextlib.contextmanager
    def to_server(self):
        """A new connection to the server."""
        with self._known(socket.create_connection(self.upstream, timeout=60)) as made:
            yield made

    # Within

    @contextlib.contextmanager
    def _known(self, made):
        """A connection that :meth:`cut` ends."""
        with contextlib.closing(made):
            with self._lock:
                if self._is_cut:
                    raise ConnectionError("the network is cut")
                self._connections.add(made)
            try:
                yield made
            finally:
                with self._lock:
                    self._connections.discard(made)

    def _bound(self):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("127.0.0.1", self._port))
        return made

    def _listen(self):
        self._listener.listen(128)
        self._thread = threading.Thread(target=self._accept, args=[self._listener], daemon=True)
        self._thread.start()

    def _stop_listening(self):
        # A close alone does not wake a thread that waits in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self, listener):
        while True:
            try:
                made, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[made], daemon=True).start()

    def _serve(self, made):
        """Answers the requests of one connection, until one side ends it."""
        with contextlib.suppress(OSError), self._known(made):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with made.makefile("rb") as file:
                while head := http_message.read_head(file):
                    record, action = self._recorded(head)
                    exchange = actions.Exchange(self, made, file, head, record)
                    self.pause()
                    with self._counted():
                        action(exchange)
                    if exchange.is_closed or head.closes:
                        return

    @contextlib.contextmanager
    def _counted(self):
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def _recorded(self, head):
        """The record of a request, and what is to be done to it."""
        method, target, _ = head.start.split(" ", 2)
        path, _, query = target.partition("?")
        fields = {name.lower(): value for name, value in head.fields}
        with self._lock:
            record = Record(self.count + 1, method, unquote(path), query, fields, time.monotonic())
            self.requests.append(record)
            self._busy += 1
            picked = [rule.action for rule in self._rules if rule.picks(record)]
        return record, picked[0] if picked else actions.forward


class _Manager(BaseManager):
    pass


class _Remote(NamespaceProxy):
    """A :class:`Proxy` in another process. Actions and predicates must be picklable."""

    _calls = ("plan", "clear", "forget", "delay", "release", "cut", "mend", "close")
    _calls += ("wait_for", "wait_until_idle")
    _exposed_ = ("__getattribute__", *_calls)

    def __getattr__(self, name):
        if name in _Remote._calls:
            return lambda *given, **named: self._callmethod(name, given, named)
        return super().__getattr__(name)


_Manager.register("Proxy", Proxy, _Remote)


@contextlib.contextmanager
def apart(upstream):
    """A :class:`Proxy` in a process of its own, which a busy client does not slow down.

    Its actions, predicates and functions are sent there, so that they must be picklable, and a
    script that calls this needs the guard of `__main__`, as for every spawned process.
    """
    manager = _Manager(ctx=get_context("spawn"))
    # Ctrl-C goes to every process of the terminal, and this one is to answer until the end.
    manager.start(signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        proxy = manager.Proxy(upstream)
        yield proxy
        proxy.close()
    finally:
        manager.shutdown()
