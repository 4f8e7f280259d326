"""Variations compiled: from their declaration to the rows that :mod:`.kernels.shifts` and :mod:`.kernels.weights` read.

No channel is named here: its kernel module says which objects it moves (``MOVES``) and weighs (``WEIGHED``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple

import correctionlib.schemav2 as schema
import numpy as np

from ..calibrations import Calibration, Calibrator, calibrators
from ..columns import Extra
from ..config import validate
from ..config.calibrations import EVENT, OBJECTS, CalibrationConfig, StepVariation
from ..config.variations import ELEMENT, Regions, ShiftConfig, VariationsConfig, WeightConfig
from ..corrections import Correction, CorrectionConfig, Library, Variants, compile_declared
from ..errors import ConfigError
from ..kernels import lookup, shifts, weights
from ..kernels.language import fields
from . import SIDES, Names, applies, names, ordered_members
from .reach import Rows, reach

COLLECTIONS = {"muon": "muons", "electron": "electrons", "photon": "photons", "jet": "jets"}
"""Where the kernels of the package have the objects of a class; others say in ``COLLECTIONS`` where they are."""
MISSING_MOMENTA = ("met", "puppi_met")


class Tables(NamedTuple):
    """The fields of a kernel's ``Tables`` that belong to variations, and what has to be read for them."""

    names: Names
    corrections: lookup.Lookup
    shifts: shifts.Shifts
    weights: weights.WeightTable
    reach: shifts.Reach
    extras: tuple[Extra, ...]
    calibrations: dict[str, Calibration]
    """By class of objects, in the order in which they happen."""


@dataclass
class _Builder:
    """Collects rows, corrections and branches."""

    place: str
    kernel: ModuleType
    calibrators: dict[str, Calibrator]
    simulation: bool
    library: Library = field(default_factory=Library)
    extras: list[Extra] = field(default_factory=list)
    sizes: list[tuple[int, int, int, float]] = field(default_factory=list)
    """(classes, kind, reference, sign) of each row of a shift that has a size."""

    def branch(self, name: str, collection: str | None = None, values: int = 0) -> int:
        """Return the number of a branch that has at least so many values an event; 0: it has one."""
        for number, extra in enumerate(self.extras):
            if extra[:2] == (name, collection) and (extra.values > 0) == (values > 0):
                self.extras[number] = extra._replace(values=max(extra.values, values))
                return number
        self.extras.append(Extra(name, collection, values))
        return len(self.extras) - 1

    def pair(self, first: str, second: str) -> int:
        """Return the number of the first of two branches that follow each other."""
        self.extras += [Extra(first), Extra(second)]
        return len(self.extras) - 2

    def calibrator(self, name: str) -> Calibrator:
        """Return what is done to a class of objects beforehand; nothing as yet, if nothing is declared."""
        self.require(name)
        if name not in self.calibrators:
            self.calibrators[name] = Calibrator(name, CalibrationConfig(), self.simulation, f"calibrations.{name}")
        return self.calibrators[name]

    def require(self, name: str) -> None:
        """Refuse to calibrate what the channel has not, or not by itself.

        Raises
        ------
        ConfigError
            If there is no collection of its own.
        """
        if name != EVENT and self.own_collection(name) is None:
            msg = f"calibrations.{name}: the channel has no collection of {name}s"
            raise ConfigError(msg)

    def own_collection(self, name: str) -> str | None:
        """Return the kernel's collection of nothing but the objects of a class."""
        collection = getattr(self.kernel, "COLLECTIONS", COLLECTIONS).get(name)
        return collection if collection in fields(self.kernel.Inputs) else None

    def missing_momentum(self) -> str | None:
        """Return the kernel's missing momentum, if it has one."""
        names = (*MISSING_MOMENTA, getattr(self.kernel, "COLLECTIONS", {}).get("met"))
        return next((name for name in names if name in fields(self.kernel.Inputs)), None)

    def compiled(self, name: str) -> Calibration:
        """Return what is done beforehand to a class of objects, or to the event."""
        found = self.calibrators[name].compiled()
        return found._replace(collection=self.own_collection(name) or "", missing=self.missing_momentum())

    def column(self, name: str, number: int) -> int:
        """Return the branch that stands for a column of a calibration."""
        extra = Extra(name, None if name == EVENT else self.collection(name, self.place), 0, number)
        if extra not in self.extras:
            self.extras.append(extra)
        return self.extras.index(extra)

    def collection(self, name: str, place: str) -> str:
        """Return the kernel's collection that holds the objects of a class."""
        collection = self.own_collection(name) or "leptons"
        if collection not in fields(self.kernel.Inputs):
            msg = f"{place}: the channel has no collection of {name}s"
            raise ConfigError(msg)
        return collection

    def in_kernel(self, raw: dict[str, Any], place: str) -> bool:
        """Whether a kernel can look a correction up: it has binnings and categories, over what the kernel knows."""
        declared = validate(CorrectionConfig, raw, place)
        if not set(declared.columns.values()) <= set(shifts.QUANTITIES):
            return False
        alone = Library()
        compile_declared(alone, declared, shifts.QUANTITIES, place)
        return alone.tabulated

    def correction(self, raw: dict[str, Any], offered: Sequence[str], place: str) -> Variants:
        """Compile a correction of a file that kernels look up."""
        declared = validate(CorrectionConfig, raw, place)
        found = compile_declared(self.library, declared, offered, place)
        if not self.library.tabulated:
            msg = (
                f"{place}: {declared.name} has formulas or transforms; weights of objects have binnings and categories "
                "alone, others are steps of `calibrations`"
            )
            raise ConfigError(msg)
        return found

    def regions(self, size: float | Regions) -> int:
        """Return the reference of a size that the configuration itself gives."""
        if isinstance(size, float):
            size = Regions(abs_eta=(0.0, 1.0), values=(size,))
        quantity = size.quantity
        node = schema.Correction(
            name="size", version=1, inputs=[schema.Variable(name=quantity, type="real")],
            output=schema.Variable(name="size", type="real"),
            data=schema.Binning(
                nodetype="binning", input=quantity, edges=list(getattr(size, quantity)), content=list(size.values),
                flow="clamp",
            ),
        )  # fmt: skip
        place = shifts.QUANTITIES.index(quantity)
        return self.library.add(Correction(self.place, node, {}), {}, {quantity: place}, len(shifts.QUANTITIES))

    def known(self, objects: Sequence[str], attribute: str, place: str) -> int:
        """Return the bits of classes of objects that the channel has.

        Raises
        ------
        ConfigError
            If it has not all of them.
        """
        have: tuple[str, ...] = getattr(self.kernel, attribute, ())
        if wrong := [name for name in objects if name not in have]:
            what = {"MOVES": "moves", "WEIGHED": "weighs"}[attribute]
            msg = f"{place}: the channel {what} no {wrong[0]}; it {what} {', '.join(have) or 'nothing'}"
            raise ConfigError(msg)
        return sum(1 << shifts.OBJECTS.index(name) for name in objects)


def _shift_rows(builder: _Builder, one: ShiftConfig, place: str) -> list[Rows]:
    """Return the rows of a shift's two sides."""
    classes = builder.known(one.object, "MOVES", place)
    if one.branches is not None:
        kind = shifts.REPLACED if one.branches.how == "replaced" else shifts.ADDED
        sides = (one.branches.up, one.branches.down)
        if one.object == ("met",):
            return [[(classes, kind, 0, builder.pair(*side), 1.0)] for side in sides]
        return [[_object_row(builder, name, kind, side[0], place) for name in one.object] for side in sides]
    if one.calibration is not None:
        varied = one.calibration
        return [
            [_calibrated_row(builder, name, varied, side, place) for name in one.object]
            for side in (varied.up, varied.down)
        ]
    if one.correction is None:
        root = builder.regions(one.size or 0.0)
        return [[(classes, shifts.RELATIVE, root, 0, sign)] for _, sign in SIDES]
    if not builder.in_kernel(one.correction, f"{place}.correction"):
        return [_relative_rows(builder, one, one.correction, sign, f"{place}.correction") for _, sign in SIDES]
    found = builder.correction(one.correction, shifts.QUANTITIES, f"{place}.correction")
    if found.up == found.down:
        return [[(classes, shifts.RELATIVE, found.nominal, 0, sign)] for _, sign in SIDES]
    return [[(classes, shifts.FACTOR, root, 0, 1.0)] for root in (found.up, found.down)]


def _object_row(builder: _Builder, name: str, kind: int, branch: str, place: str) -> tuple[int, int, int, int, float]:
    number = builder.branch(branch, builder.collection(name, place))
    return 1 << shifts.OBJECTS.index(name), kind, 0, number, 1.0


def _replaced(builder: _Builder, name: str, column: int) -> tuple[int, int, int, int, float]:
    """Return the row that puts an object where a column of its calibration says."""
    return 1 << shifts.OBJECTS.index(name), shifts.REPLACED, 0, builder.column(name, column), 1.0


def _calibrated_row(
    builder: _Builder, name: str, varied: StepVariation, side: str, place: str
) -> tuple[int, int, int, int, float]:
    return _replaced(builder, name, builder.calibrator(name).varied(varied, side, "pt", f"{place}.calibration"))


def _relative_rows(builder: _Builder, one: ShiftConfig, raw: dict[str, Any], sign: float, place: str) -> Rows:
    """Return the rows of a relative size that kernels do not look up themselves."""
    if "met" in one.object:
        msg = f"{place}: the correction has formulas or transforms, which move objects but not the missing momentum"
        raise ConfigError(msg)
    return [_replaced(builder, name, builder.calibrator(name).relative(raw, sign, place)) for name in one.object]


def _weight_rows(builder: _Builder, one: WeightConfig, first: int, place: str) -> list[list[int]]:
    """Return the rows of a weight: its nominal factor, up and down."""
    if one.branches is not None:
        return _branch_rows(builder, one, first)
    if one.calibration is not None:
        return _step_rows(builder, one, one.calibration, first, place)
    raw = one.correction or {}
    if "jet" in one.object:
        msg = f"{place}: scale factors of jets are steps of calibrations.jet, among its weights; variations name them"
        raise ConfigError(msg)
    if "variation" not in raw:
        msg = f"{place}.correction: a weight needs `variation`: which input says nominal, up and down"
        raise ConfigError(msg)
    if one.object:
        classes, kind, branch = builder.known(one.object, "WEIGHED", place), weights.OBJECT, 0
        found = builder.correction(raw, shifts.QUANTITIES, f"{place}.correction")
    else:
        columns = tuple(dict.fromkeys(raw.get("columns", {}).values()))
        if len(columns) != 1:
            msg = (
                f"{place}.correction.columns: an event's correction depends on one branch, got {list(columns)}; "
                "calibrations.event takes several"
            )
            raise ConfigError(msg)
        classes, kind, branch = 0, weights.EVENT, builder.branch(columns[0])
        found = builder.correction(raw, columns, f"{place}.correction")
    base = weights.NO_BASE
    rows = [[kind, weights.NOMINAL, 1, branch, base, classes, found.nominal, 0]]
    for side, root in enumerate((found.up, found.down)):
        rows.append([kind, first + side, 1, branch, found.nominal, classes, root, 0])
    return rows


def _branch_rows(builder: _Builder, one: WeightConfig, first: int) -> list[list[int]]:
    assert one.branches is not None

    def element(spelled: str) -> tuple[int, int]:
        found = ELEMENT.match(spelled)
        assert found is not None
        name, place = found[1], found[2]
        return builder.branch(name, None, 0 if place is None else int(place) + 1), int(place or 0)

    rows = []
    base = -1
    if one.branches.nominal is not None:
        base, member = element(one.branches.nominal)
        rows.append([weights.BRANCH, weights.NOMINAL, 1, base, -1, 0, 0, member])
    for side, spelled in enumerate((one.branches.up, one.branches.down)):
        branch, member = element(spelled)
        rows.append([weights.BRANCH, first + side, 1, branch, base, 0, 0, member])
    return rows


def _step_rows(builder: _Builder, one: WeightConfig, varied: StepVariation, first: int, place: str) -> list[list[int]]:
    """Return the rows of up and down of every weight that a calibration gives."""
    rows = []
    for name in one.object or (EVENT,):
        calibrator = builder.calibrator(name)
        if not calibrator.weights:
            msg = f"{place}.calibration: calibrations.{name} has no weights that could vary"
            raise ConfigError(msg)
        for quantity in calibrator.weights:
            base = builder.column(name, calibrator.nominal(quantity))
            for side, value in enumerate((varied.up, varied.down)):
                column = builder.column(name, calibrator.varied(varied, value, quantity, f"{place}.calibration"))
                rows.append(_column_row(builder, name, first + side, column, base))
    return rows


def _column_row(builder: _Builder, name: str, first: int, column: int, base: int) -> list[int]:
    """Return the row of a weight that a column of a calibration holds, for each event or each selected object."""
    if name == EVENT:
        return [weights.BRANCH, first, 1, column, base, 0, 0, 0]
    return [weights.COLUMN, first, 1, column, base, builder.known((name,), "WEIGHED", builder.place), 0, 0]


def _nominal_rows(builder: _Builder) -> list[list[int]]:
    """Return the rows of the weights that calibrations give, whatever varies."""
    return [
        _column_row(builder, name, weights.NOMINAL, builder.column(name, one.nominal(quantity)), -1)
        for name, one in builder.calibrators.items()
        for quantity in one.weights
    ]


def compile_variations(
    config: VariationsConfig | None,
    kernel: ModuleType,
    process: str,
    *,
    simulation: bool,
    calibrations: Mapping[str, CalibrationConfig] | None = None,
    place: str = "variations",
) -> Tables:
    """Return the tables of all variations for a dataset of a process, of data none, and of what is found beforehand.

    Raises
    ------
    ConfigError
        If a correction cannot be compiled, the channel lacks an object, or there are too many.
    """
    declared = calibrators(calibrations or {}, simulation=simulation)
    builder = _Builder(place, kernel, declared, simulation)
    for name in declared:
        builder.require(name)
    rows = _nominal_rows(builder)
    if config is None or not simulation:
        return _tables(builder, Names(), [[]], rows)
    if (config.shifts or config.weights or config.sets) and not hasattr(kernel, "MOVES"):
        msg = (
            f"{place}: the channel has none; its module says neither what MOVES nor what is WEIGHED, and its body does "
            "not take `variation`"
        )
        raise ConfigError(msg)
    moved: list[Rows] = [[]]
    for name, shift in config.shifts.items():
        moved += _shift_rows(builder, shift, f"{place}.shifts.{name}")
    first = 0
    for name, weight in config.weights.items():
        if applies(weight, process):
            rows += _weight_rows(builder, weight, first, f"{place}.weights.{name}")
        first += 2
    for one in config.sets.values():
        members = ordered_members(one)
        if applies(one, process):
            branch = builder.branch(one.branch, None, max(members) + 1)
            rows += [[weights.BRANCH, first + i, n, branch, -1, 0, 0, start] for i, start, n in _runs(members)]
        first += len(members)
    if first > weights.WEIGHTS:
        msg = f"{place}: {first} variations of the weight, at most {weights.WEIGHTS} are possible"
        raise ConfigError(msg)
    return _tables(builder, names(config), moved, rows)


def _runs(members: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return members that follow each other as (place, first, how many)."""
    found: list[tuple[int, int, int]] = []
    for place, member in enumerate(members):
        if found and member == found[-1][1] + found[-1][2]:
            found[-1] = (*found[-1][:2], found[-1][2] + 1)
        else:
            found.append((place, member, 1))
    return found


def _tables(builder: _Builder, filled: Names, moved: list[Rows], rows: list[list[int]]) -> Tables:
    tables = builder.library.tables()
    table = np.array([row[:4] for shift in moved for row in shift], np.int64).reshape(-1)
    return Tables(
        filled,
        tables,
        shifts.Shifts(
            first=np.cumsum([0, *map(len, moved)]).astype(np.int64),
            rows=table,
            sign=np.array([row[4] for shift in moved for row in shift], np.float64),
            problems=np.zeros(1, np.int64),
        ),
        weights.WeightTable(
            len(filled.weights), len(rows), np.array(rows, np.int64).reshape(-1), np.zeros(2, np.int64)
        ),
        reach(tables, moved, builder.extras),
        tuple(builder.extras),
        {name: builder.compiled(name) for name in OBJECTS if name in builder.calibrators},
    )
