"""Systematic variations as a configuration declares them; :mod:`gpuhiggs.variations` makes the kernels' tables of them.

::

    variations:
      shifts:                                   # objects move; selection and categories run again
        CMS_scale_e: {object: electron, size: {abs_eta: [0, 1.479, 2.5], values: [0.0005, 0.002]}}
        CMS_scale_j: {object: jet, correction: {file: jes.json.gz, name: …, columns: {JetEta: eta, JetPt: pt}}}
        CMS_res_j: {object: jet, calibration: {step: jer_sf, input: systematic, up: up, down: down}}
        CMS_unclustered: {object: met, branches: {how: replaced, up: [MET_ptUnclusteredUp, MET_phiUnclusteredUp], …}}
      weights:                                  # the weight alone: up and down
        CMS_eff_m: {object: muon, correction: {file: …, name: …, columns: {abseta: abs_eta, pt: pt}, variation: …}}
        CMS_btag_hf: {object: jet, calibration: {step: b_tag, input: systematic, up: up_hf, down: down_hf}}
        CMS_l1_prefiring: {branches: {nominal: L1PreFiringWeight_Nom, up: L1PreFiringWeight_Up, down: …_Dn}}
        ps_isr: {branches: {up: "PSWeight[0]", down: "PSWeight[2]"}, processes: [ggH]}
      sets:                                     # the weight alone: many members, combined at read-out
        pdf: {branch: LHEPdfWeight, members: 1-100, combine: hessian, reference: 0, sums: LHEPdfSumw}

A variation's name is that of its parameter in the statistical model: variations of one name, in whatever year or
channel, are fully correlated, those of different names not at all.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..kernels.shifts import OBJECTS
from .calibrations import StepVariation
from .frozen import Model

NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
ELEMENT = re.compile(r"^([A-Za-z_]\w*)(?:\[(\d+)\])?$")
"""A branch, or one value of a branch that has several an event."""

Objects = tuple[str, ...]


class Regions(Model):
    """A size that depends on one quantity: ``values[i]`` between ``edges[i]`` and ``edges[i + 1]``, ends included."""

    abs_eta: tuple[float, ...] | None = None
    eta: tuple[float, ...] | None = None
    pt: tuple[float, ...] | None = None
    values: tuple[float, ...]

    @property
    def quantity(self) -> str:
        """What the size depends on."""
        return next(name for name in ("abs_eta", "eta", "pt") if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("abs_eta", "eta", "pt") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"give the edges in one of abs_eta, eta and pt; got {', '.join(given) or 'none'}"
            raise ValueError(msg)
        edges = getattr(self, given[0])
        if any(b <= a for a, b in itertools.pairwise(edges)) or len(edges) != len(self.values) + 1:
            msg = f"{len(self.values)} values need as many rising edges and one more, got {list(edges)}"
            raise ValueError(msg)
        return self


class ShiftBranches(Model):
    """Branches that say where objects are: one a side, or two for the missing momentum."""

    how: Literal["replaced", "added"]
    """They hold the varied pt (and phi), or what is added to pt (or to x and y)."""
    up: tuple[str, ...]
    down: tuple[str, ...]

    @field_validator("up", "down", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.up == self.down:
            msg = f"up and down are equal: {', '.join(self.up)}"
            raise ValueError(msg)
        return self


def _sources(given: dict[str, Any]) -> None:
    if sum(value is not None for value in given.values()) != 1:
        msg = f"give one of {', '.join(given)}"
        raise ValueError(msg)


class _Objects(Model):
    object: Objects
    """Which objects: one class or a list."""

    @field_validator("object", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("object")
    @classmethod
    def _known(cls, value: Objects) -> Objects:
        if unknown := [name for name in value if name not in OBJECTS]:
            msg = f"unknown object {unknown[0]!r}; known: {', '.join(OBJECTS)}"
            raise ValueError(msg)
        return value


class ShiftConfig(_Objects):
    """A shift of the pt of objects, up and down; the missing momentum follows."""

    size: float | Regions | None = None
    """Relative."""
    correction: dict[str, Any] | None = None
    """Of a correctionlib file: the relative size, or with ``variation`` the factors up and down."""
    branches: ShiftBranches | None = None
    calibration: StepVariation | None = None
    """The objects are calibrated with another value of one step."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {"size": self.size, "correction": self.correction, "branches": self.branches}
        _sources({**given, "calibration": self.calibration})
        sizes = (self.size,) if isinstance(self.size, float) else self.size.values if self.size else (1.0,)
        if not any(sizes) or any(abs(size) >= 1.0 for size in sizes if self.size is not None):
            msg = f"size must be between -1 and 1 and not 0, where up and down are equal; got {list(sizes)}"
            raise ValueError(msg)
        if self.calibration is not None and "met" in self.object:
            msg = "a calibration is of objects; the missing momentum follows them"
            raise ValueError(msg)
        n = 2 if self.object == ("met",) else 1
        if self.branches is not None and ("met" in self.object) != (n == 2):
            msg = "branches move either the missing momentum or other objects"
            raise ValueError(msg)
        if self.branches is not None and {len(self.branches.up), len(self.branches.down)} != {n}:
            msg = f"{n} branches a side are needed for {', '.join(self.object)}"
            raise ValueError(msg)
        return self


class WeightBranches(Model):
    """Weights that the file has: ``NAME``, or ``NAME[k]`` for one of several values an event."""

    up: str
    down: str
    nominal: str | None = None
    """What up and down are relative to, and what multiplies the weight; without it they are ratios already."""

    @field_validator("up", "down", "nominal")
    @classmethod
    def _spelled(cls, value: str | None) -> str | None:
        if value is not None and not ELEMENT.match(value):
            msg = f"expected a branch, or BRANCH[k], got {value!r}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.up == self.down:
            msg = f"up and down are equal: {self.up}"
            raise ValueError(msg)
        return self


class WeightConfig(Model):
    """A variation of the weight, up and down, with the nominal factor that belongs to it."""

    object: Objects = ()
    """Of a correction of objects: the selected ones of these classes, multiplied; none: of the event."""
    correction: dict[str, Any] | None = None
    """Of a correctionlib file; its columns are pt, eta, abs_eta and phi of an object, or one branch of the event."""
    branches: WeightBranches | None = None
    calibration: StepVariation | None = None
    """The weights of a calibration, with another value of one of its steps; no object: those of the event."""
    processes: tuple[str, ...] | None = None
    """The processes that have it; all of them if not given."""

    _list = field_validator("object", mode="before")(_Objects._list.__func__)  # type: ignore[attr-defined]
    _known = field_validator("object")(_Objects._known.__func__)  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _sources({"correction": self.correction, "branches": self.branches, "calibration": self.calibration})
        if self.branches is not None and self.object:
            msg = "branches are of the event: no object"
            raise ValueError(msg)
        return self


class SetConfig(Model):
    """A set of weights, such as those of PDFs, filled member by member and combined at read-out."""

    branch: str
    members: tuple[int, ...] = Field(min_length=1)
    """A list, or ``first-last``."""
    combine: Literal["envelope", "hessian", "replicas"]
    """The outermost members; √Σ(member - reference)²; the standard deviation of the members."""
    reference: int | None = None
    """The member that is the nominal; without it the nominal weight."""
    sums: str | None
    """The branch of the ``Runs`` tree with the members' own Σw over Σw, which normalise them; null: none."""
    processes: tuple[str, ...] | None = None

    @field_validator("members", mode="before")
    @classmethod
    def _range(cls, value: Any) -> Any:
        found = re.fullmatch(r"(\d+)-(\d+)", value) if isinstance(value, str) else None
        return tuple(range(int(found[1]), int(found[2]) + 1)) if found else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if twice := sorted({member for member in self.members if self.members.count(member) > 1}):
            msg = f"members named twice: {', '.join(map(str, twice))}"
            raise ValueError(msg)
        if min(self.members) < 0 or self.reference in self.members:
            msg = f"members count from 0, without the reference; got {list(self.members)}, reference {self.reference}"
            raise ValueError(msg)
        return self


class VariationsConfig(Model):
    """All systematic variations of a run."""

    shifts: dict[str, ShiftConfig] = Field(default_factory=dict)
    weights: dict[str, WeightConfig] = Field(default_factory=dict)
    sets: dict[str, SetConfig] = Field(default_factory=dict)
    histograms: tuple[str, ...] | None = None
    """The histograms that have them; all that the channel fills with variations if not given."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [*self.shifts, *self.weights, *self.sets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"variations named twice: {', '.join(twice)}"
            raise ValueError(msg)
        if wrong := [name for name in names if not re.match(NAME, name)]:
            msg = f"a variation cannot be named {wrong[0]!r}: letters, digits and _ only"
            raise ValueError(msg)
        return self
