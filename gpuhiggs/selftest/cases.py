"""The kernels to compare, each with the numbers that its shipped selection gives it.

A selection is a YAML file that pydantic checks; neither need be there. So ``cases.json`` holds what becomes of it: each
kernel's cuts and tables, and its binnings. ``python -m bench.write_cases`` writes it. It need not be of today: what is
compared is one target with another, and any numbers will do that let events pass.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from ..columns import outputs
from ..kernels import real_rows
from ..kernels.fill import BINS, CATEGORIES, LAYOUT, OFFSET, OFFSET2, SHIFTS, VARIATIONS, Histograms
from ..kernels.language import Column, fields, is_tuple_type, leaf_kind
from ..kernels.launch import Program

FILE = "cases.json"


class Case(NamedTuple):
    """One kernel and its numbers."""

    name: str
    program: Program
    cuts: Any
    tables: Any
    histograms: Histograms | None
    """Axes, with sums of no fills; None where the kernel writes something for each event instead."""
    shifts: int = 1
    branch_values: int = 0
    """How many values of one branch an event has, in a kernel with variations of the weight."""

    def out(self, n_events: int) -> Any:
        """Return fresh outputs."""
        namespace = self.program.namespace()
        if self.histograms is None:
            return namespace.Out(np.zeros(1, np.int64), np.empty(n_events * real_rows.N))
        fresh = self.histograms._replace(
            sumw=np.zeros_like(self.histograms.sumw),
            sumw2=np.zeros_like(self.histograms.sumw2),
            misfilled=np.zeros(1, np.int64),
        )
        return outputs(namespace, fresh, n_events)

    def tables_for(self, n_events: int, rng: np.random.Generator) -> Any:
        """Return the tables with counters of their own, and the branches of *n_events* events."""
        if not self.branch_values:
            return self.tables
        values = rng.normal(1.0, 0.1, n_events * self.branch_values).astype(np.float32)
        branches = type(self.tables.branches)(values, np.array([0]), np.array([self.branch_values]))
        return self.tables._replace(
            branches=branches,
            shifts=self.tables.shifts._replace(problems=np.zeros(1, np.int64)),
            weights=self.tables.weights._replace(problems=np.zeros(2, np.int64)),
        )


_ABSENT = 64
"""Entries of a column that the file does not have: all are zero."""


def named(tree: Any) -> dict[str, Any]:
    """Return a tree of columns and numbers by name, as JSON has it."""
    return {
        name: named(entry) if isinstance(entry, tuple) else entry.tolist() if isinstance(entry, np.ndarray) else entry
        for name, entry in tree._asdict().items()
    }


def tree_of(tuple_type: type, form: dict[str, Any]) -> Any:
    """Build a tree of columns and numbers; what is new in a kernel since the file was written is zero."""
    values: list[Any] = []
    for name, hint in fields(tuple_type).items():
        if is_tuple_type(hint):
            values.append(tree_of(hint, form.get(name, {})))
            continue
        kind, dtype = leaf_kind(hint)
        entry = form.get(name)
        if kind is Column:
            values.append(np.zeros(_ABSENT, dtype) if entry is None else np.array(entry, dtype))
        else:
            values.append(kind(entry or 0))
    return tuple_type(*values)


def described(
    name: str, module: str, arguments: tuple[Any, Any], histograms: Histograms, **others: int
) -> dict[str, Any]:
    """Return the JSON form of a case; *arguments* are its cuts and tables."""
    return {
        "name": name,
        "module": module,
        "cuts": named(arguments[0]),
        "tables": named(arguments[1]),
        "histograms": list(Program(module).namespace().HISTOGRAMS),
        "layout": histograms.layout.tolist(),
        "limits": histograms.limits.tolist(),
        "edges": histograms.edges.tolist(),
        **others,
    }


def _case(form: dict[str, Any]) -> Case:
    program = Program(form["module"])
    _, cuts, tables, _ = program.argument_types()
    if form["histograms"] != list(program.namespace().HISTOGRAMS):
        msg = f"{form['name']}: its histograms are others than those of {FILE}: python -m bench.write_cases"
        raise ValueError(msg)
    layout = np.array(form["layout"], np.int64).reshape(-1, LAYOUT)
    *_, last = layout
    cells = last[CATEGORIES] * (last[BINS] + 2)
    histograms = Histograms(
        sumw=np.zeros(last[OFFSET] + cells * last[VARIATIONS], np.int64),
        sumw2=np.zeros(last[OFFSET2] + cells * last[SHIFTS] * 2, np.int64),
        layout=layout.reshape(-1),
        limits=np.array(form["limits"]),
        edges=np.array(form["edges"], np.float64),
        misfilled=np.zeros(1, np.int64),
    )
    return Case(
        form["name"],
        program,
        tree_of(cuts, form["cuts"]),
        tree_of(tables, form["tables"]),
        histograms,
        form["shifts"],
        form["branch_values"],
    )


@functools.cache
def all_cases() -> tuple[Case, ...]:
    """Return all cases: the elementary functions, each channel, and one channel with its variations."""
    text = (resources.files(__package__) / FILE).read_text("utf-8")
    elementary = Case("elementary_functions", Program(real_rows.__name__), real_rows.Cuts(0), real_rows.Tables(0), None)
    return (elementary, *[_case(form) for form in json.loads(text)])
