"""Random events with leptons that are none: Z bosons and W bosons beside fakes, and what is genuine, as columns.

What a fake passes is drawn from a rate in pt, |η| and flavour that is known here, so that tests can ask the methods of
:mod:`gpuhiggs.backgrounds` for what they are to find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.generate import Array, built_inputs, collection, gate_events, random_jets, two_body_decays, wrapped
from gpuhiggs.kernels import dilepton, diphoton
from gpuhiggs.kernels import four_lepton as cms
from gpuhiggs.kernels.jets import Jets
from gpuhiggs.kernels.leptons import Electrons, FsrPhotons, Muons
from gpuhiggs.kernels.photons import Photons
from gpuhiggs.kernels.tight_leptons import TightElectrons, TightMuons

Z_MASS, Z_WIDTH = 91.19, 2.5
EFFICIENCY = 0.96
"""Of a genuine lepton to be selected."""


class Content(NamedTuple):
    """How many leptons an event has beside its Z, and how many of them are genuine."""

    others: int
    genuine: int
    met: float
    """Mean, GeV."""


Z_AND_ONE, Z_AND_TWO = Content(1, 0, 12.0), Content(2, 0, 15.0)
WZ, WZ_AND_ONE, ZZ = Content(1, 1, 45.0), Content(2, 1, 45.0), Content(2, 2, 12.0)


def rate(kind: Array, pt: Array, eta: Array) -> Array:
    """Return the chance of a fake to be selected: muons more often than electrons, outer ones more often."""
    inner = np.abs(eta) < np.where(kind == 13, 1.2, 1.479)
    low = np.where(kind == 13, 0.12, 0.05) + np.where(inner, 0.0, 0.05)
    return np.asarray(low + 0.10 * (pt > 20))


def _pairs(rng: np.random.Generator, n: int, mass: Array) -> list[Array]:
    """Return kind, pt, η, φ and charge, shape (2, n), of the leptons of a Z."""
    pt, eta, phi = two_body_decays(rng, mass)
    kind = np.tile(rng.choice([11, 13], n), (2, 1))
    return [kind, pt, eta, phi, np.tile(np.array([[1], [-1]]), (1, n))]


def four_lepton_fakes(n: int, content: Content, seed: int) -> cms.Inputs:
    """Return *n* events of one kind."""
    rng = np.random.default_rng(seed)
    parts = [_pairs(rng, n, np.clip(Z_MASS + Z_WIDTH / 2 * rng.standard_cauchy(n), 40, 119))]
    genuine = [np.ones((2, n), bool)]
    if content.genuine == 2:
        parts.append(_pairs(rng, n, rng.uniform(13, 110, n)))
        genuine.append(np.ones((2, n), bool))
    else:
        shape = (content.others, n)
        kind = np.tile(rng.choice([11, 13], n), (content.others, 1))
        pt, eta, phi = 7.1 + rng.exponential(14.0, shape), rng.uniform(-2.4, 2.4, shape), rng.uniform(-3.1, 3.1, shape)
        parts.append([kind, pt, eta, phi, rng.choice([-1, 1], shape)])
        genuine.append(np.arange(content.others)[:, None] < np.full(n, content.genuine))
    kind, pt, eta, phi, charge = (np.concatenate(columns).ravel() for columns in zip(*parts, strict=True))
    event = np.tile(np.arange(n), 2 + content.others)
    is_genuine = np.concatenate(genuine).ravel()
    selected = rng.random(pt.size) < np.where(is_genuine, EFFICIENCY, rate(kind, pt, eta))
    quality = np.where(selected, 0.05, 0.9)
    common = {"event": event, "pt": pt, "eta": eta, "phi": wrapped(phi), "charge": charge}
    common |= {name: np.zeros(pt.size) for name in ("dxy", "dz", "sip3d")}
    muons = {"mass": 0.1056583755, "iso": quality, "is_global": 1, "is_tracker": 1, "is_pf": 1, "n_stations": 2}
    electrons = {
        "mass": 0.00051099895,
        "delta_eta_sc": 0.0,
        "bdt": np.where(selected, 0.999, -0.9),
        "bdt_wp90": selected,
    }

    def of(columns: dict[str, object], mask: Array) -> dict[str, Array]:
        whole = {**common, **columns, "high_pt_id": 0}
        return {name: np.broadcast_to(np.asarray(values), pt.size)[mask] for name, values in whole.items()}

    jet_event, jets = random_jets(rng, n)
    passing = dict.fromkeys(("triggers", "filters"), np.full(n, -1))
    is_muon = kind == 13
    built: cms.Inputs = built_inputs(cms.Inputs, n, {
        "events": {**gate_events(rng, n), **passing, "gen_weight": np.ones(n)},
        "muons": collection(Muons, n, event[is_muon], of(muons, is_muon)),
        "electrons": collection(Electrons, n, event[~is_muon], of(electrons, ~is_muon)),
        "fsr_photons": collection(FsrPhotons, n, event[:0], dict.fromkeys(("pt", "eta", "phi", "iso"), pt[:0])),
        "jets": collection(Jets, n, jet_event, jets),
        "met": {"pt": rng.exponential(content.met, n), "phi": rng.uniform(-np.pi, np.pi, n)},
    })  # fmt: skip
    return built


# --- two leptons of different flavours -----------------------------------------------------------------------------


class PairContent(NamedTuple):
    """What an event of the eμ channel is made of."""

    leptons: int
    genuine: int
    """How many of its leptons are; one that is comes first, of either flavour."""
    met: float
    """Mean, GeV."""
    opposite: bool = False
    """Whether the charges are opposite, as of two W bosons; at random otherwise."""


DIJET, W_AND_JET = PairContent(1, 0, 8.0), PairContent(1, 1, 30.0)
W_AND_FAKE, TWO_FAKES, WW = PairContent(2, 1, 45.0), PairContent(2, 0, 25.0), PairContent(2, 2, 45.0, opposite=True)


def fake_rate(kind: Array, pt: Array, eta: Array) -> Array:
    """Return the chance of a loose lepton that is a fake to be tight."""
    inner = np.abs(eta) < np.where(kind == 13, 1.2, 1.479)
    return np.asarray(np.where(kind == 13, 0.20, 0.12) + np.where(inner, 0.0, 0.06) + 0.10 * (pt > 20))


def lepton_pair_fakes(n: int, content: PairContent, seed: int) -> dilepton.Inputs:
    """Return *n* events of one kind."""
    rng = np.random.default_rng(seed)
    shape = (content.leptons, n)
    first = rng.choice([11, 13], n)
    kind = np.stack([first, 24 - first])[: content.leptons]
    is_genuine = np.arange(content.leptons)[:, None] < np.full(n, content.genuine)
    pt = np.where(is_genuine, 26.0 + rng.exponential(18.0, shape), 13.5 + rng.exponential(12.0, shape))
    eta, phi = rng.uniform(-2.3, 2.3, shape), rng.uniform(-3.1, 3.1, shape)
    charge = rng.choice([-1, 1], shape)
    if content.opposite:
        charge[1] = -charge[0]
    tight = rng.random(shape) < np.where(is_genuine, EFFICIENCY, fake_rate(kind, pt, eta))
    event = np.tile(np.arange(n), content.leptons)
    common = {"event": event, "pt": pt, "eta": eta, "phi": phi, "charge": charge, "dxy": 0.0, "dz": 0.0}
    muons = {"mass": 0.1056583755, "tight_id": 1, "iso04": np.where(tight, 0.05, 0.3)}
    electrons = {
        "mass": 0.00051099895, "bdt_wp90": tight, "conversion_veto": 1, "iso": np.where(tight, 0.02, 0.2),
        "cut_based": 3, "sieie": 0.01, "e_inv_minus_p_inv": 0.0,
    }  # fmt: skip

    def of(columns: dict[str, object], mask: Array) -> dict[str, Array]:
        whole = {**common, **columns}
        return {
            name: np.broadcast_to(np.asarray(v), shape).ravel()[mask] for name, v in whole.items() if name != "event"
        }

    away = rng.random(n) < 0.6  # a jet behind the first lepton
    jets = {"pt": 26 + rng.exponential(20.0, n), "eta": -eta[0], "phi": wrapped(phi[0] + np.pi), "b_tag": np.zeros(n)}
    jets |= {"id": np.full(n, 6), "pile_up_id": np.full(n, 7), "mass": np.full(n, 5.0)}
    passing = dict.fromkeys(("triggers", "filters"), np.full(n, -1))
    is_muon = kind.ravel() == 13
    built: dilepton.Inputs = built_inputs(dilepton.Inputs, n, {
        "events": {**gate_events(rng, n), **passing, "gen_weight": np.ones(n)},
        "muons": collection(TightMuons, n, event[is_muon], of(muons, is_muon)),
        "electrons": collection(TightElectrons, n, event[~is_muon], of(electrons, ~is_muon)),
        "jets": collection(Jets, n, np.flatnonzero(away), {name: values[away] for name, values in jets.items()}),
        "puppi_met": {"pt": rng.exponential(content.met, n), "phi": rng.uniform(-np.pi, np.pi, n)},
    })  # fmt: skip
    return built


# --- photons -------------------------------------------------------------------------------------------------------


def photon_pair_fakes(n: int, genuine: tuple[bool, bool], seed: int) -> diphoton.Inputs:
    """Return *n* pairs, the harder and the softer a photon or a jet: jets are wide and have hadrons around them."""
    rng = np.random.default_rng(seed)
    shape = (2, n)
    is_photon = np.array(genuine)[:, None] & np.ones(shape, bool)
    mass = 100.5 + rng.exponential(30.0, n) % 79
    barrel = rng.random(shape) < 0.65
    eta = np.where(
        barrel, rng.uniform(-1.4, 1.4, shape), np.copysign(rng.uniform(1.6, 2.4, shape), rng.normal(size=shape))
    )
    pt1 = mass * rng.uniform(0.45, 0.55, n)
    phi1 = rng.uniform(-3.1, 3.1, n)
    pt2 = mass**2 / (2 * pt1 * (np.cosh(eta[0] - eta[1]) + 1))  # back to back
    pt = np.stack([np.maximum(pt1, pt2), np.minimum(pt1, pt2)])
    tight = rng.random(shape) < np.where(is_photon, np.where(barrel, 0.8, 0.7), np.where(barrel, 0.25, 0.35))
    edge = np.where(barrel, 0.01015, 0.0272)
    columns = {
        "event": np.tile(np.arange(n), 2), "pt": pt, "eta": eta, "phi": np.stack([phi1, wrapped(phi1 + np.pi)]),
        "r9": np.full(shape, 0.95), "hoe": np.zeros(shape), "sieie": np.where(tight, 0.9, 1.1) * edge,
        "id": np.full(shape, 0.5), "iso_all": np.zeros(shape), "energy_err": np.ones(shape),
        "iso_chg": np.where(is_photon, rng.exponential(0.01, shape), rng.exponential(0.08, shape)),
        "photon_iso": np.zeros(shape), "track_iso": np.zeros(shape), "electron_veto": np.ones(shape, bool),
        "is_barrel": barrel, "is_endcap": ~barrel,
    }  # fmt: skip
    nothing = np.zeros(0)
    passing = dict.fromkeys(("triggers", "filters"), np.full(n, -1))

    def empty(tuple_type: type) -> dict[str, Array]:
        return collection(tuple_type, n, nothing.astype(int), dict.fromkeys(tuple_type._fields, nothing))  # type: ignore[attr-defined]

    built: diphoton.Inputs = built_inputs(diphoton.Inputs, n, {
        "events": {**gate_events(rng, n), **passing, "gen_weight": np.ones(n)},
        "pile_up": {"rho": np.full(n, 20.0)},
        "photons": collection(Photons, n, columns["event"], {name: values.ravel() for name, values in columns.items()}),
        "muons": empty(TightMuons), "electrons": empty(TightElectrons), "jets": empty(Jets),
        "met": {"pt": rng.exponential(20.0, n), "phi": rng.uniform(-np.pi, np.pi, n)},
    })  # fmt: skip
    return built
