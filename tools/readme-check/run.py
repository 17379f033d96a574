"""Runs the Python blocks of one document in this process, for readme-check.py.

run.py FOLDER DOCUMENT
"""

import sys
import traceback
import types
from pathlib import Path


def run(path: Path, shown_as: str, above: int, names: dict[str, object]) -> None:
    """Runs a file. With as many empty lines above, a traceback has the lines of the document."""
    code = "\n" * above + path.read_text(encoding="utf-8")
    exec(compile(code, shown_as, "exec"), names)  # noqa: S102  (our own documents)


def main(folder: Path, document: str) -> int:
    sys.path[0] = ""  # not this file's folder
    # A block must not find the names of this file.
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module  # noqa: TID251  (a script's own name)
    with open(folder / "results.tsv", "w", encoding="utf-8", buffering=1) as results:
        for row in (folder / "blocks.tsv").read_text(encoding="utf-8").splitlines():
            line, _, _, after = row.split("\t")
            try:
                if after:
                    run(Path(after), after, 0, vars(module))
                run(folder / f"{line}.code", document, int(line), vars(module))
            except Exception as error:  # noqa: BLE001  (whatever a block raises)
                traceback.print_exc()
                said = " ".join(f"{type(error).__name__}: {error}".split())
                results.write(f"{line}\tfailed\t{said}\n")
                return 1
            results.write(f"{line}\tran\t\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
