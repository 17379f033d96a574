"""``python -m rekindle``: inspects a backup folder from a shell."""

import sys

from rekindle._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
