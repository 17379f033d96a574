"""Runs the processes of one training together, each forked from a process that has TensorFlow.

As a script, it is that process: it reads a line of JSON for each training, and answers with one.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def cluster(**jobs):
    """The addresses of a cluster on this machine, with so many tasks of each job."""
    ports = iter(free_ports(sum(jobs.values())))
    return {job: [f"127.0.0.1:{next(ports)}" for _ in range(n)] for job, n in jobs.items()}


def tf_config(addresses, job, index):
    return json.dumps({"cluster": addresses, "task": {"type": job, "index": index}})


class Groups:
    """Runs trainings of several processes, one training after the other."""

    def __init__(self):
        env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="")
        self._server = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
            env=env,
        )

    def run(self, folder, config, *, timeout=150.0, rest=None, again=None, **jobs):
        """Runs a process for each task; returns their exit statuses, negative for signals.

        When a task "chief" has ended, the others are killed: parameter servers do not end by
        themselves. Output goes to files `<job>-<index>.log` in the folder.

        Args:
            folder: The folder for reports and logs.
            config: The configuration of `worker.py`, or of `parameter_server.py`.
            timeout: Seconds until all are killed: that status is "timeout".
            rest: Seconds until the others are killed once the first has ended; `None`: they end.
            again: A job whose first task is killed and started again when the chief prints
                "epoch 1".
            **jobs: How many tasks each job has; by default 2 workers.
        """
        os.makedirs(folder, exist_ok=True)
        asked = {
            "cluster": cluster(**(jobs or {"worker": 2})),
            "config": {"folder": str(folder)} | config,
            "timeout": timeout,
            "rest": rest,
            "again": again,
        }
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def close(self):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def _child(asked, job, index):
    log = os.path.join(asked["config"]["folder"], f"{job}-{index}.log")
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(file, number)
    os.environ["TF_CONFIG"] = tf_config(asked["cluster"], job, index)
    status = 1
    try:
        import parameter_server
        import worker

        module = parameter_server if "ps" in asked["cluster"] else worker
        module.main(asked["config"])
        status = 0
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001  (the log has it)
        traceback.print_exc()
    finally:
        os._exit(status)


def _fork(asked, job, index):
    pid = os.fork()
    if pid == 0:
        _child(asked, job, index)
    return pid


def _kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _has_come(asked):
    """Whether the chief has begun its second epoch."""
    try:
        with open(os.path.join(asked["config"]["folder"], "chief-0.log")) as log:
            return "epoch 1" in log.read()
    except OSError:
        return False


def _run(asked):
    tasks = [(job, i) for job, addresses in asked["cluster"].items() for i in range(len(addresses))]
    pids = {task: _fork(asked, *task) for task in tasks}
    again, rest = asked["again"], asked["rest"]
    statuses, until = {}, time.monotonic() + asked["timeout"]
    late = "timeout"
    while len(statuses) < len(tasks):
        for task in pids.keys() - statuses.keys():
            done, raw = os.waitpid(pids[task], os.WNOHANG)
            if done:
                statuses[task] = os.waitstatus_to_exitcode(raw)
                if (task[0] == "chief" or rest is not None) and late == "timeout":
                    until, late = time.monotonic() + (rest or 0), "killed"
        if again is not None and _has_come(asked):
            _kill(pids[again, 0])
            pids[again, 0], again = _fork(asked, again, 0), None
        if time.monotonic() > until:
            for task in pids.keys() - statuses.keys():
                _kill(pids[task])
                statuses[task] = late
        time.sleep(0.05)
    return [statuses[task] for task in tasks]


def main():
    sys.path.insert(0, HERE)
    import parameter_server  # noqa: F401
    import worker  # noqa: F401

    out = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        os.write(out, json.dumps(_run(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    main()
