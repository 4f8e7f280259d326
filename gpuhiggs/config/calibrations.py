"""Calibrations as a configuration declares them; :mod:`gpuhiggs.calibrations` evaluates them before the kernel.

::

    calibrations:
      jet:
        met_pt_min: 15                        # the missing momentum follows jets above it; null: it does not
        inputs: {raw: Jet_rawFactor, area: Jet_area, rho: fixedGridRhoFastjetAll, event: event,
                 gen_pt: "GenJet_pt[Jet_genJetIdx]"}
        steps:                                # in this order; each may use the quantities before it
          uncalibrated: {formula: "1 - raw", scales_pt: true}
          jec: {correction: {file: …, name: …, columns: {JetPt: pt, JetEta: eta, …}}, scales_pt: true}
          jer_sf: {correction: {…, fixed: {systematic: nom}}, of: simulation}
          smear: {correction: {…, columns: {…, GenPt: gen_pt, EventID: event, JERSF: jer_sf}}, scales_pt: true, …}
        weights: []                           # steps whose values multiply the weight of an event, jet by jet
      event:
        inputs: {n_pile_up: Pileup_nTrueInt}
        steps: {pile_up: {correction: {…}, of: simulation}}
        weights: [pile_up]

A step is a number found of each object: a correction of a correctionlib file of any kind, a formula in correctionlib's
dialect over the quantities by their names, or a standard normal random number that is a hash of some of them.
"""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..kernels.calibration import QUANTITIES
from .frozen import Model

EVENT = "event"
OBJECTS = ("muon", "electron", "photon", "jet", EVENT)
"""What may be calibrated, in the order in which it is: an event has quantities and weights, but nothing that moves."""
NAME = re.compile(r"^[A-Za-z_]\w*$")
BRANCH = re.compile(r"^([A-Za-z_]\w*)(?:\[([A-Za-z_]\w*)\])?$")
"""A branch, or one of another collection by the objects' indices into it."""
DERIVED = re.compile(r"^hard_process\.(mass|same_flavour)$")
"""What is found of the generator's four leptons: see :mod:`gpuhiggs.kernels.hard_process`."""


class StepConfig(Model):
    """One number found of each object."""

    correction: dict[str, Any] | None = None
    """Of a correctionlib file; its columns are quantities."""
    formula: str | None = None
    random: tuple[str, ...] | None = None
    """The quantities, whole numbers, whose hash gives a standard normal number: the same in every run."""
    scales_pt: bool = False
    """Whether the object's pt is multiplied by it."""
    of: Literal["data", "simulation", "both"] = "both"
    where: str | None = None
    """A formula: where it is 0, the value is ``otherwise``."""
    otherwise: float = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("correction", "formula", "random") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"give one of correction, formula and random; got {', '.join(given) or 'none'}"
            raise ValueError(msg)
        return self

    def happens(self, *, simulation: bool) -> bool:
        """Whether data, or simulation, have it."""
        return self.of == "both" or (self.of == "simulation") == simulation


class CalibrationConfig(Model):
    """What is found of the objects of one class."""

    inputs: dict[str, str] = Field(default_factory=dict)
    """Further quantities by name: branches of the objects, or of the event, or ``BRANCH[INDEX]`` of matched objects.

    ``hard_process.mass`` and ``hard_process.same_flavour`` are of the generator's four leptons, -1 without them.
    """
    steps: dict[str, StepConfig] = Field(default_factory=dict)
    weights: tuple[str, ...] = ()
    """Steps whose values multiply an event's weight: of each selected object (jets: in the b tag's range)."""
    met_pt_min: float | None = None
    """The missing momentum follows objects above it, GeV; null: it does not."""

    @field_validator("inputs")
    @classmethod
    def _branches(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [branch for branch in value.values() if not (BRANCH.match(branch) or DERIVED.match(branch))]:
            msg = f"expected a branch, BRANCH[INDEX], hard_process.mass or hard_process.same_flavour; got {wrong[0]!r}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [*QUANTITIES, *self.inputs, *self.steps]
        if wrong := [name for name in names if not NAME.match(name)]:
            msg = f"a quantity cannot be named {wrong[0]!r}: letters, digits and _ only"
            raise ValueError(msg)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"quantities named twice: {', '.join(twice)}"
            raise ValueError(msg)
        if unknown := [name for name in self.weights if name not in self.steps]:
            msg = f"weights: no step {unknown[0]!r}; there are {', '.join(self.steps) or 'none'}"
            raise ValueError(msg)
        moving = any(step.scales_pt for step in self.steps.values())
        if moving and "met_pt_min" not in self.model_fields_set:
            msg = "met_pt_min is needed where a step scales the pt: above which the missing momentum follows, or null"
            raise ValueError(msg)
        return self


def check(calibrations: dict[str, CalibrationConfig]) -> None:
    """Refuse objects that cannot be calibrated, or have what only others have.

    Raises
    ------
    ValueError
        With the first of them.
    """
    for name, one in calibrations.items():
        if name not in OBJECTS:
            msg = f"unknown object {name!r}; known: {', '.join(OBJECTS)}"
            raise ValueError(msg)
        if name == EVENT and any(step.scales_pt for step in one.steps.values()):
            msg = "event: it has no pt that could be scaled"
            raise ValueError(msg)


class StepVariation(Model):
    """A variation of one step: the steps are done again with another value of an input, or another formula."""

    step: str
    input: str | None = None
    """The fixed input of the step's correction that says up or down; none: ``up`` and ``down`` are formulas."""
    up: str
    down: str
    where: str | None = None
    """A formula: objects for which it is 0 do not vary."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.up == self.down:
            msg = f"up and down are equal: {self.up}"
            raise ValueError(msg)
        return self
