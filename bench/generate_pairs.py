"""Random events with pairs of photons or leptons, as the diphoton and dilepton channels read them.

A chosen share of the events passes the preselection; of these 70 % hold a resonance or a pair that looks like one, so
that every branch of a selection is taken by some of them. The same arguments give the same events.
"""

from __future__ import annotations

import numpy as np

from bench.generate import Array, Leptons, built_inputs, collection, gate_events, leptons, random_jets, two_body_decays
from gpuhiggs.kernels import (
    dilepton,
    dilepton_atlas,
    diphoton,
    diphoton_atlas,
    four_lepton_atlas,
    four_lepton_atlas_2025,
)
from gpuhiggs.kernels.atlas_jets import AtlasJets
from gpuhiggs.kernels.atlas_leptons import AtlasLeptons
from gpuhiggs.kernels.jets import Jets
from gpuhiggs.kernels.photons import Photons
from gpuhiggs.kernels.tight_leptons import TightElectrons, TightMuons

PAIR_SHARE = 0.7
"""Of the preselected events, those whose two objects belong together."""


def _pairs(
    rng: np.random.Generator, n_events: int, share: float, floor: float, masses: tuple[float, float] = (60.0, 180.0)
) -> tuple[Array, ...]:
    """Return (event, pt, eta, phi, good) of objects: in a *share* of the events two lie above *floor*."""
    chosen = np.flatnonzero(rng.random(n_events) < share)
    resonant = rng.random(chosen.size) < PAIR_SHARE
    true, other = chosen[resonant], chosen[~resonant]
    mass = np.where(
        rng.random(true.size) < 0.5, rng.normal(masses[1] - 55, 2, true.size), rng.uniform(*masses, true.size)
    )
    pt, eta, phi = two_body_decays(rng, mass)
    few = np.setdiff1d(np.arange(n_events), chosen)
    few = few[rng.random(few.size) < 0.4]
    extra = np.concatenate([np.repeat(other, 2), few, chosen[rng.random(chosen.size) < 0.1]])
    soft = np.repeat(np.arange(n_events), rng.poisson(0.5, n_events))
    hard = np.concatenate([pt.ravel(), rng.exponential(30.0, extra.size)])
    event = np.concatenate([np.tile(true, 2), extra, soft])
    n = extra.size + soft.size
    return (
        event,
        np.concatenate([np.maximum(hard, floor * 1.01), floor * rng.uniform(0.2, 0.98, soft.size)]),
        np.concatenate([eta.ravel(), rng.normal(0, 1.3, n)]),
        np.concatenate([phi.ravel(), rng.uniform(-np.pi, np.pi, n)]),
        np.concatenate([np.ones(2 * true.size, bool), rng.random(n) < 0.5]),
    )


def _triggered(rng: np.random.Generator, n_events: int) -> dict[str, Array]:
    """Return the columns of the gate, the first path fired wherever one has: these channels may have one only."""
    columns = gate_events(rng, n_events)
    columns["triggers"] = np.where(columns["triggers"] > 0, columns["triggers"] | 1, 0)
    return columns


def _met(rng: np.random.Generator, n_events: int) -> dict[str, Array]:
    return {"pt": rng.exponential(45.0, n_events), "phi": rng.uniform(-np.pi, np.pi, n_events)}


def _passing(rng: np.random.Generator, good: Array, share_good: float, share_other: float) -> Array:
    return rng.random(good.size) < np.where(good, share_good, share_other)


def _tight(rng: np.random.Generator, n_events: int, source: Leptons) -> dict[str, dict[str, Array]]:
    """Return muons and electrons."""
    n, good = source.pt.size, source.good
    common = source._asdict() | {
        "dxy": rng.normal(0, np.where(good, 0.005, 0.1), n),
        "dz": rng.normal(0, np.where(good, 0.02, 0.3), n),
        "iso04": rng.exponential(np.where(good, 0.04, 0.4), n),
        "tight_id": _passing(rng, good, 0.95, 0.4),
        "bdt_wp90": _passing(rng, good, 0.93, 0.3),
        "conversion_veto": _passing(rng, good, 0.98, 0.8),
        "iso": rng.exponential(np.where(good, 0.02, 0.4), n),
        "cut_based": rng.integers(np.where(good, 2, 0), 5, n),
        "sieie": rng.uniform(0.005, 0.04, n),
        "e_inv_minus_p_inv": rng.normal(0, 0.02, n),
        "mass": np.where(source.kind == 13, 0.1056583755, 0.000510998950),
    }
    found = {}
    for name, kind, tuple_type in (("muons", 13, TightMuons), ("electrons", 11, TightElectrons)):
        mask = source.kind == kind
        columns = {field: values[mask] for field, values in common.items()}
        found[name] = collection(tuple_type, n_events, source.event[mask], columns)
    return found


def _some_leptons(rng: np.random.Generator, n_events: int) -> Leptons:
    event = np.repeat(np.arange(n_events), rng.choice(4, n_events, p=[0.7, 0.15, 0.1, 0.05]))
    n = event.size
    return Leptons(
        event, rng.choice([11, 13], n), 5 + rng.exponential(25.0, n), rng.normal(0, 1.3, n),
        rng.uniform(-np.pi, np.pi, n), rng.choice([-1, 1], n), rng.random(n) < 0.8,
    )  # fmt: skip


def photon_pairs(n_events: int, preselected: float, seed: int = 1) -> diphoton.Inputs:
    """Return CMS events, a share *preselected* of which has two photons above threshold."""
    rng = np.random.default_rng(seed)
    event, pt, eta, phi, good = _pairs(rng, n_events, preselected, 25.0)
    n = pt.size
    columns = {
        "pt": pt, "eta": eta, "phi": phi,
        "r9": np.where(good, 1 - rng.exponential(0.08, n), rng.uniform(0.3, 1, n)),
        "hoe": rng.exponential(np.where(good, 0.01, 0.1), n),
        "sieie": rng.uniform(0.006, 0.04, n),
        "id": np.where(good, 1 - rng.exponential(0.3, n), rng.uniform(-1, 1, n)),
        "iso_all": rng.exponential(np.where(good, 0.05, 0.6), n),
        "iso_chg": rng.exponential(np.where(good, 0.02, 0.4), n),
        "photon_iso": rng.exponential(np.where(good, 2.0, 8.0), n),
        "track_iso": rng.exponential(np.where(good, 2.0, 8.0), n),
        "energy_err": 0.02 * pt * np.cosh(eta),
        "electron_veto": pt > 0,
        "is_barrel": abs(eta) < 1.4442,
        "is_endcap": (abs(eta) > 1.566) & (abs(eta) < 2.5),
    }  # fmt: skip
    jet_event, jets = random_jets(rng, n_events)
    built: diphoton.Inputs = built_inputs(diphoton.Inputs, n_events, {
        "events": _triggered(rng, n_events),
        "pile_up": {"rho": rng.exponential(20.0, n_events)},
        "photons": collection(Photons, n_events, event, columns),
        **_tight(rng, n_events, _some_leptons(rng, n_events)),
        "jets": collection(Jets, n_events, jet_event, jets),
        "met": _met(rng, n_events),
    })  # fmt: skip
    return built


def photon_pairs_atlas(n_events: int, preselected: float, seed: int = 1) -> diphoton_atlas.Inputs:
    """Return ATLAS events, a share *preselected* of which has two tight photons above threshold."""
    rng = np.random.default_rng(seed)
    event, pt, eta, phi, good = _pairs(rng, n_events, preselected, 25.0)
    n = pt.size
    columns = {
        "pt": pt, "eta": eta, "phi": phi, "tight_id": pt > 0,
        "track_iso": rng.exponential(np.where(good, 0.02, 0.1), n) * pt,
        "calorimeter_iso": rng.normal(0, np.where(good, 0.03, 0.1), n) * pt,
        "conversion": rng.choice([0, 0, 0, 1, 2], n),
    }  # fmt: skip
    built: diphoton_atlas.Inputs = built_inputs(diphoton_atlas.Inputs, n_events, {
        "events": _triggered(rng, n_events),
        "scale_factors": {name: rng.normal(1, 0.05, n_events) for name in diphoton_atlas.ScaleFactors._fields},
        "photons": collection(diphoton_atlas.AtlasPhotons, n_events, event, columns),
    })  # fmt: skip
    return built


def _lepton_pairs(rng: np.random.Generator, n_events: int, preselected: float, floor: float) -> Leptons:
    """Return leptons: in a share *preselected* of the events an electron and a muon, mostly of opposite charges."""
    event, pt, eta, phi, good = _pairs(rng, n_events, preselected, floor, (5.0, 130.0))
    order = np.argsort(event, kind="stable")
    first = np.concatenate([[True], np.diff(event[order]) > 0]) if event.size else np.zeros(0, bool)
    within = np.arange(event.size) - np.maximum.accumulate(np.where(first, np.arange(event.size), 0))
    which = np.empty(event.size, np.int64)
    which[order] = within
    flavour, charge = rng.integers(0, 2, n_events)[event], rng.choice([-1, 1], n_events)[event]
    kind = np.where((which + flavour) % 2 == 0, 11, 13)
    charges = np.where(rng.random(event.size) < 0.1, 1, -1) * np.where(which % 2 == 0, -1, 1) * charge
    return Leptons(event, kind, pt * rng.uniform(0.6, 1, pt.size) * (pt > floor) + pt * (pt <= floor), eta, phi,
                   charges, good)  # fmt: skip


def lepton_pairs(n_events: int, preselected: float, seed: int = 1) -> dilepton.Inputs:
    """Return CMS events, a share *preselected* of which has an electron and a muon above threshold."""
    rng = np.random.default_rng(seed)
    source = _lepton_pairs(rng, n_events, preselected, 10.0)
    jet_event, jets = random_jets(rng, n_events)
    jets["b_tag"] = rng.beta(0.3, 12.0, jet_event.size)
    built: dilepton.Inputs = built_inputs(dilepton.Inputs, n_events, {
        "events": _triggered(rng, n_events),
        **_tight(rng, n_events, source),
        "jets": collection(Jets, n_events, jet_event, jets),
        "puppi_met": _met(rng, n_events),
    })  # fmt: skip
    return built


def _atlas_leptons(rng: np.random.Generator, source: Leptons) -> dict[str, Array]:
    n, good = source.pt.size, source.good
    sigma = rng.uniform(0.005, 0.03, n)
    return source._asdict() | {
        "e": np.hypot(source.pt * np.cosh(source.eta), np.where(source.kind == 13, 0.1056583755, 0.000510998950)),
        "z0": rng.normal(0, np.where(good, 0.1, 1.0), n),
        "d0": rng.normal(0, np.where(good, 1.0, 4.0) * sigma, n),
        "sigma_d0": sigma,
        "ptcone30": rng.exponential(np.where(good, 0.02, 0.2), n) * source.pt,
        "etcone20": rng.normal(0.01, np.where(good, 0.03, 0.2), n) * source.pt,
        "tight_id": _passing(rng, good, 0.95, 0.4),
        "tight_iso": _passing(rng, good, 0.95, 0.4),
        "loose_id": _passing(rng, good, 0.97, 0.5),
        "medium_id": _passing(rng, good, 0.97, 0.5),
        "loose_iso": _passing(rng, good, 0.97, 0.5),
        "trigger_matched": _passing(rng, good, 0.7, 0.3),
    }


def lepton_pairs_atlas(n_events: int, preselected: float, seed: int = 1) -> dilepton_atlas.Inputs:
    """Return ATLAS events, a share *preselected* of which has two leptons above threshold."""
    rng = np.random.default_rng(seed)
    source = _lepton_pairs(rng, n_events, preselected, 15.0)
    jet_event, jets = random_jets(rng, n_events)
    jets["jvt"] = rng.beta(3.0, 1.0, jet_event.size)
    built: dilepton_atlas.Inputs = built_inputs(dilepton_atlas.Inputs, n_events, {
        "events": _triggered(rng, n_events),
        "scale_factors": {name: rng.normal(1, 0.05, n_events) for name in dilepton_atlas.ScaleFactors._fields},
        "leptons": collection(AtlasLeptons, n_events, source.event, _atlas_leptons(rng, source)),
        "jets": collection(AtlasJets, n_events, jet_event, jets),
        "met": _met(rng, n_events),
    })  # fmt: skip
    return built


def four_lepton_atlas_2025_events(n_events: int, preselected: float, seed: int = 1) -> four_lepton_atlas_2025.Inputs:
    """Return ATLAS events of 2025, a share *preselected* of which has four leptons."""
    rng = np.random.default_rng(seed)
    source = leptons(rng, n_events, preselected)
    source = Leptons(*(values[source.pt > 5] for values in source))
    built: four_lepton_atlas_2025.Inputs = built_inputs(four_lepton_atlas_2025.Inputs, n_events, {
        "events": _triggered(rng, n_events),
        "scale_factors": {name: rng.normal(1, 0.05, n_events) for name in four_lepton_atlas.ScaleFactors._fields},
        "leptons": collection(
            four_lepton_atlas_2025.IdentifiedLeptons, n_events, source.event, _atlas_leptons(rng, source)
        ),
    })  # fmt: skip
    return built
