"""The detector: from the generator's particles to the columns of a NanoAOD-like file."""

from __future__ import annotations

import numpy as np

from gpuhiggs.simulate.blocks import Block
from gpuhiggs.simulate.electrons import reconstruct_electrons
from gpuhiggs.simulate.fsr_photons import reconstruct_fsr_photons
from gpuhiggs.simulate.gen_particles import keep_gen_particles
from gpuhiggs.simulate.isolation import surroundings
from gpuhiggs.simulate.jets import reconstruct_jets
from gpuhiggs.simulate.missing_momentum import reconstruct_missing_momentum
from gpuhiggs.simulate.muons import reconstruct_muons
from gpuhiggs.simulate.nanoaod import Events
from gpuhiggs.simulate.particles import NEUTRINOS, Floats, Particles
from gpuhiggs.simulate.pileup import draw_bunch_crossings
from gpuhiggs.simulate.triggers import decide_triggers

SIMULATED_RUN = 1  # as in all CMS simulation

# The filters that CMS applies in 2016-2018 (NanoAOD v9 names): no simulated event has the noise that they reject.
_EVENT_FILTERS = (
    "goodVertices",
    "globalSuperTightHalo2016Filter",
    "HBHENoiseFilter",
    "HBHENoiseIsoFilter",
    "EcalDeadCellTriggerPrimitiveFilter",
    "BadPFMuonFilter",
    "BadPFMuonDzFilter",
    "eeBadScFilter",
    "ecalBadCalibFilter",
)


def detect(record: Particles, weight: Floats, block: Block) -> Events:
    """Simulate the detector's response to a block of events.

    Parameters
    ----------
    record
        The generator's particles.
    weight
        Event weights, shape (events,).
    block
        Gives the event numbers and the random streams.

    Returns
    -------
    Events
        Columns with the names and types of NanoAOD v9.
    """
    crossing = draw_bunch_crossings(record.n_events, block.stream("pileup"))
    visible = record.select(record.is_final & ~np.isin(record.kind, NEUTRINOS))
    around = surroundings(visible, crossing.n_pileup)
    gen_particles, gen_index = keep_gen_particles(record)
    muons = reconstruct_muons(visible, around, gen_index, block.stream("muons"))
    electrons = reconstruct_electrons(visible, around, crossing.z, gen_index, block.stream("electrons"))
    fsr_photons, best_photon = reconstruct_fsr_photons(visible, muons, around, block.stream("fsr photons"))
    return {
        "run": np.full(record.n_events, SIMULATED_RUN, dtype=np.uint32),
        "luminosityBlock": np.full(record.n_events, block.number + 1, dtype=np.uint32),
        "event": block.first + np.arange(1, record.n_events + 1, dtype=np.uint64),
        "genWeight": weight,
        "Pileup_nTrueInt": crossing.n_true,
        "Pileup_nPU": crossing.n_pileup.astype(np.int32),
        "PV_npvsGood": crossing.n_good_vertices.astype(np.int32),
        "PV_z": crossing.z,
        **decide_triggers(electrons, muons, block.stream("triggers")),
        **{f"Flag_{name}": np.ones(record.n_events, dtype=bool) for name in _EVENT_FILTERS},
        "Muon": muons.with_field("fsrPhotonIdx", best_photon.astype(np.int32)),
        "Electron": electrons,
        "FsrPhoton": fsr_photons,
        "Jet": reconstruct_jets(visible, record, block.stream("jets")),
        **reconstruct_missing_momentum(record, visible, crossing.n_pileup, block.stream("missing momentum")),
        "GenPart": gen_particles,
    }
