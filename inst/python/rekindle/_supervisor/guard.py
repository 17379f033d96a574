"""A separate program that ends the command's processes if the supervisor dies and cannot end them.

The guard reads the number of their process group, one per line, and 0 while there is none. The end
of this input means that the supervisor has ended, by whatever means. The guard then also removes
the report of the command, and the folder that holds only this file. The guard imports no module of
rekindle: it has to be small, and to start at once.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    # The guard must outlive the supervisor by a moment, so it ignores signals that may have ended
    # the supervisor. The guard ends at the end of its input.
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    group = 0
    for line in sys.stdin:
        group = int(line)
    if group:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.unlink(sys.argv[1])
        os.rmdir(os.path.dirname(sys.argv[1]))


if __name__ == "__main__":
    main()
