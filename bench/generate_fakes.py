"""Random events with leptons that are none: a Z boson beside one or two fakes, WZ, and ZZ, as four-lepton columns.

What a fake passes is drawn from a rate in pt, |η| and flavour that is known here, so that tests can ask the methods of
:mod:`gpuhiggs.backgrounds` for what they are to find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.generate import Array, built_inputs, collection, gate_events, random_jets, two_body_decays, wrapped
from gpuhiggs.kernels import four_lepton as cms
from gpuhiggs.kernels.jets import Jets
from gpuhiggs.kernels.leptons import Electrons, FsrPhotons, Muons

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
