"""What a :class:`proxy.Proxy` notes of a request, and a rule of its plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Record:
    """One request, as the tests see it later.

    Attributes:
        number: From 1 on, over the life of the proxy, in the order in which the heads came.
        fields: The fields of the request's head; the names are in lower case.
        sent: Bytes of the request's body.
        status: The status that the client got; None if it got none.
        served: The status of the server; None if the request did not reach it.
        received: Bytes of the answer's body that the client was sent.
        seconds: When the head came, on the monotonic clock.
    """

    number: int
    method: str
    path: str
    query: str
    fields: dict[str, str]
    seconds: float
    sent: int = 0
    status: int | None = None
    served: int | None = None
    received: int = 0


@dataclass
class Rule:
    action: object
    when: object
    at: int
    times: float
    seen: int = 0

    def picks(self, record):
        if self.when is not None and not self.when(record):
            return False
        self.seen += 1
        return self.at <= self.seen < self.at + self.times
