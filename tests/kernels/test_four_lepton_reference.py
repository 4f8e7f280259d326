"""The compiled CMS body against a slow version of the published selection that shares no code with it.

The numbers are those of CMS HIG-19-001 and its public code (CJLST/ZZAnalysis), typed here a second time; invariant
masses come from rapidities and transverse masses instead of Cartesian components.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench import generate, in_memory
from bench.in_memory import Processed

Z_MASS = 91.1876
CUTS = ("z1_mass", "z2_mass", "ghost", "qcd", "pt", "smart", "m4l")
CATEGORIES = ("VBF-2jet", "VH-hadronic", "VH-leptonic", "ttH-hadronic", "ttH-leptonic", "VH-MET", "untagged")
N_MINUS_ONE_BINS = {
    "z1_mass": (70, 0, 140),
    "z2_mass": (70, 0, 140),
    "ghost": (100, 0, 1),
    "qcd": (60, 0, 60),
    "pt": (50, 0, 200),
    "smart": (61, -2, 120),
    "m4l": (100, 0, 400),
}

Particle = tuple[float, float, float, float]
"""pt, η, φ, mass."""


@dataclass
class Lepton:
    """One lepton that passes everything but identification and isolation."""

    flavour: int
    index: int
    bare: Particle
    charge: int
    photons: list[Particle] = field(default_factory=list)

    @property
    def dressed(self) -> list[Particle]:
        return [self.bare, *self.photons]


def mass(particles: list[Particle]) -> float:
    """m² = Σ m_i² + 2 Σ_{i<j} (mT_i mT_j cosh Δy - pT_i pT_j cos Δφ)."""
    square = math.fsum(m * m for *_, m in particles)
    for (pt_a, eta_a, phi_a, m_a), (pt_b, eta_b, phi_b, m_b) in itertools.combinations(particles, 2):
        mt_a, mt_b = math.hypot(pt_a, m_a), math.hypot(pt_b, m_b)
        dy = math.asinh(pt_a * math.sinh(eta_a) / mt_a) - math.asinh(pt_b * math.sinh(eta_b) / mt_b)
        square += 2 * (mt_a * mt_b * math.cosh(dy) - pt_a * pt_b * math.cos(phi_a - phi_b))
    return math.sqrt(square)


def delta_r(a: Particle, b: Particle) -> float:
    return math.hypot(a[1] - b[1], math.remainder(a[2] - b[2], 2 * math.pi))


def objects(inputs: Any, collection: str, event: int) -> Iterator[tuple[int, dict[str, Any]]]:
    columns = getattr(inputs, collection)
    for i in range(int(columns.offsets[event]), int(columns.offsets[event + 1])):
        yield i, {name: columns._asdict()[name][i].item() for name in columns._fields if name != "offsets"}


def particle(found: dict[str, Any], mass: float = 0.0) -> Particle:
    return found["pt"], found["eta"], found["phi"], found.get("mass", mass)


def vertex(found: dict[str, Any]) -> bool:
    return bool(abs(found["dxy"]) < 0.5 and abs(found["dz"]) < 1 and abs(found["sip3d"]) < 4)


def identified(found: dict[str, Any]) -> bool:
    """The electron BDT, ultra-legacy working point."""
    row = (0.85216885, 0.82684551, 0.86937630) if found["pt"] <= 10 else (0.98248929, 0.96919225, 0.79349796)
    eta = abs(found["eta"] + found["delta_eta_sc"])
    return bool(found["bdt"] > row[0 if eta < 0.8 else 1 if eta < 1.479 else 2])


def selected_leptons(inputs: Any, event: int) -> list[Lepton]:
    """Leptons of the analysis with their FSR photons, muons first."""
    muons = {
        i: found
        for i, found in objects(inputs, "muons", event)
        if found["pt"] > 5 and abs(found["eta"]) < 2.4 and vertex(found)
        if found["is_global"] or (found["is_tracker"] and found["n_stations"])
    }
    electrons = {
        i: found
        for i, found in objects(inputs, "electrons", event)
        if found["pt"] > 7 and abs(found["eta"]) < 2.5 and vertex(found)
    }
    relaxed = [
        Lepton(flavour, i, particle(found), found["charge"])
        for flavour, collection in ((13, muons), (11, electrons))
        for i, found in collection.items()
    ]
    wanted = defaultdict(list)
    for _, found in objects(inputs, "fsr_photons", event):
        photon = particle(found)
        if relaxed and found["pt"] > 2 and abs(found["eta"]) < 2.4 and found["iso"] < 1.8:
            nearest = min(relaxed, key=lambda lepton: delta_r(photon, lepton.bare))
            dr = delta_r(photon, nearest.bare)
            if 0.001 < dr < 0.5 and dr / found["pt"] ** 2 < 0.012:
                wanted[nearest.flavour, nearest.index].append((dr / found["pt"] ** 2, photon))
    for lepton in relaxed:
        lepton.photons = [photon for _, photon in sorted(wanted[lepton.flavour, lepton.index])[:1]]
    radiated = [photon for lepton in relaxed for photon in lepton.photons]

    def passes(lepton: Lepton) -> bool:
        if lepton.flavour == 11:
            return identified(electrons[lepton.index])
        found = muons[lepton.index]
        cone = math.fsum(photon[0] for photon in radiated if 0.01 < delta_r(photon, lepton.bare) < 0.3)
        tight = found["is_pf"] or (found["high_pt_id"] and found["pt"] > 200)
        return bool(tight and found["iso"] - cone / found["pt"] < 0.35)

    return [lepton for lepton in relaxed if passes(lepton)]


class Candidate(NamedTuple):
    """Two Z candidates; ``variables`` are those of the N-1 distributions."""

    z1: tuple[Lepton, Lepton]
    z2: tuple[Lepton, Lepton]
    m_z1: float
    m_z2: float
    m4l: float
    passes: dict[str, bool]
    variables: dict[str, float]

    def order(self) -> tuple[float, float]:
        return abs(self.m_z1 - Z_MASS), -(self.z2[0].bare[0] + self.z2[1].bare[0])


def pair_mass(a: Lepton, b: Lepton) -> float:
    return mass(a.dressed + b.dressed)


def candidate(za: tuple[Lepton, Lepton], zb: tuple[Lepton, Lepton]) -> Candidate:
    z1, z2 = sorted((za, zb), key=lambda z: abs(pair_mass(*z) - Z_MASS))
    m_z1, m_z2 = pair_mass(*z1), pair_mass(*z2)
    four = [*z1, *z2]
    pairs = list(itertools.combinations(four, 2))
    min_dr = min(delta_r(a.bare, b.bare) for a, b in pairs)
    min_m_ll = min(mass([a.bare, b.bare]) for a, b in pairs if a.charge != b.charge)
    pts = sorted((lepton.bare[0] for lepton in four), reverse=True)
    smart, smaller = True, -1.0
    if z1[0].flavour == z2[0].flavour:
        crossed = [(z1[0], other) for other in z2 if other.charge != z1[0].charge]
        crossed += [(z1[1], other) for other in z2 if other.charge != z1[1].charge]
        nearer, farther = sorted((pair_mass(*pair) for pair in crossed), key=lambda m: abs(m - Z_MASS))
        smart = not (abs(nearer - Z_MASS) < abs(m_z1 - Z_MASS) and farther < 12)
        smaller = farther
    m4l = mass([p for lepton in four for p in lepton.dressed])
    passes = (
        40 < m_z1 < 120,
        12 < m_z2 < 120,
        min_dr > 0.02,
        min_m_ll > 4,
        pts[0] > 20 and pts[1] > 10,
        smart,
        m4l > 70,
    )
    variables = (m_z1, m_z2, min_dr, min_m_ll, pts[0], smaller, m4l)
    return Candidate(
        z1, z2, m_z1, m_z2, m4l, dict(zip(CUTS, passes, strict=True)), dict(zip(CUTS, variables, strict=True))
    )


def candidates(leptons: list[Lepton]) -> list[Candidate]:
    zs = [(a, b) for a, b in itertools.combinations(leptons, 2) if a.flavour == b.flavour and a.charge == -b.charge]
    return [candidate(za, zb) for za, zb in itertools.combinations(zs, 2) if not any(a is b for a in za for b in zb)]


def category(inputs: Any, event: int, leptons: list[Lepton], best: Candidate) -> str:
    left = [lepton for lepton in leptons if not any(lepton is used for used in best.z1 + best.z2)]
    n_extra_z = sum(
        a.flavour == b.flavour and a.charge == -b.charge and 12 < pair_mass(a, b) < 120
        for a, b in itertools.combinations(left, 2)
    )
    jets = [
        found
        for _, found in objects(inputs, "jets", event)
        if found["pt"] > 30 and abs(found["eta"]) < 4.7 and found["id"] & 2
        if found["pt"] >= 50 or found["pile_up_id"] & 4
        if all(delta_r(particle(found), p) > 0.4 for lepton in leptons for p in lepton.dressed)
    ]
    n_b = sum(jet["b_tag"] > 0.2783 and abs(jet["eta"]) < 2.5 for jet in jets)
    hardest = sorted(jets, key=lambda jet: -jet["pt"])[:2]
    m_jj = mass([particle(jet) for jet in hardest]) if len(jets) >= 2 else 0.0
    if not left and m_jj > 350 and (n_b <= 1 if len(jets) <= 3 else n_b == 0):
        return "VBF-2jet"
    if not left and 60 < m_jj < 120 and (len(jets) <= 3 or n_b == 0):
        return "VH-hadronic"
    vh = len(jets) <= 3 and n_b == 0 and (len(left) == 1 or n_extra_z)
    if vh or (not jets and left):
        return "VH-leptonic"
    if len(jets) >= 4 and n_b and not left:
        return "ttH-hadronic"
    if left:
        return "ttH-leptonic"
    return "VH-MET" if len(jets) <= 1 and inputs.met.pt[event] > 100 else "untagged"


@dataclass
class Expected:
    """What the reference says of all events; sums of weights in units of 2⁻³⁰."""

    entries: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sums: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    n_minus_one: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    selected: dict[int, tuple[Candidate, str, str]] = field(default_factory=dict)


def uniform(x: float, bins: int, low: float, high: float) -> int:
    return min(max(math.floor((x - low) / (high - low) * bins), -1), bins) + 1


def expect(inputs: Any) -> Expected:
    out = Expected()
    for event in range(inputs.events.run.size):
        weight = math.floor(Fraction(float(inputs.events.gen_weight[event])) * 2**30 + Fraction(1, 2))
        steps = ["all", "certified"]
        if inputs.events.filters[event] & 511 == 511:
            steps.append("filters")
            if inputs.events.triggers[event] != 0:
                steps.append("trigger")
                steps += reconstruct(inputs, event, weight, out)
        for step in steps:
            out.entries[step] += 1
            out.sums[step] += weight
    return out


def reconstruct(inputs: Any, event: int, weight: int, out: Expected) -> list[str]:
    """Return the steps that an event passes after the gate's."""
    leptons = selected_leptons(inputs, event)
    if len(leptons) < 4:
        return []
    found = candidates(leptons)
    if not found:
        return ["four_leptons"]
    for cut in CUTS:
        others = [c for c in found if all(c.passes[other] for other in CUTS if other != cut)]
        if others:
            value = min(others, key=Candidate.order).variables[cut]
            out.n_minus_one[cut, uniform(value, *N_MINUS_ONE_BINS[cut])] += weight
    good = [c for c in found if all(c.passes.values())]
    if good:
        best = min(good, key=Candidate.order)
        flavours = {best.z1[0].flavour, best.z2[0].flavour}
        state = "2e2mu" if len(flavours) == 2 else "4mu" if flavours == {13} else "4e"
        out.selected[event] = best, state, category(inputs, event, leptons, best)
    n_passed = max(len(list(itertools.takewhile(c.passes.__getitem__, CUTS))) for c in found)
    return ["four_leptons", "zz_candidate", *CUTS[:n_passed]]


@pytest.fixture(scope="module", params=[(0.4, 4_000), (0.02, 20_000)], ids=["40%", "2%"])
def both(request: pytest.FixtureRequest) -> tuple[Processed, Expected]:
    share, n_events = request.param
    inputs = generate.four_lepton(n_events, share, seed=7)
    return in_memory.process(in_memory.prepare(in_memory.CMS), inputs), expect(inputs)


def test_same_events_are_selected(both: tuple[Processed, Expected]) -> None:
    processed, expected = both
    assert len(expected.selected) > 100
    assert processed.selected["event"].tolist() == list(expected.selected)


@pytest.mark.parametrize("name", ["m4l", "m_z1", "m_z2"])
def test_masses(both: tuple[Processed, Expected], name: str) -> None:
    processed, expected = both
    np.testing.assert_allclose(
        processed.selected[name], [getattr(best, name) for best, *_ in expected.selected.values()], rtol=1e-12
    )


def test_transverse_momentum(both: tuple[Processed, Expected]) -> None:
    processed, expected = both
    sums = [
        [particle for lepton in best.z1 + best.z2 for particle in lepton.dressed]
        for best, *_ in expected.selected.values()
    ]
    pt4l = [abs(sum(pt * complex(math.cos(phi), math.sin(phi)) for pt, _, phi, _ in found)) for found in sums]
    # The momenta of four leptons may cancel: an absolute error of 10⁻¹³ GeV is that of their rounding.
    np.testing.assert_allclose(processed.selected["pt4l"], pt4l, rtol=1e-12, atol=1e-13)


def test_final_states_and_categories(both: tuple[Processed, Expected]) -> None:
    processed, expected = both
    states = [("4mu", "4e", "2e2mu")[i] for i in processed.selected["final_state"]]
    assert states == [state for _, state, _ in expected.selected.values()]
    found = [CATEGORIES[i] for i in processed.selected["category"]]
    assert found == [name for *_, name in expected.selected.values()]
    assert set(states) == {"4mu", "4e", "2e2mu"}
    assert set(found) == set(CATEGORIES)


def test_cutflow(both: tuple[Processed, Expected]) -> None:
    processed, expected = both
    rows = np.reshape(processed.integers("cutflow"), (-1, 4))
    assert dict(zip(processed.steps, rows[:, 0].tolist(), strict=True)) == dict(expected.entries)
    assert dict(zip(processed.steps, rows[:, 1].tolist(), strict=True)) == dict(expected.sums)
    assert processed.errors == [0, 0]


@pytest.mark.parametrize("cut", CUTS)
def test_n_minus_one(both: tuple[Processed, Expected], cut: str) -> None:
    processed, expected = both
    found = processed.integers(f"n_minus_one_{cut}/sumw")
    assert found == [expected.n_minus_one.get((cut, i), 0) for i in range(len(found))]


def test_histogram_of_the_mass(both: tuple[Processed, Expected]) -> None:
    """50 bins from 70 to 170 GeV in 7 categories × 3 final states."""
    processed, expected = both
    sums = np.zeros((7, 3, 52))
    for event, (best, state, name) in expected.selected.items():
        row = CATEGORIES.index(name), ("4mu", "4e", "2e2mu").index(state)
        sums[(*row, uniform(best.m4l, 50, 70, 170))] += processed.selected["weight"][
            list(expected.selected).index(event)
        ]
    found = np.array(processed.integers("m4l/sumw"), float).reshape(sums.shape) * 2.0**-30
    np.testing.assert_allclose(found, sums, atol=1e-6)
