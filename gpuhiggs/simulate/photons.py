"""Photons as reconstructed, with NanoAOD's variables: true ones, electrons taken for one, jets taken for one.

The energy is the true one smeared; what describes the shower's shape (``r9``, ``sieie``, ``hoe``, ``mvaID``) is drawn
from templates: it can be cut on, but a classifier that gains from it has learnt this file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gpuhiggs.simulate.electrons import supercluster_eta
from gpuhiggs.simulate.isolation import Surroundings, isolation_sums
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Bools, Floats, Ints, Particles, delta_r, pairs_within_events, sum_by
from gpuhiggs.simulate.resolution import photon_efficiency, photon_resolution, smear
from gpuhiggs.simulate.vertex import eta_from_vertex

_LOWEST_PT = 8.0  # GeV; NanoAOD keeps softer ones where they are isolated
_CLUSTER_RADIUS = 0.05
_BARREL, _ENDCAP = 1.4442, (1.566, 2.5)  # |η| of the supercluster; between them the calorimeter has a gap
_PROMPT = 1  # genPartFlav of prompt photons

# Own choice, of the size that CMS reports for Run 2 (JINST 16 (2021) P05014).
_UNCONVERTED = (0.70, 0.55)  # chance in barrel and endcap
_SHARPENED, _BLURRED = 0.85, 1.3  # energy resolution of unconverted and converted photons, over the mean one
_VETO = {"photon": 0.995, "electron": 0.02}  # chance to pass the electron veto
_SEED = {"photon": 0.05, "electron": 0.97}  # ... and to have hits in the pixel detector

# Fall17V2 working points of NanoAOD's mvaID in barrel and endcap, and efficiencies of its CMS card for true photons.
_WP80, _WP90 = (0.42, 0.14), (-0.02, -0.26)
_ISOLATION_FREE, _ISOLATION_SLOPE = 0.10, 5.0

# Jets that are taken for photons: own choice. The chance of 2.5 ‰ at 30 GeV, falling, is of the size of the loose
# preselection of H → γγ; processes.yaml scales it to the share of such events among those selected.
_JET_CHANCE, _JET_REFERENCE, _JET_POWER = 2.5e-3, 30.0, -0.5
_JET_SHARE = (0.88, 0.08)  # of the jet's pT that the photon has: mean and width
_JET_ISOLATION = 0.05  # mean relative isolation


class Candidates(NamedTuple):
    """What may be reconstructed as a photon: arrays of one length; ``kind`` 22, 11 or 0 for a jet."""

    event: Ints
    energy: Floats
    eta: Floats
    phi: Floats
    kind: Ints
    prompt: Bools
    gen_index: Ints


def reconstruct_photons(
    visible: Particles,
    record: Particles,
    around: Surroundings,
    z: Floats,
    vertex: Floats,
    gen_index: Ints,
    random: np.random.Generator,
    jet: Candidates | None = None,
) -> Collection:
    """Reconstruct the photons of a block.

    Parameters
    ----------
    visible
        Final particles but neutrinos.
    record
        The generator's full record.
    around
        What isolation is computed from.
    z
        Position of the collision in cm, shape (events,).
    vertex
        Where it is taken to have happened, from where photons seem to come.
    gen_index
        Place in GenPart of each particle of the record, -1 where it has none.
    random
        Source of efficiencies, resolutions and shower shapes.
    jet
        Jets taken for photons, see :func:`jets_as_photons`.
    """
    found = _candidates(visible, record, gen_index)
    if jet is not None:
        found = _together(found, jet)
    eta_cluster = supercluster_eta(found.eta, z[found.event])
    forward = (np.abs(eta_cluster) > _BARREL).astype(np.int64)
    like_photon = (found.kind != 0) & (found.prompt | (found.kind == 11))
    shape = _shower_shape(forward, like_photon, random)
    relative = photon_resolution(found.energy, found.eta) * np.where(shape["r9"] > 0.94, _SHARPENED, _BLURRED)
    energy = smear(found.energy, relative, random)
    at_vertex = vertex[found.event] == z[found.event]
    eta = np.where(at_vertex, found.eta, eta_from_vertex(eta_cluster, vertex[found.event]))
    pt = energy / np.cosh(eta)
    (cone,) = isolation_sums(found.event, found.eta, found.phi, around, (0.3,), random, veto=_CLUSTER_RADIUS)
    from_jet = found.kind == 0
    template = random.exponential(_JET_ISOLATION, (2, len(pt)))
    charged = np.where(from_jet, template[0], cone.charged / pt)
    total = np.where(from_jet, template.sum(axis=0), cone.total / pt)
    is_electron = found.kind == 11
    chance = random.random((2, len(pt)))
    fields: dict[str, NDArray[Any]] = {
        "pt": pt,
        "eta": eta,
        "phi": found.phi,
        "mass": np.zeros(len(pt)),
        "charge": np.zeros(len(pt), dtype=np.int32),
        "pdgId": np.full(len(pt), 22, dtype=np.int32),
        "energyErr": relative * energy,
        **shape,
        "pfRelIso03_all": total,
        "pfRelIso03_chg": charged,
        **_identification(forward, like_photon, total, random),
        "electronVeto": chance[0] < np.where(is_electron, _VETO["electron"], _VETO["photon"]),
        "pixelSeed": chance[1] < np.where(is_electron, _SEED["electron"], _SEED["photon"]),
        "isScEtaEB": np.abs(eta_cluster) < _BARREL,
        "isScEtaEE": (np.abs(eta_cluster) > _ENDCAP[0]) & (np.abs(eta_cluster) < _ENDCAP[1]),
        "genPartIdx": found.gen_index.astype(np.int32),
        "genPartFlav": np.where(found.prompt & ~is_electron, _PROMPT, np.where(is_electron, 11, 0)).astype(np.uint8),
    }
    kept = random.random(len(pt)) < np.where(from_jet, 1.0, photon_efficiency(pt, found.eta))
    return Collection.ordered(visible.n_events, found.event, fields, kept & (pt > _LOWEST_PT))


def jets_as_photons(
    jets: Collection, hard_photons: Particles, random: np.random.Generator
) -> tuple[Candidates, Floats]:
    """Take one jet of each event for a photon, with the chance of that as weight.

    Parameters
    ----------
    jets
        Of the block.
    hard_photons
        Prompt photons, which are jets too but not taken twice.
    random
        Chooses the jet and its share of energy.

    Returns
    -------
    candidates
        At most one an event.
    weight
        Sum of the chances of an event's jets, at most 1, shape (events,).
    """
    left, right = pairs_within_events(jets.event, hard_photons.offsets)
    distance = delta_r(jets["eta"][left], jets["phi"][left], hard_photons.eta[right], hard_photons.phi[right])
    near = np.zeros(len(jets), dtype=bool)
    near[left[(distance < 0.4) & (hard_photons.pt[right] > 10.0)]] = True
    usable = ~near & (np.abs(jets["eta"]) < _ENDCAP[1])
    chance = np.where(usable, jet_chance(jets["pt"]), 0.0)
    weight = np.minimum(sum_by(jets.event, chance, jets.n_events), 1.0)
    # the largest of -log(u)/chance reversed: each jet is chosen in proportion to its chance
    with np.errstate(divide="ignore"):
        wait = np.where(usable, random.standard_exponential(len(jets)) / chance, np.inf)
    order = np.lexsort((wait, jets.event))
    event, first = np.unique(jets.event[order], return_index=True)
    chosen = order[first]
    kept = usable[chosen]
    event, chosen = event[kept], chosen[kept]
    share = np.clip(random.normal(*_JET_SHARE, len(chosen)), 0.5, 1.0)
    energy = jets["pt"][chosen] * share * np.cosh(jets["eta"][chosen])
    n = len(chosen)
    nothing = np.zeros(n, dtype=np.int64)
    found = Candidates(
        event, energy, jets["eta"][chosen], jets["phi"][chosen], nothing, nothing.astype(bool), nothing - 1
    )
    return found, weight


def jet_chance(pt: Floats) -> Floats:
    """Chance of a jet to be taken for a photon by the loose preselection of H → γγ."""
    return _JET_CHANCE * (pt / _JET_REFERENCE) ** _JET_POWER


def is_prompt_photon(particles: Particles, record: Particles) -> Bools:
    """Whether particles are photons that no hadron made: of the hard process, a shower or the Higgs boson."""
    prompt: Bools = (particles.kind == 22) & (record.kind[particles.mother] < 100)
    return prompt


def _together(first: Candidates, second: Candidates) -> Candidates:
    columns: list[Any] = [np.concatenate(pair) for pair in zip(first, second, strict=True)]
    return Candidates(*columns)


def _candidates(visible: Particles, record: Particles, gen_index: Ints) -> Candidates:
    """Photons and electrons that make a deposit of their own: none within the reach of a harder one."""
    in_reach = (visible.pt > 0.5 * _LOWEST_PT) & (np.abs(visible.eta) < _ENDCAP[1])
    chosen = visible.select(in_reach & ((visible.kind == 22) | (visible.kind == 11)))
    photons = visible.select(visible.kind == 22)
    left, right = pairs_within_events(chosen.event, photons.offsets)
    distance = delta_r(chosen.eta[left], chosen.phi[left], photons.eta[right], photons.phi[right])
    near = (distance < _CLUSTER_RADIUS) & (chosen.record[left] != photons.record[right])
    energy = chosen.energy + sum_by(left[near], photons.energy[right[near]], len(chosen))
    left, right = pairs_within_events(chosen.event, chosen.offsets)
    distance = delta_r(chosen.eta[left], chosen.phi[left], chosen.eta[right], chosen.phi[right])
    harder = (chosen.pt[right] > chosen.pt[left]) | ((chosen.pt[right] == chosen.pt[left]) & (right < left))
    absorbed = np.zeros(len(chosen), dtype=bool)
    absorbed[left[(distance < _CLUSTER_RADIUS) & harder & (left != right)]] = True
    own = np.flatnonzero(~absorbed)
    prompt = is_prompt_photon(chosen, record)
    index = np.where(prompt | (chosen.kind == 11), gen_index[chosen.record], -1)
    return Candidates(
        chosen.event[own],
        energy[own],
        chosen.eta[own],
        chosen.phi[own],
        chosen.kind[own],
        prompt[own],
        index[own],
    )


def _shower_shape(forward: Ints, like_photon: Bools, random: np.random.Generator) -> dict[str, Floats]:
    """Draw r9, σ(iηiη) and hadronic over electromagnetic energy: own templates of the shape of CMS's."""
    n = len(forward)
    unconverted = random.random(n) < np.where(like_photon, np.take(_UNCONVERTED, forward), 0.25)
    normal = random.standard_normal((2, n))
    r9 = np.where(unconverted, 0.965 - 0.012 * np.abs(normal[0]), 0.86 - 0.07 * normal[0])
    width = np.where(like_photon, np.take((0.0006, 0.0015), forward), np.take((0.0016, 0.004), forward))
    sieie = np.take((0.0097, 0.0265), forward) + np.where(like_photon, 0.0, width) + width * normal[1]
    hoe = random.exponential(np.where(like_photon, 0.006, 0.025), n)
    return {"r9": np.clip(r9, 0.3, 1.0), "sieie": np.maximum(sieie, 0.004), "hoe": hoe}


def _identification(
    forward: Ints, like_photon: Bools, relative_iso: Floats, random: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Draw the multivariate score so that true isolated photons pass the working points in 80 and 90 of 100 cases."""
    quality = random.standard_normal(len(forward)) - np.where(like_photon, 0.0, 1.6)
    quality -= _ISOLATION_SLOPE * np.maximum(0.0, relative_iso - _ISOLATION_FREE)
    tight, loose = -ndtri(0.80), -ndtri(0.90)
    high, low = np.take(np.arctanh(_WP80), forward), np.take(np.arctanh(_WP90), forward)
    score = np.tanh(low + (quality - loose) * (high - low) / (tight - loose))
    return {
        "mvaID": score,
        "mvaID_WP80": score > np.take(_WP80, forward),
        "mvaID_WP90": score > np.take(_WP90, forward),
    }
