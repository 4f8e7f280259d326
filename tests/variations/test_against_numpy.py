"""Systematic variations against the same numbers worked out with NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpuhiggs.engine import preparation, processing
from gpuhiggs.kernels import four_lepton
from tests.variations.declared import (
    SHIFTS,
    N,
    branches_of,
    contents,
    place,
    prepared,
)


def moved(columns: four_lepton.Inputs, name: str, sign: float) -> four_lepton.Inputs:
    """The events as a file with shifted objects would have them."""
    sizes: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "electron_scale": ("electrons", lambda c: np.where(abs(c.eta) < np.float32(1.479), 0.125, 0.25)),
        "muon_scale": ("muons", lambda c: 0.125),
        "jet_scale": ("jets", lambda c: np.where(c.pt < 50, 0.25, 0.125)),
        "met_scale": ("met", lambda c: 0.25),
    }
    collection, size = sizes[name]
    before = getattr(columns, collection)
    factor = 1 + sign * size(before)
    result = columns._replace(**{collection: before._replace(pt=(before.pt * factor).astype(np.float32))})
    if collection == "met":
        return result
    event = np.repeat(np.arange(columns.met.pt.size), np.diff(before.offsets))
    change = np.where(before.pt > (15 if collection == "jets" else 0), before.pt * (1 - factor), 0.0)
    x = columns.met.pt * np.cos(columns.met.phi.astype(np.float64)) + np.bincount(event, change * np.cos(before.phi), N)
    y = columns.met.pt * np.sin(columns.met.phi.astype(np.float64)) + np.bincount(event, change * np.sin(before.phi), N)
    met = columns.met._replace(pt=np.hypot(x, y).astype(np.float32), phi=np.arctan2(y, x).astype(np.float32))
    return result._replace(met=met)


@pytest.mark.parametrize(("name", "side"), list(itertools.product(SHIFTS, ("Up", "Down"))))
def test_a_shift_is_the_nominal_of_shifted_events(columns: four_lepton.Inputs, name: str, side: str) -> None:
    """Bit for bit, in every category: selection, FSR, jets and missing momentum have all followed."""
    one = prepared({"shifts": SHIFTS})
    varied, _ = processing.run_kernel(one, columns, N)
    expected, _ = processing.run_kernel(prepared(None), moved(columns, name, 1.0 if side == "Up" else -1.0), N)
    found = contents(varied, "m4l")
    np.testing.assert_array_equal(found[..., place(one, f"{name}{side}")], contents(expected, "m4l")[..., 0])
    assert (found[..., place(one, f"{name}{side}")] != found[..., 0]).any()


def test_weights_are_ratios_of_selected_events(made: preparation.Prepared, columns: four_lepton.Inputs) -> None:
    """Factors and ratios worked out from the branches, on final states without a muon; sums to the last integer."""
    branches = branches_of(made, N)
    counts, selected = processing.run_kernel(made, columns, N, branches)
    _, events = processing.run_kernel(prepared(None), columns, N)
    chosen = events["final_state"] == four_lepton.FINAL_STATES.index("4e")
    event, weight = events["event"][chosen], events["weight"][chosen]
    assert event.size > 50

    def branch(name: str, member: int = 0) -> np.ndarray:
        number = [extra.branch for extra in made.variations.extras].index(name)
        at = branches.starts[number] + event * branches.strides[number] + member
        return np.asarray(branches.values[at], np.float64)

    rows = [i for i in range(3 * len(four_lepton.CATEGORIES)) if i % 3 == four_lepton.FINAL_STATES.index("4e")]
    found = contents(counts, "m4l")[rows].sum(axis=(0, 1))
    nominal = weight * branch("L1_Nom")
    ratios = {
        "nominal": np.ones(event.size),
        "muon_idUp": np.ones(event.size),
        "prefiringUp": branch("L1_Up") / branch("L1_Nom"),
        "prefiringDown": branch("L1_Dn") / branch("L1_Nom"),
        "isrUp": branch("PSWeight", 0),
        "isrDown": branch("PSWeight", 2),
        **{f"pdf[{i}]": branch("LHEPdfWeight", i) for i in range(11)},
    }
    for name, ratio in ratios.items():
        assert found[place(made, name)] == np.floor(nominal * ratio * 2.0**30 + 0.5).sum() / 2.0**30
    np.testing.assert_array_equal(selected["weight"][selected["final_state"] == 1], nominal)


def test_scale_factors_of_objects(made: preparation.Prepared, columns: four_lepton.Inputs) -> None:
    """Of 4μ events each muon's factor, by its pt; up and down relative to the nominal."""
    only = prepared({"weights": {"muon_id": made.config.variations.weights["muon_id"].model_dump(exclude_none=True)}})  # type: ignore[union-attr]
    counts, selected = processing.run_kernel(only, columns, N)
    _, events = processing.run_kernel(prepared(None), columns, N)
    four_muons = events["final_state"] == 0
    first, last = columns.muons.offsets[events["event"]], columns.muons.offsets[events["event"] + 1]
    exact = four_muons & (last - first == 4)
    tables = {"nominal": (0.9, 0.95), "muon_idUp": (0.92, 0.98), "muon_idDown": (0.87, 0.93)}
    sums = dict.fromkeys(tables, 0.0)
    for event, weight, start in zip(events["event"][exact], events["weight"][exact], first[exact], strict=True):
        pt = columns.muons.pt[start : start + 4]
        for name, (low, high) in tables.items():
            sums[name] += weight * np.prod(np.where(pt < 30, low, high))
        at = np.flatnonzero(selected["event"] == event)[0]
        assert selected["weight"][at] == pytest.approx(weight * np.prod(np.where(pt < 30, 0.9, 0.95)), rel=1e-14)
    assert exact.sum() > 30
    found = contents(counts, "m4l")[::3].sum(axis=(0, 1))
    shares = found / found[0]
    assert shares[place(only, "muon_idUp")] == pytest.approx(sums["muon_idUp"] / sums["nominal"], rel=0.02)
    assert shares[place(only, "muon_idDown")] == pytest.approx(sums["muon_idDown"] / sums["nominal"], rel=0.02)
