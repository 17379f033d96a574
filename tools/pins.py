"""Renews the pins of the Python packages: what pip resolves today for all that set-up installs.

    pins.py [--into FOLDER] [--torch VERSION] [--python-of-synalinks PYTHON]

Writes constraints-numpy1.txt, constraints-numpy2.txt and constraints-synalinks.txt into FOLDER
(tools/ by default), and prints what changed. It resolves only, and installs nothing. The same index
gives the same files.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from requirements import requirements

TOOLS = Path(__file__).resolve().parent

# Set-up takes Python from this version on, so all pins must exist for it.
OLDEST = (3, 11)

FILES = {
    "constraints-numpy1.txt": (
        "for reticulate below 1.38, which cannot read numpy 2.",
        ["numpy<2"],
    ),
    "constraints-numpy2.txt": (
        "for reticulate 1.38 and newer, and for use without R.",
        ["numpy>=2"],
    ),
}

OF_SYNALINKS = "constraints-synalinks.txt"
TESTS_OF_SYNALINKS = ("keras", "jax", "hypothesis", "pytest", "pytest-timeout")

# Only PyTorch's CUDA build requires these. Which build pip finds depends on its index.
OF_CUDA = re.compile(r"(nvidia|cuda|triton)(-|$)")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_in(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def resolved(wanted: list[str], python: str = sys.executable) -> dict[str, str]:
    """The versions that pip would install into an empty environment of this Python."""
    with tempfile.TemporaryDirectory() as folder:
        report, empty = Path(folder, "report.json"), Path(folder, "empty")
        # Debian's own Python has no pip, but its environments do.
        subprocess.run([python, "-m", "venv", str(empty)], check=True)
        pip = [str(empty / "bin" / "python"), "-m", "pip", "-qq", "--disable-pip-version-check"]
        how = ["--no-input", "--dry-run", "--ignore-installed", "--report", str(report)]
        if subprocess.run([*pip, "install", *how, *wanted], check=False).returncode:
            sys.exit(f"[pins] pip cannot resolve: {' '.join(wanted)}")
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    # A local version, such as 2.13.0+cpu, names a build. Set-up takes the build that it finds.
    versions = {canonical(one["name"]): one["version"].partition("+")[0] for one in found}
    return {name: versions[name] for name in sorted(versions) if not OF_CUDA.match(name)}


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [
        f"  {name}: {old.get(name, 'not pinned')} -> {new.get(name, 'not needed any more')}"
        for name in sorted(old | new)
        if old.get(name) != new.get(name)
    ]


def renew(name: str, into: Path, torch: str | None) -> None:
    purpose, more = FILES[name]
    old = pins_in(TOOLS / name)
    # Set-up can fetch PyTorch's smaller CPU build only of some versions. So its pin moves by hand.
    held = torch or old.get("torch")
    wanted = [*requirements("jax", "torch", "dev"), "tensorflow-cpu", *more]
    new = resolved([*wanted, *([f"torch=={held}"] if held else [])])
    write(into / name, purpose, ".".join(map(str, OLDEST)), old, new)


def renew_synalinks(into: Path, python: str) -> None:
    """Synalinks needs a newer Python than the others."""
    if shutil.which(python) is None:
        print(f"[pins] {OF_SYNALINKS}: left as it is, as there is no {python}")
        return
    wanted = [*requirements("synalinks"), *TESTS_OF_SYNALINKS]
    new = resolved(wanted, python)
    write(into / OF_SYNALINKS, "for Synalinks.", "3.12", pins_in(TOOLS / OF_SYNALINKS), new)


def write(path: Path, purpose: str, python: str, old: dict[str, str], new: dict[str, str]) -> None:
    head = [
        f"# The versions that set-up installs {purpose}",
        f"# Resolved on Linux x86_64 with Python {python}; a constraint on a package that is not"
        " needed is ignored.",
    ]
    lines = [*head, *(f"{package}=={version}" for package, version in new.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = changes(old, new) or ["  no change"]
    print(f"[pins] {path.name}: {len(new)} packages", *told, sep="\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--into", type=Path, default=TOOLS, help="another folder for the files")
    arguments.add_argument("--torch", help="pin another version of PyTorch than the present one")
    arguments.add_argument(
        "--python-of-synalinks", default="python3.12", help="a Python 3.12, which Synalinks needs"
    )
    given = arguments.parse_args()
    if sys.version_info[:2] != OLDEST or sys.platform != "linux":
        oldest = ".".join(map(str, OLDEST))
        sys.exit(f"[pins] this needs Linux and Python {oldest}, the oldest that set-up takes")
    given.into.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        renew(name, given.into, given.torch)
    renew_synalinks(given.into, given.python_of_synalinks)


if __name__ == "__main__":
    main()
