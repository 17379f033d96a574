"""Forks a child for each line of its input. The child runs the scenario in that line.

    zygote.py FOLDER

FOLDER holds the modules `scenario` and `sources`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback

sys.path.insert(0, sys.argv[1])

import scenario
import sources


def _is_possible(name):
    needs = {"Grain": "grain", "tf.data": "tensorflow", "DataLoader": "torch"}
    return all(importlib.util.find_spec(m) for key, m in needs.items() if name.startswith(key))


def main():
    possible = {n: s.backends for n, s in sources.SOURCES.items() if _is_possible(n)}
    print(json.dumps({"sources": possible, "trainings": list(scenario.TRAININGS)}), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status, config = 1, json.loads(line)
            try:
                os.dup2(2, 1)
                scenario.main(config)
                status = 0
            except SystemExit as ended:  # For example, a preemption with its own exit code.
                status = ended.code if isinstance(ended.code, int) else 1
            except BaseException as error:  # noqa: BLE001  (the status tells the parent)
                # The library's own class is expected to fail: its row of the table says how often.
                traceback.print_exception(error, limit=0 if config.get("theirs") else None)
            finally:
                os._exit(status)
        _, raw = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(raw), flush=True)


if __name__ == "__main__":
    main()
