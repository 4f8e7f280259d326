"""The part of a report that interprets: strengths, couplings and what they exclude, published and of own runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..figure import Section


def sections(data: Sequence[str], folders: Sequence[Path]) -> list[Section]:
    """Return what measurements say of the couplings.

    Parameters
    ----------
    data
        Names of published measurements, such as ``atlas-run2``.
    folders
        Finished runs.
    """
    return []
