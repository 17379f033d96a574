"""The same scenarios as `exact` on older versions of Keras: killed, resumed, compared exactly.

    python python/compat/run.py [--versions 3.6.0 3.8.0] [--backends jax] [--folder .compat]

Each version is installed into a separate folder. That folder comes before the environment's
packages in the search path; nothing else changes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXACT = ROOT / "python" / "exact"

# The oldest supported version, some between, and the newest. Before 3.10, Keras needs an older JAX.
OLD_JAX = ["jax==0.4.38", "jaxlib==0.4.38"]
VERSIONS = {"3.6.0": OLD_JAX, "3.8.0": OLD_JAX, "3.10.0": [], "newest": []}
BACKENDS = ("jax", "torch", "tensorflow")
CELLS = (
    ("arrays", "epoch", ["begin", 2, 4]),
    ("arrays", 4, ["begin", 2, 4]),
    ("PyDataset", 1, ["begin", 1, 7]),
    ("tf.data", 4, ["begin", 2, 4]),
)


def installed(version, folder):
    """The folder that must come before the environment's packages; None for the newest."""
    if version == "newest":
        return None
    target = folder / version
    if not (target / "keras").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*pip, str(target), f"keras=={version}", *VERSIONS[version]], check=True)
    return target


def run(env, folder, source, save_freq, kill=None):
    config = {"source": source, "save_freq": save_freq, "folder": str(folder), "kill": kill}
    command = [sys.executable, "scenario.py", json.dumps(config)]
    done = subprocess.run(command, cwd=EXACT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip().splitlines()[-1:]


def cell(env, scratch, source, save_freq, kill):
    """The result of one cell: "equal", or what went wrong."""
    for folder, at in (("never", None), ("killed", kill), ("killed", None)):
        status, last = run(env, Path(scratch, folder), source, save_freq, at)
        if status != (-9 if at else 0):
            return f"{folder} run: exit {status} {last}"
    reports = [json.loads(Path(scratch, f, "report.json").read_text()) for f in ("never", "killed")]
    differing = [name for name in reports[0] if reports[0][name] != reports[1][name]]
    return "differs in " + ", ".join(differing) if differing else "equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--versions", nargs="+", default=list(VERSIONS))
    parser.add_argument("--backends", nargs="+", default=BACKENDS)
    parser.add_argument("--folder", type=Path, default=ROOT / ".compat")
    options = parser.parse_args()
    failed = passed = 0
    for version in options.versions:
        target = installed(version, options.folder.resolve())
        name = importlib.metadata.version("keras") if target is None else version
        for backend in options.backends:
            env = dict(os.environ, KERAS_BACKEND=backend, TF_CPP_MIN_LOG_LEVEL="3")
            path = [str(target)] if target else []
            env["PYTHONPATH"] = os.pathsep.join([*path, str(ROOT / "inst" / "python")])
            for source, save_freq, kill in CELLS:
                with tempfile.TemporaryDirectory(prefix="compat-") as scratch:
                    outcome = cell(env, scratch, source, save_freq, kill)
                passed += outcome == "equal"
                failed += outcome != "equal"
                line = f"keras {name:<8}{backend:<11}{source:<11}save_freq={save_freq!s:<6}"
                print(line + outcome, flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
