"""Where the time of a run goes, by stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

EVENTS = "events"
"""The stage in which events are processed."""


class Stages:
    """Seconds of wall clock by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside for a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
