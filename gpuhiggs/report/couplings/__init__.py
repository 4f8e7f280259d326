"""The part of a report that interprets: signal strengths, couplings, what they exclude, from published and own results."""

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
