"""What a datacard says, as data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

SHAPES = ("shape", "shape?", "shapeU")
SYSTEMATICS = ("lnN", "lnU", "gmN", "trG", *SHAPES)
DIRECTIVES = (*SYSTEMATICS, "param", "flatParam", "rateParam", "extArg", "group", "autoMCStats", "nuisance edit")
REFUSED = {
    "discrete": "a discrete choice of functions lives in a RooWorkspace; gpuhiggs has it for a peak on a background",
    "constr": "a constraint on an expression is not supported",
    "shapeN": "morphing of logarithms is not supported; use shape",
    "shapeN2": "morphing of logarithms is not supported; use shape",
    "shapeN?": "morphing of logarithms is not supported; use shape?",
    "shapeL": "linear morphing is not supported; use shape",
    "shape2": "quadratic morphing is not supported; use shape",
    "gmM": "use lnN or gmN",
    "unif": "use lnU",
    "dFD": "use lnU",
    "dFD2": "use lnU",
}
"""Directives of Combine that are not understood here, and what to do."""


@dataclass(frozen=True)
class Column:
    """A process in a channel: its number, 0 or negative for signals, and its rate, -1 for that of its template."""

    channel: str
    process: str
    number: int
    rate: float


class ShapeRule(NamedTuple):
    """Where templates are: ``*`` stands for any process or channel; names of the nominal and of varied templates."""

    process: str
    channel: str
    file: str
    names: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Systematic:
    """A nuisance parameter: its kind, the events of a gmN, what it does to each column (None: nothing).

    `template` is what its templates are called, which a new name does not change.
    """

    name: str
    kind: str
    effects: tuple[str | None, ...]
    events: int = 0
    is_fixed: bool = False
    line: int = 0
    template: str = ""

    @property
    def template_name(self) -> str:
        """Name that stands for $SYSTEMATIC."""
        return self.template or self.name

    def of(self, effects: tuple[str | None, ...]) -> Systematic:
        """Return the same with other effects."""
        return replace(self, effects=effects)


@dataclass(frozen=True)
class Rate:
    """A rateParam: a value and range, or an expression of other parameters, `arguments`."""

    name: str
    channel: str
    process: str
    value: float = 1.0
    bounds: tuple[float, float] | None = None
    expression: str | None = None
    arguments: tuple[str, ...] = ()
    line: int = 0


class Free(NamedTuple):
    """A parameter of expressions (``extArg``, ``param``): a normal constraint has a width, a constant is fixed."""

    value: float
    bounds: tuple[float, float] | None = None
    width: float | None = None
    is_fixed: bool = False


@dataclass
class Card:
    """What a card says; `source` is its file, from which templates are found."""

    source: Path
    observed: dict[str, float] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    rate_line: int = 0
    shapes: list[ShapeRule] = field(default_factory=list)
    systematics: list[Systematic] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    free: dict[str, Free] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    groups: dict[str, list[str]] = field(default_factory=dict)
    mc_statistics: list[tuple[str, float, bool]] = field(default_factory=list)
    """autoMCStats: channel, threshold, whether signals count."""

    def where(self, line: int) -> str:
        """Return the place of a line, for messages."""
        return f"{self.source}, line {line}" if line else str(self.source)

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of all processes."""
        return tuple(dict.fromkeys(column.process for column in self.columns))

    @property
    def parameters(self) -> set[str]:
        """Names of everything that a group, an expression or an edit may speak of."""
        return {s.name for s in self.systematics} | {r.name for r in self.rates} | set(self.free)
