"""The process of :class:`servers.S3Server`: moto's server, one request at a time.

moto checks a condition and stores the object in two steps, so that two writers may both meet
`If-None-Match: *`. A real store decides it in one step; so does this one, because of the lock.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time

from moto import server as moto_server


class InTurn:
    """The requests of an application, one after the other.

    A body is read before the turn is taken: a client that stops in the middle of its request
    holds up no other.
    """

    def __init__(self, application):
        self._application = application
        self._turn = threading.Lock()

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        if environ.pop("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["CONTENT_LENGTH"] = str(len(body))
        with self._turn:
            return list(self._application(environ, start_response))


class Application(moto_server.DomainDispatcherApplication):
    def __init__(self, create_app):
        super().__init__(create_app)
        self._in_turn = InTurn(super().__call__)

    def __call__(self, environ, start_response):
        return self._in_turn(environ, start_response)


def main():
    started_by = os.getppid()
    moto_server.DomainDispatcherApplication = Application
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    # A forked child of the tests keeps every pipe open, so the end of the tests is not seen there.
    while os.getppid() == started_by:
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
