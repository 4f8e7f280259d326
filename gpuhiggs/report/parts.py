"""The parts of a report: each makes and draws its sections by itself, so that several are at work at once."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from .figure import Section
from .files import write_all


class Part(NamedTuple):
    """What makes sections, as another process can be told: a function of a module and what it takes."""

    make: Callable[..., list[Section]]
    arguments: tuple[Any, ...]


def drawn(parts: Sequence[Part], folder: Path, workers: int) -> list[Section]:
    """Make all parts in so many processes, this one among them; return their sections in order, figures drawn.

    Raises
    ------
    GpuhiggsError
        As the parts do.
    """
    left, made = deque(range(len(parts))), dict[int, list[Section]]()

    def work(take: Callable[[], int], draw: Callable[[Part, Path], list[Section]]) -> None:
        while True:
            try:
                place = take()
            except IndexError:  # nothing is left
                return
            made[place] = draw(parts[place], folder)

    others = min(workers, len(parts)) - 1
    if others < 1:
        return [section for part in parts for section in _drawn(part, folder)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(others, mp_context=context) as pool, ThreadPoolExecutor(others) as watched:
        there = [
            watched.submit(work, left.popleft, lambda part, folder: pool.submit(_drawn, part, folder).result())
            for _ in range(others)
        ]
        work(left.pop, _drawn)
        for one in there:
            one.result()
    return [section for place in range(len(parts)) for section in made[place]]


def _drawn(part: Part, folder: Path) -> list[Section]:
    return write_all(part.make(*part.arguments), folder)
