"""The command ``gpuhiggs``; ``python -m gpuhiggs`` is the same.

Exit status: 0 when all is done, 1 when a run is incomplete or failed, 2 on bad input.
"""

from __future__ import annotations

import sys

from .commands import events, measurements, surroundings  # noqa: F401 (each adds its commands)
from .commands.application import app, spread

__all__ = ["app", "main", "spread"]


def main() -> None:
    """Run the command; an error that the user can act on is one message, not a traceback."""
    from .errors import GpuhiggsError

    try:
        app(spread(sys.argv[1:]))
    except GpuhiggsError as error:
        sys.stderr.write(f"gpuhiggs: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
