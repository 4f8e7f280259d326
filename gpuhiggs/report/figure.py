"""What a report is made of: figures, tables and, where one of them cannot be, the words that say why.

Whoever has something to show returns a :class:`Section`, a title with a list of blocks. A :class:`Figure` draws itself
when asked to, in the style of :mod:`.style`, and brings the numbers that it shows; :mod:`.files` makes the files beside
the page from that, and of each figure the :class:`Picture` that :mod:`.page` shows. What cannot be shown is
:class:`Missing`: never an empty plot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .numbers import Numbers

if TYPE_CHECKING:
    import matplotlib.figure


@dataclass(frozen=True)
class Figure:
    """One figure.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from gpuhiggs.report.numbers import Column, Numbers, symmetric
    >>> mu = Column("mu", [1.02, 0.95], errors=(symmetric([0.1, 0.2]),))
    >>> def draw():
    ...     figure, axes = plt.subplots(figsize=(8, 7))
    ...     axes.errorbar(mu.values, [0, 1], xerr=[0.1, 0.2], fmt="o")
    ...     return figure
    >>> figure = Figure(
    ...     "signal_strengths", "Signal strengths", "Signal strength by channel, at 138 fb⁻¹ and 13 TeV.", draw,
    ...     (Numbers((Column("channel", ["γγ", "4ℓ"], independent=True), mu)),),
    ... )
    """

    name: str
    """Stem of its files, unique on a page: letters, digits, ``_`` and ``-``."""
    title: str
    caption: str
    """What it shows, from which inputs, at which luminosity and √s, and what its bands are. Plain text."""
    draw: Callable[[], matplotlib.figure.Figure]
    """Called within the style; may raise ValueError, which becomes words."""
    numbers: tuple[Numbers, ...]
    wide: bool = False
    """Whether it takes the whole width of the page."""


@dataclass(frozen=True)
class Picture:
    """A figure that was drawn, as a page shows it; its files and its numbers lie beside the page."""

    name: str
    title: str
    caption: str
    image: bytes
    """A PNG."""
    wide: bool = False


@dataclass(frozen=True)
class Table:
    """One table: its numbers are what is shown."""

    name: str
    title: str
    caption: str
    numbers: Numbers
    marked: frozenset[int] = frozenset()
    """Rows that stand out: totals."""


@dataclass(frozen=True)
class Missing:
    """What is not there, and why."""

    title: str
    reason: str
    """A sentence, with the remedy where there is one."""


@dataclass(frozen=True)
class Words:
    """Something that is said, not shown."""

    lines: tuple[str, ...]
    title: str = ""
    tone: Literal["plain", "answer", "warning", "failure"] = "plain"


Block = Figure | Picture | Table | Missing | Words


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    name: str
    """Its anchor, unique on a page."""
    title: str
    blocks: Sequence[Block]
    lead: str = ""
    """A sentence or two below the title."""
    group: str = ""
    """What it belongs to on a page of several runs."""
