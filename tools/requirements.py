"""Prints what pyproject.toml requires, without rekindle itself: requirements.py EXTRA ..."""

import sys
from pathlib import Path

import tomllib

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements(*extras: str) -> list[str]:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted, left = list(project["dependencies"]), list(extras)
    for extra in left:
        for requirement in project["optional-dependencies"][extra]:
            if requirement.startswith("rekindle["):
                left += requirement.removeprefix("rekindle[").rstrip("]").split(",")
            else:
                wanted.append(requirement)
    return list(dict.fromkeys(wanted))


if __name__ == "__main__":
    print(*requirements(*sys.argv[1:]), sep="\n")
