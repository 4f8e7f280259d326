"""Calibrations: from their declaration to the tables of :mod:`.kernels.calibration`.

Variations ask the :class:`Calibrator` of a class of objects for columns while they are compiled; what it then is,
:meth:`Calibrator.compiled` says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..config import validate
from ..config.calibrations import BRANCH, DERIVED, OBJECTS, CalibrationConfig, StepConfig, StepVariation
from ..corrections import CorrectionConfig, Library, compile_declared
from ..errors import ConfigError
from ..kernels import calibration as kernel
from . import hard_process

_WORD = re.compile(r"[A-Za-z_]\w*")
_VARIED = "varied"
"""The quantity of what comes after the nominal steps."""


class Calibration(NamedTuple):
    """What is done to one class of objects."""

    name: str
    inputs: Mapping[str, str]
    """Branches by quantity, in the kernel's order."""
    steps: tuple[str, ...]
    """Of each row of the tables its step's name."""
    tables: kernel.Tables
    moves: bool
    met_pt_min: float | None
    collection: str = ""
    """The kernel's collection that holds the objects; of the event none."""
    missing: str | None = None
    """The kernel's missing momentum, which may follow."""

    @property
    def branches(self) -> set[str]:
        """All branches that it reads."""
        derived = {name for branch in self.inputs.values() if DERIVED.match(branch) for name in hard_process.BRANCHES}
        return derived | {
            part
            for branch in self.inputs.values()
            if (found := BRANCH.match(branch))
            for part in found.groups()
            if part
        }

    @property
    def columns(self) -> int:
        """How many columns it gives."""
        return int(self.tables.takes.size) // 3


class _Row(NamedTuple):
    kind: int
    root: int
    slot: int
    where: int
    otherwise: float
    sign: float
    step: str


@dataclass
class Calibrator:
    """One class of objects on its way to tables."""

    name: str
    config: CalibrationConfig
    simulation: bool
    place: str
    library: Library = field(default_factory=Library)
    runs: list[tuple[bool, tuple[_Row, ...]]] = field(default_factory=list)
    """Whether it goes on from the nominal, and its rows."""
    columns: list[tuple[int, int]] = field(default_factory=list)
    """(run, slot) of each column, in the order in which they were asked for."""

    def __post_init__(self) -> None:
        wanted = None if self.simulation else self._used()
        self.inputs = {name: branch for name, branch in self.config.inputs.items() if wanted is None or name in wanted}
        self.quantities = (*kernel.QUANTITIES, *self.inputs, *self.config.steps, _VARIED)
        self._nominal: dict[str, _Row] = {}
        self.runs.append((False, tuple(self._rows({}))))

    def _used(self) -> set[str]:
        """Return the names in the steps that happen: data do not have what only simulation's steps ask for."""
        found: set[str] = set()
        for step in self.config.steps.values():
            if step.happens(simulation=self.simulation):
                columns = (step.correction or {}).get("columns", {})
                texts = (step.formula or "", step.where or "", *map(str, columns.values()), *(step.random or ()))
                found.update(*(_WORD.findall(text) for text in texts))
        return found

    @property
    def weights(self) -> tuple[str, ...]:
        """The steps whose values multiply the weight of an event."""
        return tuple(
            name for name in self.config.weights if self.config.steps[name].happens(simulation=self.simulation)
        )

    def _rows(self, changed: Mapping[str, StepConfig]) -> list[_Row]:
        """Return the rows of all steps, some of them changed."""
        known = [*kernel.QUANTITIES, *self.inputs]
        rows = []
        for name, declared in self.config.steps.items():
            if declared.happens(simulation=self.simulation):
                if name not in self._nominal:
                    self._nominal[name] = self._row(name, declared, known)
                row = self._nominal[name]
                if name in changed:
                    if math.isnan(changed[name].otherwise):  # objects that do not vary keep the nominal, found first
                        rows.append(row._replace(kind=kernel.KEEP))
                    row = self._row(name, changed[name], known)
                rows.append(row)
                known.append(name)
        return rows

    def _row(self, name: str, step: StepConfig, known: list[str]) -> _Row:
        place = f"{self.place}.steps.{name}"
        where = kernel.ALWAYS if step.where is None else self._formula(step.where, known, f"{place}.where")
        kind = kernel.SCALE if step.scales_pt else kernel.KEEP
        root = self._root(step, known, place)
        return _Row(kind, root, self.quantities.index(name), where, step.otherwise, 1.0, name)

    def _root(self, step: StepConfig, known: list[str], place: str) -> int:
        if step.formula is not None:
            return self._formula(step.formula, known, f"{place}.formula")
        if step.random is not None:
            self._require(step.random, known, f"{place}.random")
            return self.library.random([self.quantities.index(name) for name in step.random])
        return self._correction(step.correction or {}, known, f"{place}.correction")

    def _formula(self, text: str, known: list[str], place: str) -> int:
        try:
            return self.library.formula(text, {name: self.quantities.index(name) for name in known})
        except ValueError as error:
            msg = f"{place}: {error}"
            raise ConfigError(msg) from error

    def _correction(self, raw: dict[str, Any], known: list[str], place: str) -> int:
        declared = validate(CorrectionConfig, raw, place)
        if declared.variation is not None:
            msg = f"{place}: no variation here: give the nominal in `fixed`; variations name the step and its input"
            raise ConfigError(msg)
        self._require(tuple(declared.columns.values()), known, f"{place}.columns")
        return compile_declared(self.library, declared, self.quantities, place).nominal

    def _require(self, names: tuple[str, ...], known: list[str], place: str) -> None:
        if unknown := [name for name in names if name not in known]:
            kind = "simulation" if self.simulation else "data"
            msg = f"{place}: unknown quantity {unknown[0]!r}; at this step there are (in {kind}) {', '.join(known)}"
            raise ConfigError(msg)

    def _column(self, run: tuple[bool, tuple[_Row, ...]], slot: int) -> int:
        if run not in self.runs:
            self.runs.append(run)
        found = (self.runs.index(run), slot)
        if found not in self.columns:
            self.columns.append(found)
        return self.columns.index(found)

    def relative(self, raw: dict[str, Any], sign: float, place: str) -> int:
        """Return the column of the pt moved by a relative size, which a correction gives of the calibrated object."""
        steps = [name for name, step in self.config.steps.items() if step.happens(simulation=self.simulation)]
        root = self._correction(raw, [*kernel.QUANTITIES, *self.inputs, *steps], place)
        row = _Row(kernel.RELATIVE, root, self.quantities.index(_VARIED), kernel.ALWAYS, 1.0, sign, place)
        return self._column((True, (row,)), kernel.PT)

    def nominal(self, step: str) -> int:
        """Return the column of a step's value."""
        return self._column(self.runs[0], self.quantities.index(step))

    def varied(self, one: StepVariation, side: str, quantity: str, place: str) -> int:
        """Return the column of a quantity, or of the pt, when the steps are done with another value of one.

        Raises
        ------
        ConfigError
            If there is no such step, or it has no such input.
        """
        declared = self.config.steps.get(one.step)
        if declared is None or not declared.happens(simulation=self.simulation):
            msg = (
                f"{place}: unknown step {one.step!r} of {self.name}; there are {', '.join(self.config.steps) or 'none'}"
            )
            raise ConfigError(msg)
        run = (False, tuple(self._rows({one.step: _changed(declared, one, side, place)})))
        if run == self.runs[0]:
            msg = f"{place}: {side!r} is the nominal of the step {one.step}"
            raise ConfigError(msg)
        return self._column(run, kernel.PT if quantity == "pt" else self.quantities.index(quantity))

    def compiled(self) -> Calibration:
        """Return the tables.

        Raises
        ------
        ConfigError
            If an object would need more room than there is.
        """
        if self.library.slots > kernel.SLOTS or len(self.quantities) > kernel.SLOTS:
            msg = f"{self.place}: {max(self.library.slots, len(self.quantities))} quantities, at most {kernel.SLOTS}"
            raise ConfigError(msg)
        # What goes on from the nominal comes right behind it: it finds the quantities of the nominal steps.
        order = sorted(range(len(self.runs)), key=lambda run: (run > 0, not self.runs[run][0], run))
        rows: list[_Row] = []
        spans = []
        for run in order:
            after, content = self.runs[run]
            spans.append((len(rows), len(rows) + len(content), int(after)))
            rows += content
        takes = sorted((order.index(run), slot, column) for column, (run, slot) in enumerate(self.columns))
        tables = kernel.Tables(
            self.library.tables(),
            np.array([row[:4] for row in rows], np.int64).reshape(-1),
            np.array([(row.otherwise, row.sign) for row in rows], np.float64).reshape(-1),
            np.array(spans, np.int64).reshape(-1),
            np.array(takes, np.int64).reshape(-1),
            np.zeros(max(len(rows), 1), np.int64),
        )
        moves = any(step.scales_pt and step.happens(simulation=self.simulation) for step in self.config.steps.values())
        return Calibration(
            self.name, self.inputs, tuple(row.step for row in rows), tables, moves, self.config.met_pt_min
        )


def _changed(declared: StepConfig, one: StepVariation, side: str, place: str) -> StepConfig:
    """Return a step with another value of one of its inputs, or another formula."""
    if one.where is not None:
        both = one.where if declared.where is None else f"({declared.where}) && ({one.where})"
        declared = declared.model_copy(update={"where": both, "otherwise": math.nan})
    if one.input is None:
        if declared.formula is None:
            msg = f"{place}: the step {one.step} is no formula: `input` must say what of its correction varies"
            raise ConfigError(msg)
        return declared.model_copy(update={"formula": side})
    fixed = (declared.correction or {}).get("fixed", {})
    if one.input not in fixed:
        msg = (
            f"{place}: {one.input!r} is not among the fixed inputs of the step {one.step}: {', '.join(fixed) or 'none'}"
        )
        raise ConfigError(msg)
    correction = {**(declared.correction or {}), "fixed": {**fixed, one.input: side}}
    return declared.model_copy(update={"correction": correction})


def calibrators(
    config: Mapping[str, CalibrationConfig], *, simulation: bool, place: str = "calibrations"
) -> dict[str, Calibrator]:
    """Return what is declared, by object, in the order in which it happens."""
    return {name: Calibrator(name, config[name], simulation, f"{place}.{name}") for name in OBJECTS if name in config}
