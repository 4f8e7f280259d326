"""Muons as reconstructed, with NanoAOD's variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.impact_parameters import impact_parameters
from gpuhiggs.simulate.isolation import Surroundings, isolation_sums
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Floats, Ints, Particles
from gpuhiggs.simulate.resolution import muon_efficiency, muon_id_efficiency, muon_resolution, smear

MUON_MASS = 0.1056583755  # GeV, PDG 2022 (PTEP 2022, 083C01)

_LOWEST_PT = 3.0  # of NanoAOD

# Own choice, of the size that CMS reports for Run 2 (JINST 13 (2018) P06015).
_GLOBAL, _TRACKER, _MEDIUM, _TIGHT = 0.97, 0.99, 0.98, 0.97
_HIGH_PT_GLOBAL = 2  # NanoAOD's code for the global high-pT identification


def reconstruct_muons(
    visible: Particles, around: Surroundings, gen_index: Ints, random: np.random.Generator
) -> Collection:
    """Reconstruct the muons of a block, prompt or from hadron decays alike.

    Parameters
    ----------
    visible
        Final particles but neutrinos.
    around
        What isolation is computed from.
    gen_index
        Place in GenPart of each particle of the generator's record, -1 where it has none.
    random
        Source of efficiencies and resolutions.
    """
    in_reach = (visible.pt > 0.5 * _LOWEST_PT) & (np.abs(visible.eta) < 2.5)
    muons = visible.select((visible.kind == 13) & in_reach)
    pt = smear(muons.pt, muon_resolution(muons.pt, muons.eta), random)
    cone03, cone04 = isolation_sums(muons.event, muons.eta, muons.phi, around, (0.3, 0.4), random)
    vertex = impact_parameters(muons, random)

    chance = random.random((6, len(muons)))
    identified = chance[0] < muon_id_efficiency(pt)
    is_global = chance[1] < _GLOBAL
    is_tracker = chance[2] < _TRACKER
    medium = identified & (is_global | is_tracker) & (chance[3] < _MEDIUM)
    # the tight identification also asks for a track from the primary vertex, in cm
    tight = medium & is_global & (np.abs(vertex["dxy"]) < 0.2) & (np.abs(vertex["dz"]) < 0.5) & (chance[4] < _TIGHT)
    fields = {
        "pt": pt,
        "eta": muons.eta,
        "phi": muons.phi,
        "mass": np.full(len(muons), MUON_MASS),
        "charge": -np.sign(muons.pdg_id).astype(np.int32),
        "pdgId": muons.pdg_id.astype(np.int32),
        **vertex,
        "ptErr": muon_resolution(pt, muons.eta) * pt,
        "pfRelIso03_all": cone03.total / pt,
        "pfRelIso03_chg": cone03.charged / pt,
        "pfRelIso04_all": cone04.total / pt,
        "isGlobal": is_global,
        "isTracker": is_tracker,
        "isPFcand": identified,
        "nStations": np.where(is_tracker, random.integers(2, 5, len(muons)), 0).astype(np.int32),
        "highPtId": np.where(is_global, _HIGH_PT_GLOBAL, 0).astype(np.uint8),
        "looseId": identified & (is_global | is_tracker),
        "mediumId": medium,
        "tightId": tight,
        "pfIsoId": isolation_id(cone04.total / pt),
        "nTrackerLayers": random.integers(10, 16, len(muons)).astype(np.int32),
        "genPartIdx": gen_index[muons.record].astype(np.int32),
    }
    found = chance[5] < muon_efficiency(muons.eta)
    kept = found & (pt > _LOWEST_PT) & (fields["looseId"] | is_global)
    return Collection.ordered(visible.n_events, muons.event, fields, kept)


def isolation_id(relative_iso: Floats) -> NDArray[np.uint8]:
    """Code of the tightest working point passed: NanoAOD's pfIsoId (CMS Muon POG: 0.40 down to 0.05)."""
    working_points = np.array([0.05, 0.10, 0.15, 0.20, 0.25, 0.40])
    return (6 - np.searchsorted(working_points, relative_iso)).astype(np.uint8)
