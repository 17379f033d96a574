"""The results of all jobs, and functions that format them for people."""

from __future__ import annotations

from statistics import mean, median, stdev


class Answers:
    """The results of all jobs.

    Args:
        jobs: The jobs as run.py writes them.
    """

    def __init__(self, jobs: list[dict]) -> None:
        self.jobs = jobs

    def of(self, part: str, **wanted) -> list[tuple[dict, dict]]:
        """The arguments, with the backend, and the result of each job of a part."""
        found = []
        for job in self.jobs:
            arguments = {"backend": job["backend"], **job["arguments"]}
            if job["part"] == part and wanted.items() <= arguments.items():
                found.append((arguments, job["answer"]))
        return found

    def one(self, part: str, **wanted) -> dict | None:
        found = self.of(part, **wanted)
        return found[0][1] if found else None


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return [*lines, ""]


def span(values: list[float], unit: float = 1.0, digits: int = 3) -> str:
    low, middle, high = min(values) / unit, median(values) / unit, max(values) / unit
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def percent(shares: list[float]) -> str:
    """Median and range, and the mean with its standard error."""
    low, middle, high, average, spread = (
        100 * value
        for value in (min(shares), median(shares), max(shares), mean(shares), stdev(shares))
    )
    error = spread / len(shares) ** 0.5
    return (
        f"{middle:+.1f} % ({low:+.1f} to {high:+.1f}, {len(shares)} times;"
        f" mean {average:+.1f} ± {error:.1f})"
    )
