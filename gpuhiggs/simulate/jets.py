"""Jets: anti-kT with R = 0.4 of all that is visible, as generated and smeared with a b-tag score."""

from __future__ import annotations

from typing import Any, NamedTuple

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from gpuhiggs.errors import MissingExtraError
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Floats, Ints, Particles, delta_r, pairs_within_events
from gpuhiggs.simulate.resolution import jet_resolution, smear

_RADIUS = 0.4
_LOWEST_PT = 15.0  # of NanoAOD
_LARGEST_ETA = 4.7
_TRACKER_ETA = 2.5
_HADRON_PT = 5.0  # of a heavy hadron that gives its flavour to a jet; CMS asks for the same
_LOWEST_GEN_PT = 10.0
_LOWEST_PT_BEFORE_SMEARING = 8.0  # what still can fluctuate up to 15 GeV

_TIGHT_AND_LEPTON_VETO = 6  # NanoAOD's jetId
_ALL_PILEUP_WORKING_POINTS = 7  # NanoAOD's puId; jets of pile-up are another module's

# DeepJet's medium working point for 2018 (CMS BTV), which the efficiencies below belong to; own choice of steepness.
_MEDIUM, _STEEPNESS = 0.2783, 2.0


def import_fastjet() -> Any:
    """Return the module ``fastjet`` with its banner silenced, or raise MissingExtraError."""
    try:
        import fastjet
    except ImportError as error:
        feature, package, extra = "simulation", "fastjet", "demo"
        raise MissingExtraError(feature, package, extra) from error
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    return fastjet


class Clustered(NamedTuple):
    """Jets of all events: event and momentum of each, GeV."""

    event: Ints
    px: Floats
    py: Floats
    pz: Floats
    energy: Floats


def reconstruct_jets(
    visible: Particles, record: Particles, random: np.random.Generator
) -> tuple[Collection, Collection]:
    """Cluster the jets of a block into GenJet, and smear them into Jet; return Jet and GenJet.

    Parameters
    ----------
    visible
        Final particles but neutrinos; leptons are clustered too, as in CMS.
    record
        The generator's full record, for the heavy hadrons.
    random
        Source of resolution and b-tag scores.
    """
    event, px, py, pz, energy = cluster(visible.select(np.abs(visible.eta) < 5.0), _LOWEST_PT_BEFORE_SMEARING)
    true_pt = np.hypot(px, py)
    eta, phi = np.arcsinh(pz / true_pt), np.arctan2(py, px)
    pt = smear(true_pt, jet_resolution(true_pt), random)
    true_mass = np.sqrt(np.maximum(0.0, energy**2 - px**2 - py**2 - pz**2))
    flavour = _flavour(event, eta, phi, record)
    true = {"pt": true_pt, "eta": eta, "phi": phi, "mass": true_mass, "hadronFlavour": flavour.astype(np.uint8)}
    kept = true_pt > _LOWEST_GEN_PT
    gen_jets = Collection.ordered(visible.n_events, event, {**true, "made_of": np.arange(len(event))}, kept)
    fields = {
        "pt": pt,
        "eta": eta,
        "phi": phi,
        "mass": true_mass * pt / true_pt,
        "jetId": np.full(len(event), _TIGHT_AND_LEPTON_VETO, dtype=np.int32),
        "puId": np.full(len(event), _ALL_PILEUP_WORKING_POINTS, dtype=np.int32),
        "btagDeepFlavB": _b_tag_score(pt, eta, flavour, random),
        "hadronFlavour": flavour.astype(np.int32),
        "area": np.full(len(event), np.pi * _RADIUS**2),
        "rawFactor": np.zeros(len(event)),
        "genJetIdx": _place_in_event(gen_jets, len(event)),
    }
    kept = (pt > _LOWEST_PT) & (np.abs(eta) < _LARGEST_ETA)
    del gen_jets.fields["made_of"]
    return Collection.ordered(visible.n_events, event, fields, kept), gen_jets


def _place_in_event(gen_jets: Collection, n: int) -> NDArray[np.int32]:
    """Return for each of the *n* clustered jets its place in GenJet, -1 where it is not there."""
    place = np.full(n, -1, dtype=np.int32)
    place[gen_jets["made_of"]] = np.arange(len(gen_jets)) - gen_jets.offsets[gen_jets.event]
    return place


def b_tag_efficiency(pt: Floats, flavour: Ints) -> Floats:
    """Probability to pass the medium working point (Delphes' CMS card), for hadron flavour 5, 4 and 0."""
    bottom = 0.85 * np.tanh(0.0025 * pt) * 25.0 / (1 + 0.063 * pt)
    charm = 0.25 * np.tanh(0.018 * pt) / (1 + 0.0013 * pt)
    light = 0.01 + 0.000038 * pt
    return np.select([flavour == 5, flavour == 4], [bottom, charm], light)


def cluster(particles: Particles, lowest_pt: float) -> Clustered:
    """Return the jets of all events above *lowest_pt* in GeV."""
    fastjet = import_fastjet()
    momenta = {"px": particles.px, "py": particles.py, "pz": particles.pz, "E": particles.energy}
    events = ak.unflatten(ak.zip(momenta, with_name="Momentum4D"), np.diff(particles.offsets))
    algorithm = fastjet.JetDefinition(fastjet.antikt_algorithm, _RADIUS)
    jets = fastjet.ClusterSequence(events, algorithm).inclusive_jets(min_pt=lowest_pt)
    event = np.repeat(np.arange(particles.n_events), ak.to_numpy(ak.num(jets)))
    px, py, pz, energy = (ak.to_numpy(ak.flatten(jets[axis])) for axis in ("px", "py", "pz", "E"))
    return Clustered(event, px, py, pz, energy)


def _flavour(event: Ints, eta: Floats, phi: Floats, record: Particles) -> Ints:
    """Flavour of the heaviest hadron within the jet: 5, 4 or 0."""
    heaviest = np.maximum(record.kind // 100 % 10, record.kind // 1000 % 10)  # heaviest quark of a hadron's PDG number
    is_hadron = (record.kind > 100) & (record.kind < 10_000) & (record.pt > _HADRON_PT)
    flavour = np.zeros(len(event), dtype=np.int64)
    for quark in (4, 5):
        hadrons = record.select(is_hadron & (heaviest == quark))
        left, right = pairs_within_events(event, hadrons.offsets)
        inside = delta_r(eta[left], phi[left], hadrons.eta[right], hadrons.phi[right]) < _RADIUS
        flavour[left[inside]] = quark
    return flavour


def _b_tag_score(pt: Floats, eta: Floats, flavour: Ints, random: np.random.Generator) -> Floats:
    """Draw a score between 0 and 1 that passes the medium working point with its efficiency; 0 outside the tracker."""
    above_threshold = random.standard_normal(len(pt)) + ndtri(b_tag_efficiency(pt, flavour))
    score = expit(logit(_MEDIUM) + _STEEPNESS * above_threshold)
    return np.where(np.abs(eta) < _TRACKER_ETA, score, 0.0)
