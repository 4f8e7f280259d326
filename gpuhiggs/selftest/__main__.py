"""The self-test on a machine that has little else: ``python -m gpuhiggs.selftest --device cuda``."""

from __future__ import annotations

import argparse
import sys

from ..backend import DEVICES, open_device, versions
from .identity import INTERPRETED, self_test


def main() -> int:
    """Print every version, then what is identical; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gpuhiggs.selftest", description=__doc__)
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--interpreted", type=int, default=INTERPRETED)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    for name, version in versions().items():
        tell(f"{name} {version}")
    device = open_device(arguments.device)
    return 0 if self_test(device, arguments.events, tell, arguments.seed, arguments.interpreted) else 1


if __name__ == "__main__":
    sys.exit(main())
