"""Tables: what holds a file's events, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from .values import Values


class Volume(NamedTuple):
    """Bytes of one codec."""

    stored: int
    size: int
    """After decompression."""


class Table(Protocol):
    """An open file with events, one an entry."""

    @property
    def name(self) -> str:
        """Its name in the file."""

    @property
    def kind(self) -> str:
        """What messages call it: tree, ntuple or table."""

    @property
    def entries(self) -> int:
        """How many events it has."""

    @property
    def branches(self) -> frozenset[str]:
        """The names of what can be read."""

    @property
    def uuid(self) -> str:
        """The identity that the file was given when it was written."""

    def read(self, names: Sequence[str], start: int, stop: int, threads: int) -> dict[str, Values]:
        """Read branches over the events [start, stop).

        Raises
        ------
        FileError
            If the file is damaged; names file and branch.
        """

    def edges(self, names: Sequence[str]) -> np.ndarray:
        """Return the events at which a range may begin without anything being decoded twice; 0 and the end included."""

    def volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return the bytes of branches, by codec."""

    def sums(self, tree: str, names: Sequence[str]) -> float | None:
        """Return the sum of the first of some branches in another tree of the file; None: it has none of them."""

    def averages(self, tree: str, names: Sequence[str], branch: str) -> tuple[float, ...] | None:
        """Return the averages of a branch with several values an entry, weighted by the first of *names*.

        None: it has not both, or not the same number of values in each entry.
        """

    def sections(self, tree: str) -> list[list[int]] | None:
        """Return (run, luminosity section) for each entry of another tree of the file; None: it is not there."""

    def close(self) -> None:
        """Close the file."""

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
