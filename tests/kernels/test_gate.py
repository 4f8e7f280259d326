"""Data quality and trigger, in the CPU build."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from gpuhiggs.kernels import launch
from gpuhiggs.kernels.gate import STEPS, Dataset, Events, LumiMask, certified, gate, generator_weight
from gpuhiggs.kernels.language import record
from gpuhiggs.kernels.shifts import NO_REACH


class Inputs(NamedTuple):
    """A channel that reads nothing else."""

    events: Events


class Cuts(NamedTuple):
    """... and cuts nothing else."""

    dataset: Dataset


class Tables(NamedTuple):
    """The tables of a gate."""

    lumi_mask: LumiMask


def _certified_at(tables: Any, rows: Any, run: Any, section: Any) -> Any:
    return certified(record(tables, Tables).lumi_mask, rows, run, section)


def _gate_at(inputs: Any, cuts: Any, tables: Any) -> Any:
    cuts = record(cuts, Cuts)
    inputs = record(inputs, Inputs)
    return gate(0, inputs, cuts, record(tables, Tables)), generator_weight(0, inputs, cuts)


compiled_certified: Callable[..., bool] = njit(_certified_at, error_model="numpy")
compiled_gate: Callable[..., tuple[int, float]] = njit(_gate_at, error_model="numpy")

Rows = list[tuple[int, int, int]]


def mask(rows: Rows) -> Tables:
    table = np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)
    return Tables(LumiMask(*(np.ascontiguousarray(column) for column in table.T)))


def event(**changes: Any) -> Inputs:
    values = {"run": 5, "luminosity_block": 1, "triggers": 0, "filters": 0, "gen_weight": 1.0} | changes
    types = (np.uint32, np.uint32, np.int64, np.int64, np.float32)
    return Inputs(Events(*(np.array([values[name]], t) for name, t in zip(Events._fields, types, strict=True))))


def dataset(**changes: Any) -> Cuts:
    """Data without a mask, a trigger or a filter."""
    nothing: dict[str, Any] = dict.fromkeys(Dataset._fields, 0)
    return Cuts(Dataset(**(nothing | {"inverse_weight_unit": 1.0, "reach": NO_REACH} | changes)))


def passed(inputs: Inputs, cuts: Cuts, rows: Rows | None = None) -> tuple[int, float]:
    """How many cuts an event passes, and its weight."""
    records = (launch.record(Inputs, inputs), launch.record(Cuts, cuts), launch.record(Tables, mask(rows or [])))
    return compiled_gate(*(entry.address for entry in records))


# --- luminosity mask -----------------------------------------------------------------------------------------------

RUN = st.integers(1, 4) | st.integers(0, 2**32 - 1)


@st.composite
def masks(draw: st.DrawFn) -> Rows:
    """Ranges of sections that do not overlap, of some runs."""
    rows = []
    for run in draw(st.lists(RUN, unique=True, max_size=4)):
        limits = sorted(draw(st.lists(st.integers(0, 60), unique=True, max_size=8)))
        rows += [(run, first, last) for first, last in zip(limits[::2], limits[1::2], strict=False)]
    return rows


@given(masks(), RUN, st.integers(0, 62))
def test_certified_is_a_search_of_all_rows(rows: Rows, run: int, section: int) -> None:
    at = launch.record(Tables, mask(rows))
    for searched in {run, *(row[0] for row in rows)}:
        expected = any(searched == row[0] and row[1] <= section <= row[2] for row in rows)
        assert bool(compiled_certified(at.address, len(rows), searched, section)) is expected


@pytest.mark.parametrize(
    ("run", "section", "n"), [(5, 10, 3), (5, 20, 3), (5, 9, 0), (5, 21, 0), (4, 15, 0), (6, 15, 0)]
)
def test_mask(run: int, section: int, n: int) -> None:
    """A run that the mask does not name is not certified."""
    inputs = event(run=run, luminosity_block=section)
    assert passed(inputs, dataset(masked=1, mask_rows=2), [(5, 10, 20), (7, 1, 99)])[0] == n


def test_empty_mask_certifies_nothing() -> None:
    assert passed(event(), dataset(masked=1))[0] == STEPS.index("certified")


def test_no_mask_certifies_everything() -> None:
    assert passed(event(run=2**32 - 1), dataset())[0] == len(STEPS)


# --- filters and triggers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("filters", "n"), [(0b111, 3), (0b1111, 3), (0b110, 1), (0b000, 1), (-1, 3)])
def test_all_filters_are_needed(filters: int, n: int) -> None:
    assert passed(event(filters=filters), dataset(required=0b111))[0] == n


@pytest.mark.parametrize(
    ("triggers", "n"), [(0b0100, 3), (0b1000, 3), (0b1100, 3), (0b0000, 2), (0b0010, 2), (0b0110, 2), (0b1101, 2)]
)
def test_one_trigger_of_the_own_data_set_and_none_of_those_before(triggers: int, n: int) -> None:
    assert passed(event(triggers=triggers), dataset(accept=0b1100, veto=0b0011))[0] == n


def test_sixty_two_triggers() -> None:
    """Bits above 32 count."""
    cuts = dataset(accept=1 << 61)
    assert [passed(event(triggers=1 << bit), cuts)[0] for bit in (61, 60, 29)] == [3, 2, 2]


def test_cuts_are_counted_in_order() -> None:
    """An event that fails several belongs to the first."""
    cuts = dataset(masked=1, required=1, accept=1)
    assert passed(event(), cuts)[0] == 0
    assert passed(event(), cuts._replace(dataset=cuts.dataset._replace(masked=0)))[0] == 1


# --- weights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, -3.0, math.nan, math.inf])
def test_data_weigh_one(weight: float) -> None:
    assert passed(event(gen_weight=weight), dataset())[1] == 1.0


def test_simulation_is_weighed_in_units() -> None:
    assert passed(event(gen_weight=-3.0), dataset(simulation=1, inverse_weight_unit=0.25))[1] == -0.75
