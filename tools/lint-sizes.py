"""Finds files of 300 lines or more, and functions of 50 lines or more.

CONTRIBUTING.md lists the files that may be longer, each with its reason. The list can only shrink:
a file that is no longer as long must leave it.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

MOST_LINES, MOST_IN_A_FUNCTION = 299, 49
LIST, HEADING = Path("CONTRIBUTING.md"), "### Files of 300 lines and more\n"
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)

# A function of R, of a shell script or of C begins at the margin, and ends with a brace there.
BEGINS = {
    ".R": re.compile(r"^(\S+) <- function\("),
    "": re.compile(r"^(\w+)\(\) \{$"),
    ".c": re.compile(r"^\w[^;=]*?(\w+)\([^;]*$"),
}


def files() -> list[Path]:
    """The files of code that git knows, and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    paths = [Path(line) for line in sorted(set(listed.splitlines()))]
    return [path for path in paths if path.is_file() and is_code(path)]


def is_code(path: Path) -> bool:
    script = path.suffix == "" and path.parts[0] in ("tools", ".ci")
    return script or path.suffix in (".py", ".R", ".c", ".sh")


def exceptions() -> dict[str, str]:
    """The reason of each file that may be longer."""
    _, _, rest = LIST.read_text(encoding="utf-8").partition(HEADING)
    if not rest:
        sys.exit(f"[lint] sizes: {LIST} has no section {HEADING.strip()!r}")
    return dict(ROW.findall(rest.partition("\n## ")[0]))


def functions(path: Path, text: str) -> list[tuple[str, int, int]]:
    """The functions of a file: name, first line, number of lines."""
    if path.suffix == ".py":
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
        return [(f.name, f.lineno, (f.end_lineno or f.lineno) - f.lineno + 1) for f in found]
    begins = BEGINS["" if path.suffix == ".sh" else path.suffix]
    lines, found = text.splitlines(), []
    for index, line in enumerate(lines):
        if match := begins.match(line):
            rest = enumerate(lines[index:], 1)
            found.append((match[1], index + 1, next((n for n, one in rest if one == "}"), 1)))
    return found


def problems() -> list[str]:
    allowed, long, found = exceptions(), set(), []
    for path in files():
        text = path.read_text(encoding="utf-8")
        count = len(text.splitlines())
        if count > MOST_LINES:
            long.add(str(path))
            if str(path) not in allowed:
                found.append(f"{path}: {count} lines. Split it by what it holds, to under 300.")
        found += [
            f"{path}:{line}: {name}() has {size} lines. Split it, to under 50."
            for name, line, size in functions(path, text)
            if size > MOST_IN_A_FUNCTION
        ]
    found += [
        f"{LIST}: {name} does not need its place in the list any more. Remove it there."
        for name in allowed
        if name not in long
    ]
    return found


if __name__ == "__main__":
    listed = problems()
    print(*listed, f"[lint] sizes: {len(listed) or 'clean'}{' to mend' * bool(listed)}", sep="\n")
    sys.exit(bool(listed))
