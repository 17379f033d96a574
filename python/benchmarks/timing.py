"""Clocks: how long a call holds training up, when a save is durable, what it writes."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import threading
import time

from rekindle._repository.commit import Commit

# When rekindle acknowledged each save, as its callback does not tell the instant.
_acknowledged: list[float] = []


def note_acknowledgements() -> None:
    def acknowledge(commit):
        whole(commit)
        _acknowledged.append(time.perf_counter())

    whole, Commit.acknowledge = Commit.acknowledge, acknowledge


def acknowledged_since(began: float) -> float | None:
    """Seconds from `began` until rekindle acknowledged a save; None when it did not since."""
    return next((moment - began for moment in _acknowledged if moment >= began), None)


def rotated(contestants: dict, index: int) -> list[tuple]:
    """Them in turn, in each round another first: nobody always comes after the same."""
    start = index % max(1, len(contestants))
    return [*contestants.items()][start:] + [*contestants.items()][:start]


def join_writer() -> None:
    """Returns when rekindle has nothing to write."""
    for thread in threading.enumerate():
        if thread.name == "rekindle-writer":
            thread.join()


def sync_tree(folder: str) -> None:
    """What the writer left undone: syncs every file and folder below."""
    for top, _, names in os.walk(folder):
        for name in [".", *names]:
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(os.path.join(top, name), os.O_RDONLY)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)


def claim(size: int, folder: str) -> None:
    """Has the machine find memory for a copy of so many bytes and for a file of them, and lets go.

    A host may have taken away what a virtual machine did not use for some seconds, and getting it
    again takes longer than what is measured here.
    """
    with mmap.mmap(-1, max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for place in range(0, len(memory), mmap.PAGESIZE):
            memory[place] = 1
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            written = 0
            while written < size:
                written += file.write(memoryview(memory)[written:])


def written_bytes() -> int:
    """Bytes that this process has given to write() and its like so far."""
    with open("/proc/self/io", encoding="ascii") as file:
        fields = dict(line.split(": ") for line in file)
    return int(fields["wchar"])


@contextlib.contextmanager
def timed(rows: dict, name: str):
    began = time.perf_counter()
    yield
    rows.setdefault(name, []).append(time.perf_counter() - began)


def reset_peak() -> None:
    """Makes the kernel forget this process's highest memory use so far."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def memory(field: str) -> int:
    """VmHWM (highest since :func:`reset_peak`) or VmRSS (now), in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
