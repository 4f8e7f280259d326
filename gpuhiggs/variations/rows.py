"""One variation as rows of the tables of :mod:`.kernels.shifts` and :mod:`.kernels.weights`."""

from __future__ import annotations

from typing import Any

from ..config.calibrations import EVENT, StepVariation
from ..config.variations import ELEMENT, ShiftConfig, WeightConfig
from ..errors import ConfigError
from ..kernels import shifts, weights
from . import SIDES
from .builder import Builder
from .reach import Rows


def shift_rows(builder: Builder, one: ShiftConfig, place: str) -> list[Rows]:
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


def _object_row(builder: Builder, name: str, kind: int, branch: str, place: str) -> tuple[int, int, int, int, float]:
    number = builder.branch(branch, builder.collection(name, place))
    return 1 << shifts.OBJECTS.index(name), kind, 0, number, 1.0


def _replaced(builder: Builder, name: str, column: int) -> tuple[int, int, int, int, float]:
    """Return the row that puts an object where a column of its calibration says."""
    return 1 << shifts.OBJECTS.index(name), shifts.REPLACED, 0, builder.column(name, column), 1.0


def _calibrated_row(
    builder: Builder, name: str, varied: StepVariation, side: str, place: str
) -> tuple[int, int, int, int, float]:
    return _replaced(builder, name, builder.calibrator(name).varied(varied, side, "pt", f"{place}.calibration"))


def _relative_rows(builder: Builder, one: ShiftConfig, raw: dict[str, Any], sign: float, place: str) -> Rows:
    """Return the rows of a relative size that kernels do not look up themselves."""
    if "met" in one.object:
        msg = f"{place}: the correction has formulas or transforms, which move objects but not the missing momentum"
        raise ConfigError(msg)
    return [_replaced(builder, name, builder.calibrator(name).relative(raw, sign, place)) for name in one.object]


def weight_rows(builder: Builder, one: WeightConfig, first: int, place: str) -> list[list[int]]:
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


def _branch_rows(builder: Builder, one: WeightConfig, first: int) -> list[list[int]]:
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


def _step_rows(builder: Builder, one: WeightConfig, varied: StepVariation, first: int, place: str) -> list[list[int]]:
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


def _column_row(builder: Builder, name: str, first: int, column: int, base: int) -> list[int]:
    """Return the row of a weight that a column of a calibration holds, for each event or each selected object."""
    if name == EVENT:
        return [weights.BRANCH, first, 1, column, base, 0, 0, 0]
    return [weights.COLUMN, first, 1, column, base, builder.known((name,), "WEIGHED", builder.place), 0, 0]


def nominal_rows(builder: Builder) -> list[list[int]]:
    """Return the rows of the weights that calibrations give, whatever varies."""
    return [
        _column_row(builder, name, weights.NOMINAL, builder.column(name, one.nominal(quantity)), -1)
        for name, one in builder.calibrators.items()
        for quantity in one.weights
    ]
