"""The detector: from the generator's particles to the columns of a NanoAOD-like file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate import jet_multiplicity
from gpuhiggs.simulate.blocks import Block
from gpuhiggs.simulate.electrons import reconstruct_electrons
from gpuhiggs.simulate.fake_leptons import FakeLeptons
from gpuhiggs.simulate.fsr_photons import reconstruct_fsr_photons
from gpuhiggs.simulate.gen_particles import keep_gen_particles
from gpuhiggs.simulate.generate import GeneratedBlock
from gpuhiggs.simulate.isolation import surroundings
from gpuhiggs.simulate.jets import reconstruct_jets
from gpuhiggs.simulate.missing_momentum import reconstruct_missing_momentum
from gpuhiggs.simulate.muons import reconstruct_muons
from gpuhiggs.simulate.nanoaod import Collection, Events
from gpuhiggs.simulate.particles import NEUTRINOS, Floats
from gpuhiggs.simulate.photons import is_prompt_photon, jets_as_photons, reconstruct_photons
from gpuhiggs.simulate.pileup import BunchCrossing, draw_bunch_crossings
from gpuhiggs.simulate.pileup_jets import with_pileup_jets
from gpuhiggs.simulate.processes import Process
from gpuhiggs.simulate.stxs import template_columns
from gpuhiggs.simulate.triggers import decide_triggers
from gpuhiggs.simulate.vertex import choose_vertex

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


def detect(generated: GeneratedBlock, process: Process, block: Block) -> Events:
    """Simulate the detector's response to a block of events.

    Parameters
    ----------
    generated
        The generator's particles and weights.
    process
        What was generated.
    block
        Gives the event numbers and the random streams.

    Returns
    -------
    Events
        Columns with the names and types of NanoAOD v9.
    """
    record, weight = generated.particles, generated.weight
    crossing = draw_bunch_crossings(record.n_events, block.stream("pileup"))
    visible = record.select(record.is_final & ~np.isin(record.kind, NEUTRINOS))
    around = surroundings(visible, crossing.n_pileup, underlying_event=block.settings.multiparton_interactions)
    gen_particles, gen_index = keep_gen_particles(record)
    muons = reconstruct_muons(visible, around, gen_index, block.stream("muons"))
    electrons = reconstruct_electrons(visible, around, crossing.z, gen_index, block.stream("electrons"))
    jets, gen_jets = reconstruct_jets(visible, record, block.stream("jets"))
    if process.lepton_fakes:
        genuine = visible.select(np.isin(visible.kind, (11, 13)))
        fakes = FakeLeptons(gen_jets, genuine, process.lepton_fakes, block.stream("jets as leptons"))
        weight = weight * fakes.weight
        muons, electrons = fakes.with_muons(muons), fakes.with_electrons(electrons)
    fsr_photons, best_photon = reconstruct_fsr_photons(visible, muons, around, block.stream("fsr photons"))
    prompt = visible.select(is_prompt_photon(visible, record))
    if process.jet_weights:
        weight = weight * jet_multiplicity.weights(gen_jets, prompt, process.jet_weights)
    fake = None
    if process.jet_fakes:
        fake, chance = jets_as_photons(jets, prompt, block.stream("jets as photons"))
        weight = weight * chance
    vertex = choose_vertex(visible, crossing.z, block.stream("vertex"))
    photons = reconstruct_photons(visible, record, around, crossing.z, vertex, gen_index, block.stream("photons"), fake)
    jets = with_pileup_jets(jets, crossing.n_pileup, block.stream("pile-up jets"))
    return {
        **_event(weight, crossing, vertex, block),
        **decide_triggers(electrons, muons, photons, block.stream("triggers")),
        **{f"Flag_{name}": np.ones(record.n_events, dtype=bool) for name in _EVENT_FILTERS},
        "Muon": muons.with_field("fsrPhotonIdx", best_photon.astype(np.int32)),
        "Electron": electrons,
        "Photon": photons,
        "FsrPhoton": fsr_photons,
        "Jet": jets,
        **reconstruct_missing_momentum(record, visible, crossing.n_pileup, block.stream("missing momentum")),
        "GenPart": gen_particles,
        "GenJet": gen_jets,
        **(template_columns(process.production, record) if process.production else {}),
        **_shower_weights(generated.shower_weights),
    }


def _event(weight: Floats, crossing: BunchCrossing, vertex: Floats, block: Block) -> dict[str, NDArray[Any]]:
    """Columns of the event as a whole."""
    n = len(weight)
    return {
        "run": np.full(n, SIMULATED_RUN, dtype=np.uint32),
        "luminosityBlock": np.full(n, block.number + 1, dtype=np.uint32),
        "event": block.first + np.arange(1, n + 1, dtype=np.uint64),
        "genWeight": weight,
        "Pileup_nTrueInt": crossing.n_true,
        "Pileup_nPU": crossing.n_pileup.astype(np.int32),
        "PV_npvs": crossing.n_good_vertices.astype(np.int32),
        "PV_npvsGood": crossing.n_good_vertices.astype(np.int32),
        "PV_z": vertex,
        "fixedGridRhoFastjetAll": crossing.rho,
    }


def _shower_weights(weights: Floats | None) -> dict[str, Collection]:
    """Weights of the shower's variations, four an event, as a collection of one nameless field."""
    if weights is None:
        return {}
    n, each = weights.shape
    return {"PSWeight": Collection(n, np.repeat(np.arange(n), each), {"": weights.reshape(-1)})}
