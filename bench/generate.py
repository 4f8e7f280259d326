"""Random events with the look of physics, as the columns that the four-lepton channels read.

Kernels are timed on these events (``bench/``) and tested with them (``tests/kernels/``). A chosen share of the events
has four leptons above the thresholds, most of those two Z bosons with FSR photons near their leptons, so that every
branch of a selection is taken by some of them. The same arguments give the same events.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gpuhiggs.columns import assemble, has_objects
from gpuhiggs.kernels import four_lepton as cms
from gpuhiggs.kernels import four_lepton_atlas as atlas
from gpuhiggs.kernels.jets import Jets
from gpuhiggs.kernels.language import fields, leaf_kind
from gpuhiggs.kernels.leptons import Electrons, FsrPhotons, Muons

Array = np.ndarray[Any, Any]

ZZ_SHARE = 0.7
"""Of the events with four leptons, those that hold two Z bosons; in the others the leptons have nothing in common."""

GOOD_PT = 7.5
"""GeV; the leptons that make an event pass the preselection lie above it, and above the thresholds of both channels."""


class Leptons(NamedTuple):
    """All leptons of all events, an array each."""

    event: Array
    kind: Array
    """11 for an electron, 13 for a muon."""
    pt: Array
    eta: Array
    phi: Array
    charge: Array
    good: Array
    """Whether the lepton looks like a prompt one."""


def wrapped(phi: Array) -> Array:
    return (phi + np.pi) % (2 * np.pi) - np.pi


def two_body_decays(rng: np.random.Generator, mass: Array) -> tuple[Array, Array, Array]:
    """Return (pt, eta, phi), each of shape (2, n), of two massless daughters of moving, unpolarised particles."""
    n = mass.size
    cos, angle = rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n)
    both = np.array([[1.0], [-1.0]]) * mass / 2  # back to back in the rest frame
    px, py, pz = both * np.sqrt(1 - cos**2) * np.cos(angle), both * np.sqrt(1 - cos**2) * np.sin(angle), both * cos
    boost = rng.exponential(25.0, n) / mass  # transverse momentum of the Z over its mass
    px = np.sqrt(1 + boost**2) * px + boost * mass / 2
    pt = np.hypot(px, py)
    return pt, np.arcsinh(pz / pt) + rng.normal(0, 0.8, n), wrapped(np.arctan2(py, px) + rng.uniform(-np.pi, np.pi, n))


def _zz(rng: np.random.Generator, events: Array) -> Leptons:
    """Return four leptons for each event: of two Z bosons, the second one often off shell."""
    n = events.size
    on_shell = np.clip(91.19 + 1.25 * rng.standard_cauchy((2, n)), 20, 130)
    masses = (on_shell[0], np.where(rng.random(n) < 0.4, on_shell[1], rng.uniform(3, 115, n)))
    decays = [two_body_decays(rng, mass) for mass in masses]
    pt, eta, phi = (np.concatenate(parts) for parts in zip(*decays, strict=True))
    ghost = rng.random(n) < 0.01  # the positive leptons are one particle, found twice
    eta[2, ghost], phi[2, ghost] = eta[0, ghost] + 0.005, phi[0, ghost]
    kind = np.repeat(rng.choice([11, 13], (2, n)), 2, axis=0)
    charge = np.tile(np.repeat([[1], [-1]], n, axis=1), (2, 1))
    good = np.ones(4 * n, bool)
    return Leptons(np.tile(events, 4), kind.ravel(), pt.ravel(), eta.ravel(), phi.ravel(), charge.ravel(), good)


def unrelated(rng: np.random.Generator, events: Array, good: float, scale: float) -> Leptons:
    """Return one lepton for each entry of *events*, of exponential pt; a share of them *good*."""
    n = events.size
    return Leptons(
        events,
        rng.choice([11, 13], n),
        rng.exponential(scale, n),
        rng.normal(0, 1.3, n),
        rng.uniform(-np.pi, np.pi, n),
        rng.choice([-1, 1], n),
        rng.random(n) < good,
    )


def leptons(rng: np.random.Generator, n_events: int, preselected: float) -> Leptons:
    """Return the leptons of all events; in a share *preselected* there are four above every threshold."""
    four = np.flatnonzero(rng.random(n_events) < preselected)
    is_zz = rng.random(four.size) < ZZ_SHARE
    extra = np.repeat(four, np.where(rng.random(four.size) < 0.15, rng.integers(1, 5, four.size), 0))
    few = np.setdiff1d(np.arange(n_events), four)
    few = np.repeat(few, rng.choice(4, few.size, p=[0.5, 0.3, 0.15, 0.05]))
    soft = np.repeat(np.arange(n_events), rng.poisson(0.2, n_events))
    hard = [_zz(rng, four[is_zz]), unrelated(rng, np.repeat(four[~is_zz], 4), 0.7, 25.0)]
    hard = [part._replace(pt=np.maximum(part.pt, GOOD_PT)) for part in hard]
    rest = [unrelated(rng, extra, 0.8, 25.0), unrelated(rng, few, 0.5, 20.0)]
    faint = unrelated(rng, soft, 0.2, 1.0)
    faint = faint._replace(pt=np.minimum(faint.pt + 2.0, 4.9))
    return Leptons(*(np.concatenate(parts) for parts in zip(*hard, *rest, faint, strict=True)))


def collection(tuple_type: type, n_events: int, event: Array, columns: dict[str, Array]) -> dict[str, Array]:
    """Return a collection's columns in the declared types, the objects of an event by falling pt."""
    order = np.lexsort((-columns["pt"], event))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(event, minlength=n_events))])
    return {
        name: np.ascontiguousarray((offsets if name == "offsets" else columns[name][order]).astype(leaf_kind(hint)[1]))
        for name, hint in fields(tuple_type).items()
    }


def built_inputs(inputs: type, n_events: int, collections: dict[str, dict[str, Array]]) -> Any:
    """Build an ``Inputs`` from collections of columns."""
    for name, tuple_type in fields(inputs).items():
        if not has_objects(inputs, name):
            hints = fields(tuple_type)
            collections[name] = {
                field: values.astype(leaf_kind(hints[field])[1]) for field, values in collections[name].items()
            }
    arrays = {(name, field): values for name, columns in collections.items() for field, values in columns.items()}
    return assemble(inputs, n_events, arrays)


def gate_events(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Return the columns of the data-quality gate: a few per cent of the events fail each cut."""
    return {
        "run": rng.choice([297050, 306091, 315252, 325175], n),
        "luminosity_block": rng.integers(1, 500, n),
        "triggers": np.where(rng.random(n) < 0.95, rng.integers(1, 2**13, n), 0),
        "filters": np.where(rng.random(n) < 0.98, 2**16 - 1, rng.integers(0, 2**16, n)),
        "gen_weight": np.where(rng.random(n) < 0.1, -1, 1) * rng.lognormal(0.0, 0.7, n),
    }


def _fsr_photons(rng: np.random.Generator, n_events: int, source: Leptons) -> tuple[Array, dict[str, Array], Array]:
    """Return the event and the columns of FSR candidates, and the pt that each lepton has around it."""
    owner = np.repeat(np.arange(source.pt.size), rng.choice(3, source.pt.size, p=[0.85, 0.12, 0.03]))
    noise = np.repeat(np.arange(n_events), rng.poisson(0.05, n_events))
    n, k = owner.size, noise.size
    dr, direction = rng.exponential(0.1, n), rng.uniform(-np.pi, np.pi, n)
    columns = {
        "pt": np.concatenate([1.5 + rng.exponential(6.0, n), 1.5 + rng.exponential(4.0, k)]),
        "eta": np.concatenate([source.eta[owner] + dr * np.cos(direction), rng.normal(0, 1.3, k)]),
        "phi": np.concatenate([wrapped(source.phi[owner] + dr * np.sin(direction)), rng.uniform(-np.pi, np.pi, k)]),
        "iso": rng.exponential(0.6, n + k),
    }
    around = np.bincount(owner, columns["pt"][:n], minlength=source.pt.size)
    return np.concatenate([source.event[owner], noise]), columns, around


def lepton_quality(rng: np.random.Generator, good: Array) -> dict[str, Array]:
    """Return what muons and electrons have in common: impact parameters and isolation, wider for those not *good*."""
    n = good.size
    return {
        "dxy": rng.normal(0, np.where(good, 0.01, 0.3), n),
        "dz": rng.normal(0, np.where(good, 0.02, 0.6), n),
        "sip3d": rng.exponential(np.where(good, 0.9, 3.0), n),
        "iso": rng.exponential(np.where(good, 0.06, 0.4), n),
        "charge": np.zeros(n),
    }


def random_jets(rng: np.random.Generator, n_events: int) -> tuple[Array, dict[str, Array]]:
    busy = rng.random(n_events) < 0.15
    event = np.repeat(np.arange(n_events), rng.poisson(np.where(busy, 6.0, 1.2)))
    n = event.size
    return event, {
        "pt": 15 + rng.exponential(35.0, n),
        "eta": rng.normal(0, 2, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
        "id": rng.choice([0, 2, 6], n, p=[0.05, 0.15, 0.8]),
        "pile_up_id": rng.choice([0, 4, 6, 7], n, p=[0.1, 0.1, 0.1, 0.7]),
        "b_tag": rng.beta(0.4, 2.5, n),
        "mass": rng.exponential(8.0, n),
    }


def four_lepton(n_events: int, preselected: float, seed: int = 1) -> cms.Inputs:
    """Return CMS events, a share *preselected* of which has four leptons above threshold."""
    rng = np.random.default_rng(seed)
    source = leptons(rng, n_events, preselected)
    photon_event, photons, around = _fsr_photons(rng, n_events, source)
    common = {**source._asdict(), **lepton_quality(rng, source.good), "charge": source.charge}
    common["iso"] = common["iso"] + around / source.pt  # an isolation cone holds the photons radiated into it
    is_muon, n = source.kind == 13, source.pt.size

    def passing(share_good: float, share_other: float) -> Array:
        return rng.random(n) < np.where(source.good, share_good, share_other)

    muons = {
        "mass": np.full(n, 0.1056583755),
        "is_global": passing(0.95, 0.6),
        "is_tracker": passing(0.97, 0.7),
        "is_pf": passing(0.98, 0.5),
        "n_stations": rng.poisson(2.0, n),
        "high_pt_id": rng.integers(0, 3, n),
    }
    electrons = {
        "mass": np.full(n, 0.000510998950),
        "delta_eta_sc": rng.normal(0, 0.02, n),
        "bdt": np.where(source.good, 1 - rng.exponential(0.003, n), rng.uniform(-1, 1, n)),
        "bdt_wp90": passing(0.93, 0.1),
    }

    def chosen(columns: dict[str, Array], mask: Array) -> dict[str, Array]:
        return {name: values[mask] for name, values in {**common, **columns}.items()}

    jet_event, jets = random_jets(rng, n_events)
    built: cms.Inputs = built_inputs(cms.Inputs, n_events, {
        "events": gate_events(rng, n_events),
        "muons": collection(Muons, n_events, source.event[is_muon], chosen(muons, is_muon)),
        "electrons": collection(Electrons, n_events, source.event[~is_muon], chosen(electrons, ~is_muon)),
        "fsr_photons": collection(FsrPhotons, n_events, photon_event, photons),
        "jets": collection(Jets, n_events, jet_event, jets),
        "met": {"pt": rng.exponential(45.0, n_events), "phi": rng.uniform(-np.pi, np.pi, n_events)},
    })  # fmt: skip
    return built


def four_lepton_atlas(n_events: int, preselected: float, seed: int = 1) -> atlas.Inputs:
    """Return ATLAS events, a share *preselected* of which has four leptons above threshold."""
    rng = np.random.default_rng(seed)
    source = leptons(rng, n_events, preselected)
    n = source.pt.size
    sigma = rng.uniform(0.005, 0.03, n)
    columns = source._asdict() | {
        "e": np.hypot(source.pt * np.cosh(source.eta), np.where(source.kind == 13, 0.1056583755, 0.000510998950)),
        "z0": rng.normal(0, np.where(source.good, 0.1, 1.0), n),
        "d0": rng.normal(0, np.where(source.good, 1.0, 4.0) * sigma, n),
        "sigma_d0": sigma,
        "ptcone30": rng.exponential(np.where(source.good, 0.05, 0.3), n) * source.pt,
        "etcone20": rng.normal(0.02, np.where(source.good, 0.06, 0.3), n) * source.pt,
    }
    built: atlas.Inputs = built_inputs(atlas.Inputs, n_events, {
        "events": gate_events(rng, n_events),
        "scale_factors": {name: rng.normal(1, 0.05, n_events) for name in atlas.ScaleFactors._fields},
        "leptons": collection(atlas.AtlasLeptons, n_events, source.event, columns),
    })  # fmt: skip
    return built
