"""What a run of all parts found."""

from __future__ import annotations


class Report:
    """Remembers the failed claims, and prints them at the end."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def add(self, part: str, wrong: list[str]) -> None:
        self.wrong += [f"{part}: {one}" for one in wrong]

    def end(self) -> int:
        for line in self.wrong[:20]:
            # A traceback ends with its error.
            print(f"WRONG  {line if len(line) < 1500 else line[:200] + line[-1300:]}")
        print(f"{len(self.wrong)} claims failed" if self.wrong else "every claim held")
        return 1 if self.wrong else 0
