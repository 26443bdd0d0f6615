"""``python -m execsvc``, the same as the ``execsvc`` command."""

import sys

from execsvc.cli import main

if __name__ == "__main__":
    sys.exit(main())
