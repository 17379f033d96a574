"""Ends the command's processes when the runner died without a chance to: a program of its own.

It reads the number of their process group, a line for each, and 0 while there is none. The end of
that input is the end of the runner, by whatever means. The file that the command reported into,
which is alone in a folder of its own, is removed then, too. No module of rekindle is imported here:
it has to be small, and there at once.
"""

import contextlib
import os
import signal
import sys


def main() -> None:
    # It outlives what ends the runner by a moment; its own end comes from the input.
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
