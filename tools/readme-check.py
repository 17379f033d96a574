"""Runs the code of README.md and of the articles, as a reader would paste it.

    readme-check.py [FILE ...]     without FILE: README.md and vignettes/*.Rmd

All R blocks of a file run in one fresh R process, and all Python blocks in one fresh Python
process, each in an empty folder. R finds the copy of rekindle in its package; Python finds the one
of this checkout. A block runs unless the source says otherwise:

- blocks of other languages, such as sh, are skipped; a `cat` chunk writes its file;
- `eval = FALSE` in the header of a chunk skips it, and so does another `eval` that is false in R;
  what `knitr::opts_chunk$set()` sets is for building pages, and counts for nothing here;
- R code that names keras3, keras or tensorflow is skipped where that package is not installed;
- a comment on the line above the fence decides before all these:
  `<!-- not run: REASON -->`, `<!-- run -->`, or `<!-- run after FILE -->`, where FILE, in
  tools/readme-check, makes what the text around the block takes for granted.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "tools" / "readme-check"
SECONDS = int(os.environ.get("README_CHECK_SECONDS", "300"))

FENCE = re.compile(r"^ {0,3}(`{3,})(.*)$")
MARK = re.compile(r"^<!-- (?:(run)(?: after (\S+))?|not run: (.+\S)) -->$")
CHUNK = re.compile(r"^\{(\w+)\s*,?\s*(.*)\}$")
# A chunk begins with its name, unless it begins with an option.
NAME = re.compile(r"^[\w-]+\s*(?:,\s*|$)(?!=)")
EVAL_FALSE = re.compile(r"(?:^|,)\s*eval\s*=\s*FALSE\s*(?:,|$)")


@dataclass
class Block:
    line: int  # of the fence, from 1
    language: str
    options: str  # of a chunk, without its name
    code: str
    skip: str = ""  # why it does not run
    after: str = ""  # the file that runs before it


@dataclass
class Outcome:
    ran: list[Block] = field(default_factory=list)
    skipped: list[tuple[Block, str]] = field(default_factory=list)
    failed: list[tuple[Block, str]] = field(default_factory=list)
    not_reached: list[Block] = field(default_factory=list)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text, each with the reason why it does not run, if any."""
    found, above, lines = [], "", text.splitlines()
    index = 0
    while index < len(lines):
        begins = FENCE.match(lines[index])
        if not begins:
            above = lines[index]
            index += 1
            continue
        ends = index + 1
        while ends < len(lines) and not re.match(rf"^ {{0,3}}{begins[1]}`*\s*$", lines[ends]):
            ends += 1
        code = "\n".join(lines[index + 1 : ends])
        found.append(block(index + 1, begins[2].strip(), code, above))
        above, index = "", ends + 1
    return found


def block(line: int, header: str, code: str, above: str) -> Block:
    """One block. `above` is the line above its fence, which may be a mark."""
    if re.match(r"<!-- *(not )?run\b", above) and not MARK.match(above):
        sys.exit(f"line {line - 1}: this mark is not understood: {above}\n{__doc__}")
    chunk, mark = CHUNK.match(header), MARK.match(above)
    language = chunk[1] if chunk else header
    options = NAME.sub("", chunk[2], count=1) if chunk else ""
    made = Block(line, language, options, code)
    if mark and mark[3]:
        made.skip = mark[3]
    elif language not in ("r", "python", "cat"):
        made.skip = f"language {language}" if language else "no language"
    elif mark:
        made.after, made.options = mark[2] or "", EVAL_FALSE.sub(",", options).strip(", ")
    elif EVAL_FALSE.search(options):
        made.skip = "eval = FALSE"
    return made


def environment(language: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found.setdefault("KERAS_BACKEND", "jax")
    found.setdefault("RETICULATE_PYTHON", sys.executable)
    found["PYTHONDONTWRITEBYTECODE"] = "1"
    if language == "python":
        found["PYTHONPATH"] = str(ROOT / "inst" / "python")
    return found


def folder_for(path: Path, language: str, here: list[Block], top: Path) -> Path:
    """A folder with the blocks as files, and with the empty folder that they run in."""
    top.mkdir()
    (top / "scratch").mkdir()
    rows = []
    for one in here:
        (top / f"{one.line}.code").write_text(one.code + "\n", encoding="utf-8")
        after = str(HERE / one.after) if one.after else ""
        rows.append("\t".join([str(one.line), one.language, one.options, after]))
    (top / "blocks.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    if path.suffix == ".Rmd" and language == "r":
        # The hidden chunk of set-up reads these, as when the page is built.
        for name in ("recorded", "walk"):
            shutil.copytree(path.parent / name, top / "scratch" / name)
    return top


def run(path: Path, language: str, here: list[Block]) -> Outcome:
    """Runs the blocks of one language in one process."""
    with tempfile.TemporaryDirectory(prefix="readme-check-") as temporary:
        top = folder_for(path, language, here, Path(temporary) / "run")
        if language == "python":
            command = [sys.executable, str(HERE / "run.py"), str(top), str(path)]
        else:
            command = ["Rscript", "--no-init-file", str(HERE / "run.R"), str(top)]
        with open(top / "log", "w+b") as log:
            process = subprocess.Popen(
                command,
                cwd=top / "scratch",
                env=environment(language),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = f"exit status {process.wait(SECONDS)}"
            except subprocess.TimeoutExpired:
                status = f"still running after {SECONDS} s"
            finally:
                # What the blocks have started must end, too.
                end(process)
            log.seek(0)
            printed = log.read().decode(errors="replace").splitlines()
        return read(top / "results.tsv", here, status, printed)


def end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # the whole group has ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read(results: Path, here: list[Block], status: str, printed: list[str]) -> Outcome:
    """What became of each block. The process writes a line for each that it has dealt with."""
    written = results.read_text(encoding="utf-8") if results.exists() else ""
    rows = {int(row[0]): row[1:] for row in (line.split("\t", 2) for line in written.splitlines())}
    outcome = Outcome()
    for one in here:
        result, why = rows.get(one.line, ["", ""])
        if result == "ran":
            outcome.ran.append(one)
        elif result == "skipped":
            outcome.skipped.append((one, why))
        elif outcome.failed:
            outcome.not_reached.append(one)
        else:
            tail = "\n".join(f"      {line}" for line in printed[-20:])
            outcome.failed.append((one, f"{why or status}\n{tail}"))
    return outcome


def check(path: Path) -> Outcome:
    """Runs the blocks of one file and prints the result."""
    all_of_it = blocks(path.read_text(encoding="utf-8"))
    total = Outcome(skipped=[(one, one.skip) for one in all_of_it if one.skip])
    for languages in (("r", "cat"), ("python",)):
        here = [one for one in all_of_it if not one.skip and one.language in languages]
        if here:
            part = run(path, languages[0], here)
            total.ran += part.ran
            total.skipped += part.skipped
            total.failed += part.failed
            total.not_reached += part.not_reached
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    result = "FAILED" if total.failed else "passed"
    print(f"{name}: {result}, {len(total.ran)} blocks ran, {len(total.skipped)} skipped")
    for one, why in sorted(total.skipped, key=lambda pair: pair[0].line):
        print(f"  {name}:{one.line}: skipped: {why}")
    for one, why in total.failed:
        print(f"  {name}:{one.line}: FAILED: {why}")
    for one in total.not_reached:
        print(f"  {name}:{one.line}: not reached")
    sys.stdout.flush()
    return total


def refuse_other_copies() -> None:
    """R must find the copy of rekindle in its package, as users do."""
    env = environment("r")
    python = env["RETICULATE_PYTHON"]
    found = subprocess.run(
        [python, "-c", "import rekindle"], env=env, cwd="/", capture_output=True, check=False
    )
    if found.returncode == 0:
        sys.exit(f"R is to find the copy of rekindle that it brings, but {python} has its own.")


def main(names: list[str]) -> int:
    refuse_other_copies()
    files = [Path(name).resolve() for name in names]
    outcomes = [check(path) for path in files or documents()]
    ran, skipped, failed = (
        sum(len(getattr(outcome, kind)) for outcome in outcomes)
        for kind in ("ran", "skipped", "failed")
    )
    print(f"{ran} blocks ran, {skipped} skipped, {failed} failed")
    return int(failed > 0)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "vignettes").glob("*.Rmd"))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
