"""Several workers that train one model together: what they tell each other during a fit()."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from rekindle.errors import RestoreError

_T = TypeVar("_T")


class Team(Protocol):
    """The workers of one training. All of them call each method at the same point of training.

    Attributes:
        count: The number of workers.
        index: The number of this worker, from 0. Worker 0 writes the checkpoints.
        timeout: Seconds to wait for another worker.
    """

    @property
    def count(self) -> int: ...

    @property
    def index(self) -> int: ...

    @property
    def timeout(self) -> float: ...

    def gather(self, data: bytes) -> list[bytes]:
        """The data of each worker, in their order."""

    def share(self, numbers: list[int]) -> list[list[int]]:
        """The numbers of each worker, in their order: quicker than :meth:`gather`."""


def name(index: int, host: str) -> str:
    return f"worker {index} on {host!r}"


def tell(team: Team, value: Any) -> list[Any]:
    """The JSON value of each worker, in their order."""
    return [json.loads(one) for one in team.gather(json.dumps(value).encode())]


def _outcome(act: Callable[[], _T]) -> tuple[_T | None, Exception | None, dict[str, Any]]:
    said: dict[str, Any] = {"host": socket.gethostname()}
    try:
        return act(), None, said
    # Each error ends this worker, and would leave the others waiting without a reason.
    except Exception as error:  # noqa: BLE001
        return None, error, {**said, "error": f"{type(error).__name__}: {error}"}


def by_first(team: Team, directory: str, act: Callable[[], Any]) -> Any:
    """Lets worker 0 act. Every worker gets the JSON value that this returns.

    Raises:
        RestoreError: Worker 0 failed; in worker 0 itself, its own error.
    """
    found, error, said = _outcome(act) if team.index == 0 else (None, None, {})
    first = tell(team, {**said, "found": found})[0]
    if error is not None:
        raise error
    _raise_of(directory, {0: first})
    return first["found"]


def by_each(team: Team, directory: str, act: Callable[[], _T]) -> _T:
    """Lets each worker act, and returns what it found, if no worker failed.

    Raises:
        RestoreError: Another worker failed; in that worker itself, its own error.
    """
    found, error, said = _outcome(act)
    all_said = tell(team, said)
    if error is not None:
        raise error
    _raise_of(directory, dict(enumerate(all_said)))
    return found  # type: ignore[return-value]  # Without an error, it is what `act` returned.


def _raise_of(directory: str, said: dict[int, dict[str, Any]]) -> None:
    for index, one in said.items():
        if "error" in one:
            raise RestoreError(
                f"No worker trains, because {name(index, one['host'])} cannot begin:"
                f" {one['error']}",
                directory=directory,
                errno=None,
            )


class Agreement:
    """Makes workers decide alike, at the end of a batch or an epoch, whether to save and to stop.

    Only worker 0's clock counts, and a signal may come to any worker.

    Args:
        team: The workers.
    """

    def __init__(self, team: Team) -> None:
        self._team = team

    def on(self, is_due: bool, received: str | None) -> tuple[bool, tuple[str, int] | None]:
        """Agrees with the other workers. All of them must call this.

        Args:
            is_due: Whether a checkpoint is due by this worker's schedule.
            received: The signal that this worker received and has not answered, or ``None``.

        Returns:
            Whether a checkpoint is due; and the signal to answer with the worker that received it.
        """
        number = 0 if received is None else int(signal.Signals[received])
        rows = self._team.share([int(is_due), number])
        told = [(signal.Signals(row[1]).name, index) for index, row in enumerate(rows) if row[1]]
        return bool(rows[0][0]), told[0] if told else None
