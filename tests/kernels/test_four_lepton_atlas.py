"""The ATLAS Open Data four-lepton channel on events made by hand.

Massless leptons at η = 0: m² = 2 pT pT' (1 - cos Δφ), and the mass of back-to-back leptons is the sum of their pt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from bench import in_memory
from bench.in_memory import Processed
from gpuhiggs.kernels.four_lepton_atlas import FINAL_STATES, Inputs

Object = dict[str, Any]
Run = Callable[..., Processed]

GATE = {"run": 1, "luminosity_block": 1, "triggers": 1, "filters": 0, "gen_weight": 1.0}
FACTORS = {"pile_up": 1.0, "electron": 1.0, "muon": 1.0, "trigger": 1.0}


def lepton(kind: int, pt: float, phi: float, charge: int, **changes: Any) -> Object:
    found = {
        "kind": kind, "pt": pt, "eta": 0.0, "phi": phi, "charge": charge, "z0": 0.0, "d0": 0.0, "sigma_d0": 0.01,
        "ptcone30": 0.0, "etcone20": 0.0,
    } | changes  # fmt: skip
    return {"e": found["pt"] * math.cosh(found["eta"])} | found


def event(leptons: list[Object], gate: Object | None = None, factors: Object | None = None) -> Object:
    return {"events": GATE | (gate or {}), "scale_factors": FACTORS | (factors or {}), "leptons": leptons}


MUONS = [lepton(13, 45.5, 0.0, 1), lepton(13, 45.5, math.pi, -1)]
ELECTRONS = [lepton(11, 15.5, math.pi / 2, 1), lepton(11, 15.5, -math.pi / 2, -1)]
FOUR = [*MUONS, *ELECTRONS]
"""m_Z1 = 91, m_Z2 = 31, m4ℓ = 122 GeV."""


@pytest.fixture(scope="module")
def run(collect: Callable[..., Any]) -> Run:
    prepared = in_memory.prepare(in_memory.ATLAS)
    return lambda *events: in_memory.process(prepared, collect(Inputs, events))


@pytest.fixture(scope="module")
def run_data(collect: Callable[..., Any]) -> Run:
    prepared = in_memory.prepare(in_memory.ATLAS, kind="data")
    return lambda *events: in_memory.process(prepared, collect(Inputs, events))


def test_two_muons_and_two_electrons(run: Run) -> None:
    found = run(event(FOUR))
    assert found.selected["event"].tolist() == [0]
    for name, value in {"m_z1": 91.0, "m_z2": 31.0, "m4l": 122.0, "pt4l": 0.0, "weight": 1.0}.items():
        assert found.selected[name][0] == pytest.approx(value, abs=1e-5)  # pt and φ are float32
    assert [found.entries(step) for step in found.steps] == [1] * len(found.steps)


@pytest.mark.parametrize("n", [3, 5])
def test_exactly_four_leptons(run: Run, n: int) -> None:
    found = run(event([*FOUR, lepton(13, 10.0, 1.0, 1)][:n]))
    assert (found.entries("trigger"), found.entries("four_leptons")) == (1, 0)


@pytest.mark.parametrize(
    ("place", "change", "selected"),
    [
        (0, {"ptcone30": 0.31 * 45.5}, 0), (0, {"ptcone30": 0.29 * 45.5}, 1), (0, {"etcone20": 0.31 * 45.5}, 0),
        (0, {"etcone20": -45.5}, 1), (0, {"d0": -0.031}, 0), (0, {"d0": 0.029}, 1), (0, {"z0": -0.51}, 0),
        (0, {"z0": 0.75, "eta": 1.0}, 1), (0, {"z0": 0.8, "eta": 1.0}, 0), (0, {"eta": 2.49}, 1),
        (0, {"eta": -2.51}, 0), (0, {"pt": 5.1}, 1), (0, {"pt": 4.9}, 0), (0, {"pt": -45.5}, 0),
        (0, {"pt": math.nan}, 0),
        (2, {"pt": 6.9}, 0), (2, {"pt": 7.1}, 1), (2, {"d0": 0.049}, 1), (2, {"d0": 0.051}, 0),
        (2, {"eta": 2.46}, 1), (2, {"eta": 2.48}, 0),
    ],
    ids=str,
)  # fmt: skip
def test_good_leptons(run: Run, place: int, change: Object, selected: int) -> None:
    leptons = list(FOUR)
    leptons[place] = leptons[place] | change
    assert run(event(leptons)).entries("four_leptons") == selected


def test_charge(run: Run) -> None:
    found = run(event([*MUONS, ELECTRONS[0], ELECTRONS[1] | {"charge": 1}]))
    assert (found.entries("four_leptons"), found.entries("charge")) == (1, 0)


def test_flavours_come_in_pairs(run: Run) -> None:
    """Three muons and an electron: Σ kind = 50."""
    found = run(event([*MUONS, ELECTRONS[0], ELECTRONS[1] | {"kind": 13}]))
    assert (found.entries("charge"), found.entries("flavour")) == (1, 0)


@pytest.mark.parametrize(
    ("pts", "selected"),
    [
        ((26, 16, 11, 8), 1), ((8, 11, 16, 26), 1), ((11, 26, 8, 16), 1),
        ((24, 16, 11, 8), 0), ((26, 14, 11, 8), 0), ((26, 16, 9, 8), 0), ((8, 9, 16, 26), 0),
    ],
    ids=str,
)  # fmt: skip
def test_hardest_three_in_any_order(run: Run, pts: tuple[float, ...], selected: int) -> None:
    leptons = [found | {"pt": pt, "e": pt} for found, pt in zip(FOUR, pts, strict=True)]
    found = run(event(leptons))
    assert (found.entries("flavour"), found.entries("pt")) == (1, selected)


@pytest.mark.parametrize("state", FINAL_STATES)
def test_final_states(run: Run, state: str) -> None:
    kinds = {"4mu": (13, 13), "4e": (11, 11), "2e2mu": (13, 11)}[state]
    leptons = [found | {"kind": kinds[i // 2]} for i, found in enumerate(FOUR)]
    found = run(event(leptons))
    assert [FINAL_STATES[i] for i in found.selected["final_state"]] == [state]
    row = FINAL_STATES.index(state)
    filled = [i // 26 for i, q in enumerate(found.integers("m4l/sumw")) if q]  # 24 bins and the two flow bins
    assert filled == [row]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 2, 1, 0), (1, 2, 3, 0)])
def test_z1_is_the_pair_nearest_to_the_z_mass(run: Run, order: tuple[int, ...]) -> None:
    """Four muons, whose other pairing (38 and 38 GeV) comes last in two of the orders."""
    muons = [found | {"kind": 13} for found in FOUR]
    found = run(event([muons[i] for i in order]))
    assert found.selected["m_z1"].tolist() == pytest.approx([91.0], abs=1e-5)
    assert found.selected["m_z2"].tolist() == pytest.approx([31.0], abs=1e-5)


def test_two_positive_electrons_and_two_negative_muons_make_no_z(run: Run) -> None:
    """The published selection asks for the sums of charges and flavours only: the event counts, in the underflow."""
    leptons = [found | {"charge": charge} for found, charge in zip(FOUR, (1, 1, -1, -1), strict=True)]
    found = run(event(leptons))
    assert found.entries("pt") == 1
    assert found.selected["m_z1"].tolist() == [-1.0]


def test_scale_factors_multiply_simulation(run: Run) -> None:
    factors = {"pile_up": 0.5, "electron": 0.75, "muon": 2.0, "trigger": 1.25}
    found = run(event(FOUR, {"gen_weight": -3.0}, factors))
    assert found.selected["weight"].tolist() == [-3.0 * 0.9375]
    assert sum(found.integers("m4l/sumw")) == -3.0 * 0.9375 * 2**30
    cutflow = [found.integers("cutflow")[4 * i + 1] / 2**30 for i in range(len(found.steps))]
    n_gate = found.steps.index("four_leptons")
    assert cutflow == [-3.0] * n_gate + [-3.0 * 0.9375] * (len(cutflow) - n_gate)


@pytest.mark.parametrize("weight", [0.0, -7.0, math.nan])
def test_data_count_one_whatever_the_file_says(run_data: Run, weight: float) -> None:
    """Data files hold mcWeight = 0 and scale factors of 0."""
    found = run_data(event(FOUR, {"gen_weight": weight}, dict.fromkeys(FACTORS, 0.0)))
    assert found.selected["weight"].tolist() == [1.0]
    assert sum(found.integers("m4l/sumw")) == 2**30
    assert found.errors == [0, 0]


@pytest.mark.parametrize("factor", [math.nan, math.inf, 4096.0])
def test_scale_factor_that_is_no_number_is_an_error_of_its_event(run: Run, factor: float) -> None:
    bad = event(FOUR, factors={"muon": factor})
    unselected = event(FOUR[:3], factors={"muon": factor})
    found = run(event(FOUR), bad, unselected, event(FOUR))
    assert found.errors == [1, 0]
    assert found.selected["event"].tolist() == [0, 3]


def test_forty_leptons_are_counted_not_lost(run: Run) -> None:
    found = run(event(FOUR), event(FOUR * 10), event(FOUR))
    assert found.errors == [0, 1]
    assert found.selected["event"].tolist() == [0, 2]
    assert (found.entries("trigger"), found.entries("four_leptons")) == (3, 2)
