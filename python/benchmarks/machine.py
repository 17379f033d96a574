"""The machine and the versions for which the numbers are true."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import time

PACKAGES = ["keras", "jax", "torch", "tensorflow-cpu", "tensorflow", "orbax-checkpoint", "numpy"]
PACKAGES += ["xxhash"]


def described(folder: str) -> dict[str, str]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "file system": _file_system(folder),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **_versions(),
    }


class Others:
    """The processor use of other processes since this object was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def processors(self) -> float:
        """The average number of processors that the other processes used."""
        busy = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        return max(0.0, busy / (time.perf_counter() - self._began))


def _busy_seconds() -> float:
    """Processor seconds that all processes on this machine have used so far."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, *rest = map(int, file.readline().split()[1:])
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def wait_until_quiet(patience: float, most: float = 0.15) -> None:
    """Returns when other processes use less than `most` processors, or after `patience` seconds."""
    until = time.perf_counter() + patience
    while time.perf_counter() < until:
        others = Others()
        time.sleep(2)
        if others.processors() < most:
            return


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="ascii") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system(folder: str) -> str:
    """The kind of file system that the folder is on."""
    path, best = os.path.realpath(folder) + "/", ("", "unknown")
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, mount, kind, *_ = line.split()
            if path.startswith(mount.rstrip("/") + "/") and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
