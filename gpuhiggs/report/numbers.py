"""The numbers behind a figure or table, as columns, and the formats in which a reader takes them away."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import yaml

Cell = float | int | str | None
"""What stands in a row of a column; None where there is nothing."""

Values = Sequence[Any] | np.ndarray
"""Cells, one a row."""


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Errors(NamedTuple):
    """Errors of a column, one a row, as signed shifts: *plus* is the upper minus the value, *minus* the lower."""

    plus: Values
    minus: Values
    label: str = "total"


@dataclass(frozen=True)
class Column:
    """One column: a quantity with its unit, and what goes with each of its values."""

    name: str
    values: Values
    unit: str = ""
    """Plain text, such as ``GeV`` or ``pb/GeV``; empty where there is none."""
    errors: tuple[Errors, ...] = ()
    low: Values = ()
    """Lower edges, where the values are the centres of bins."""
    high: Values = ()
    independent: bool = False
    """Whether it says where the others are: the horizontal axis of a figure, the first column of a table."""
    format: str | None = None
    """How a page shows a value, as of :func:`format`; by default two digits of the error, or four digits."""
    remarks: Sequence[str] = ()
    """What a page says of a value instead of its errors, such as ``at its bound``; empty where it says nothing."""

    def __post_init__(self) -> None:
        n = len(self.values)
        parts: tuple[tuple[str, Values], ...] = (("low", self.low), ("high", self.high), ("remarks", self.remarks))
        is_binned = len(self.low) > 0 or len(self.high) > 0
        beside = [(part, values) for part, values in parts if len(values) or (is_binned and part != "remarks")]
        beside += [(part, getattr(one, part)) for one in self.errors for part in ("plus", "minus")]
        for part, values in beside:
            if len(values) != n:
                msg = f"column {self.name!r}: {n} values and {len(values)} of {part}"
                raise ValueError(msg)

    @property
    def header(self) -> str:
        """The name with its unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


def bins(name: str, edges: Values, unit: str = "") -> Column:
    """Return the column of a binning."""
    edge = np.asarray(edges, dtype=float)
    return Column(name, (edge[1:] + edge[:-1]) / 2, unit, low=edge[:-1], high=edge[1:], independent=True)


def symmetric(errors: Iterable[float], label: str = "total") -> Errors:
    """Return errors that are the same up and down."""
    size = list(errors)
    return Errors(size, [-error for error in size], label)


@dataclass(frozen=True)
class Numbers:
    """Columns of one length: what HEPData calls a table."""

    columns: tuple[Column, ...]
    name: str = ""
    """Which of several tables of a figure it is: a curve, a data set."""

    def __post_init__(self) -> None:
        if len({len(column.values) for column in self.columns}) > 1:
            lengths = ", ".join(f"{column.name} {len(column.values)}" for column in self.columns)
            msg = f"columns of one length are expected, got {lengths}"
            raise ValueError(msg)

    @property
    def rows(self) -> int:
        """How many values each column has."""
        return len(self.columns[0].values) if self.columns else 0


def to_json(tables: Sequence[Numbers]) -> list[dict[str, Any]]:
    """Return tables as plain values; what is not finite is None."""
    return [{"name": table.name, "columns": [_column(column) for column in table.columns]} for table in tables]


def _column(column: Column) -> dict[str, Any]:
    edges = {part: _plain(getattr(column, part)) for part in ("low", "high") if len(column.low)}
    errors = [{"label": one.label, "plus": _plain(one.plus), "minus": _plain(one.minus)} for one in column.errors]
    return {
        "name": column.name,
        "unit": column.unit,
        "independent": column.independent,
        "values": _plain(column.values),
        **edges,
        **({"errors": errors} if errors else {}),
    }


def _plain(values: Values) -> list[Cell]:
    return [_cell(value) for value in values]


def _cell(value: Any) -> Cell:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value  # type: ignore[no-any-return]


def to_csv(tables: Sequence[Numbers]) -> str:
    """Return tables as comma-separated values, one below the other with an empty line between, as HEPData does."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, table in enumerate(tables):
        if number:
            text.write("\n")
        if table.name:
            text.write(f"#: name: {table.name}\n")
        spread = [part for column in table.columns for part in _spread(column)]
        writer.writerow([header for header, _ in spread])
        writer.writerows(zip(*(values for _, values in spread), strict=True))
    return text.getvalue()


def _spread(column: Column) -> list[tuple[str, list[Cell]]]:
    """Return what one column needs in a format that has values only."""
    found = [(column.header, _plain(column.values))]
    if len(column.low):
        found += [(f"{column.header} low", _plain(column.low)), (f"{column.header} high", _plain(column.high))]
    for one in column.errors:
        found += [(f"{one.label} +", _plain(one.plus)), (f"{one.label} -", _plain(one.minus))]
    return found


def to_hepdata(tables: Sequence[Numbers], name: str, description: str) -> str:
    """Return tables as HEPData's single-file YAML, a document each (hepdata-submission.readthedocs.io)."""
    documents = [
        {
            "name": f"{name}: {table.name}" if table.name else name,
            "description": description,
            "keywords": [],
            "independent_variables": [_variable(column) for column in table.columns if column.independent],
            "dependent_variables": [_variable(column) for column in table.columns if not column.independent],
        }
        for table in tables
    ]
    return yaml.dump_all(documents, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)


NOTHING = "-"
"""What HEPData has where there is no value."""


def _variable(column: Column) -> dict[str, Any]:
    header = {"name": column.name, **({"units": column.unit} if column.unit else {})}
    return {"header": header, "values": [_entry(column, row) for row in range(len(column.values))]}


def _entry(column: Column, row: int) -> dict[str, Any]:
    if len(column.low):
        return {"low": float(column.low[row]), "high": float(column.high[row]), "value": float(column.values[row])}
    value = _cell(column.values[row])
    found: dict[str, Any] = {"value": NOTHING if value is None else value}
    errors = []
    for one in column.errors:
        plus, minus = _cell(one.plus[row]), _cell(one.minus[row])
        if plus is not None and minus is not None and (plus or minus):  # HEPData refuses errors of zero
            errors.append({"asymerror": {"plus": plus, "minus": minus}, "label": one.label})
    return {**found, "errors": errors} if errors and value is not None else found


def shown(column: Column) -> list[str]:
    """Return the cells of a column as a page shows them: numbers rounded to what their errors allow."""
    return [_shown(column, row) for row in range(len(column.values))]


def _shown(column: Column, row: int) -> str:
    value = _cell(column.values[row])
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    remark = column.remarks[row] if len(column.remarks) else ""
    errors = [] if remark else [(_cell(one.plus[row]), _cell(one.minus[row]), one.label) for one in column.errors]
    known = [(float(p), float(m), label) for p, m, label in errors if p is not None and m is not None]
    if not value and not any(plus or minus for plus, minus, _ in known):
        known = []  # nothing is there, with no error: an empty bin
    form = column.format or _form([abs(size) for plus, minus, _ in known for size in (plus, minus) if size])
    several = len(known) > 1
    parts = [_error(plus, minus, form) + (f" ({label})" if several else "") for plus, minus, label in known]
    text = format(value, form) if form else _default(value)
    return " ".join([_minus(text if text.strip("-+0.") else text.lstrip("-")), *parts, *([remark] if remark else [])])


def _default(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _form(errors: list[float]) -> str:
    """Return the format that shows two digits of the smallest error; nothing where there is none."""
    if not errors:
        return ""
    return f".{max(0, 1 - math.floor(math.log10(min(errors))))}f"


def _error(plus: float, minus: float, form: str) -> str:
    up, down = format(plus, form), format(-minus, form)
    return f"± {up}" if up == down else f"{_minus(format(minus, '+' + form))} {format(plus, '+' + form)}"


def _minus(text: str) -> str:
    return text.replace("-", "−")
