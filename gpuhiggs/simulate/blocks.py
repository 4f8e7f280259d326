"""Blocks: the fixed portions in which events are simulated, and the random numbers that belong to each.

Block *k* of a sample depends on (seed, process, k) alone, so a sample is the same however many processes made it, in
whatever order. Within a block every part of the detector has a stream of its own: a new part changes no other one.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import numpy as np

from gpuhiggs.simulate.settings import DEFAULT, Settings

EVENTS_PER_BLOCK = 2000
"""Long against Pythia's initialisation (0.25 s; a block takes 2 s), short against a sample."""

_PYTHIA_SEEDS = 900_000_000  # Pythia's Random:seed is at most this (its manual, "Random-Number Seed")


class Block(NamedTuple):
    """One portion of a sample: the *events* events from *first* on."""

    process: str
    seed: int
    number: int
    first: int
    events: int
    settings: Settings = DEFAULT

    def stream(self, purpose: str) -> np.random.Generator:
        """Return the random numbers of one *purpose* (such as ``"muons"``) in this block."""
        key = (crc32(self.process.encode()), self.number, crc32(purpose.encode()))
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(self.seed, spawn_key=key)))

    def pythia_seed(self) -> int:
        """Return the seed of Pythia's own generator for this block."""
        return int(self.stream("pythia").integers(1, _PYTHIA_SEEDS, endpoint=True))


def blocks_of(process: str, n_events: int, seed: int, settings: Settings = DEFAULT) -> list[Block]:
    """Divide *n_events* events of a process into blocks; only the last one can be shorter."""
    return [
        Block(process, seed, number, first, min(EVENTS_PER_BLOCK, n_events - first), settings)
        for number, first in enumerate(range(0, n_events, EVENTS_PER_BLOCK))
    ]
