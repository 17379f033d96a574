"""The cost of saving and restoring, compared with other libraries and the machine's limits.

    python python/benchmarks/run.py [--parts saves,fits] [--backends jax] [--sizes 1 100] [--keep]

Each part runs on each backend in a separate process. There, each round measures every contestant
once, in turn, so that a change of the machine's speed affects all of them equally. The results, a
table and a chart are written into results/. Ratios are comparable between machines, seconds are
not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

BACKENDS = ["jax", "torch", "tensorflow"]
MEMORY_OF = ["rekindle callback", "rekindle callback, background=False", "keras BackupAndRestore"]


def plan(options) -> list[dict]:
    """The parts to run, each with its backend and its arguments, in their order."""
    jobs = []
    rounds = options.rounds

    def job(part: str, backend: str, **arguments) -> None:
        if part in options.parts and backend in options.backends:
            jobs.append({"part": part, "backend": backend, "arguments": arguments})

    for backend in BACKENDS:
        for size in options.sizes:
            job("saves", backend, megabytes=size, rounds=rounds)
    if options.large:
        job("saves", "jax", megabytes=options.large, rounds=min(rounds, 3), large=True)
    job("small", "tensorflow", count=10_000, rounds=rounds)
    job("many", "jax", rounds=rounds)
    job("objects", "jax", megabytes=400, rounds=rounds)
    for backend in BACKENDS:
        job("frozen", backend, megabytes=100)
        job("witness", backend)
        job("watched", backend)
        for size in options.fit_sizes:
            job("fits", backend, megabytes=size, seconds=5, rounds=min(rounds, 2))
            job("turns", backend, megabytes=size, seconds=5, rounds=min(rounds, 2))
            job("tunings", backend, megabytes=size, seconds=2, rounds=min(rounds, 2))
        for name in MEMORY_OF:
            job("memory", backend, megabytes=400, name=name)
        for case in ("held", "behind"):
            job("auto", backend, case=case, saves=12, seconds=150)
    for backend in BACKENDS:
        job("hooks", backend, batches=3000)
    job("thousand", "jax", megabytes=1, count=1000)
    return jobs


# Otherwise GNU's C library returns large blocks to the system, and training requests them again in
# each batch. PyTorch's training then took twice as long, and varied by more than a save costs.
KEEPS_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def run_job(job: dict, scratch: str, patience: float) -> dict | None:
    """The result of the job's process. If the process fails, prints that and returns None."""
    from benchmarks import machine

    machine.wait_until_quiet(patience)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=scratch) as folder:
        command = [sys.executable, __file__, "--child", json.dumps(job), "--scratch", folder]
        environment = {**os.environ, "KERAS_BACKEND": job["backend"]}
        if job["part"] in ("turns", "tunings"):
            environment |= KEEPS_MEMORY
        began, others = time.perf_counter(), machine.Others()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        seconds, busy = time.perf_counter() - began, others.processors()
    label = f"{job['part']} {job['backend']} {job['arguments']}"
    if done.returncode:
        print(f"FAILED  {label}\n{done.stdout[-2000:]}{done.stderr[-4000:]}", flush=True)
        return None
    print(f"{seconds:6.0f} s  {label}; others used {busy:.2f} processors", flush=True)
    return {**json.loads(done.stdout.rsplit("\n", 2)[-2]), "others": busy}


def child(job: dict, folder: str) -> int:
    from benchmarks import parts

    print()
    print(json.dumps(parts.run(job["part"], folder, job["arguments"])))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--parts",
        default="saves,small,many,objects,frozen,witness,watched,fits,turns,tunings,auto,hooks,memory,thousand",
    )
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 100, 400], help="in MB")
    parser.add_argument("--large", type=float, default=3000, help="the largest size, in MB; or 0")
    parser.add_argument("--fit-sizes", type=float, nargs="+", default=[100, 400], help="in MB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--scratch", default=tempfile.gettempdir(), help="where to save")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds to wait for a quiet machine, each time"
    )
    parser.add_argument("--keep", action="store_true", help="keep the other answers there")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child, options.scratch)
    options.parts = options.parts.split(",")
    return measured(options)


def _question(job: dict) -> tuple:
    """Identifies the job's question, without the number of its rounds."""
    return job["part"], job["backend"], {**job["arguments"], "rounds": 0}


def measured(options) -> int:
    from benchmarks import machine, report

    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / "answers.json"
    kept = json.loads(path.read_text()) if options.keep and path.exists() else {"jobs": []}
    jobs = kept["jobs"]
    failed = 0
    for job in plan(options):
        answer = run_job(job, options.scratch, options.patience)
        failed += answer is None
        if answer is not None:
            jobs = [other for other in jobs if _question(other) != _question(job)]
            jobs.append({**job, "answer": answer})
        document = {"machine": machine.described(options.scratch), "jobs": jobs}
        path.write_text(json.dumps(document, indent=1) + "\n")
    report.write(path)
    print((options.results / "README.md").read_text())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
