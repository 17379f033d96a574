"""The thread that renews a lease while its holder is busy with other things."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import TYPE_CHECKING

from rekindle.errors import RekindleError

if TYPE_CHECKING:
    from rekindle._storage.remote.lease import Lease


def start(lease: Lease, ended: threading.Event, seconds: float) -> None:
    """Renews the lease every so many seconds, until `ended` is set or the lease is lost."""
    # The thread must not keep a lease alive that is not used any more.
    ref = weakref.ref(lease, lambda _: ended.set())
    threading.Thread(
        target=_beat, args=(ref, ended, seconds), name="rekindle-lease", daemon=True
    ).start()


def _beat(ref: weakref.ref[Lease], ended: threading.Event, seconds: float) -> None:
    while not ended.wait(seconds):
        lease = ref()
        if lease is None or not lease.is_held:
            return
        # A commit finds out that the lease is lost, and reports it.
        with contextlib.suppress(OSError, RekindleError):
            lease.renew()
        del lease
