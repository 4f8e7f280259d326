"""Pythia: from a block's seed to the generator's particles."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from gpuhiggs.errors import MissingExtraError, RunError
from gpuhiggs.simulate.blocks import Block
from gpuhiggs.simulate.particles import Floats, Particles
from gpuhiggs.simulate.processes import Process
from gpuhiggs.simulate.settings import N_VARIATIONS

COMMON_SETTINGS = (
    "Beams:eCM = 13000.",
    "Tune:pp = 14",  # Monash 2013, arXiv:1404.5630
    "ParticleDecays:limitTau0 = on",  # K0S and Λ reach the detector, as in CMS's own settings (tau0Max in mm/c)
    "ParticleDecays:tau0Max = 10.",
    "TauDecays:mode = 0",  # ten times faster for samples with taus; loses their polarisation
    "Print:quiet = on",
    "Random:setSeed = on",
)
"""Pythia commands of all processes."""

_ATTEMPTS = 10.0  # Pythia may fail on an event and tries another; give up beyond this many times the events wanted


class GeneratedBlock(NamedTuple):
    """The generator's output for one block.

    ``weight`` is the event weight, shape (events,), ``shower_weights`` the factors on it of the shower's variations,
    shape (events, 4) or None; ``cross_section`` Pythia's own estimate in pb, forced branching ratios included, with its
    statistical error.
    """

    particles: Particles
    weight: Floats
    shower_weights: Floats | None
    cross_section: float
    cross_section_error: float


def import_pythia() -> Any:
    """Return the module ``pythia8mc``, or raise MissingExtraError."""
    try:
        import pythia8mc
    except ImportError as error:
        feature, package, extra = "simulation", "pythia8mc", "demo"
        raise MissingExtraError(feature, package, extra) from error
    return pythia8mc


def generate(process: Process, block: Block) -> GeneratedBlock:
    """Generate the events of one block.

    Raises
    ------
    MissingExtraError
        Without ``pythia8mc``.
    RunError
        If Pythia refuses a setting or fails on most events.
    """
    pythia = _initialised_pythia(process, block)
    try:
        batch = pythia.nextBatch(block.events, _ATTEMPTS)
    except Exception as error:  # Pythia's bindings raise bare exceptions
        msg = f"Pythia failed to generate {process.name}, block {block.number}: {error}"
        raise RunError(msg) from error
    info = pythia.infoPython()
    mb_in_pb = 1e9
    weights = ak.to_numpy(batch.info.weights)
    weight = weights[:, 0]
    shower = weights[:, 1 : 1 + N_VARIATIONS] / weight[:, None] if block.settings.shower_weights else None
    return GeneratedBlock(_flat(batch.prt), weight, shower, info.sigmaGen() * mb_in_pb, info.sigmaErr() * mb_in_pb)


@cache
def _default_databases() -> Any:
    """Pythia's settings and particle data as shipped: reading them takes 0.1 s, copying them nothing."""
    return import_pythia().Pythia("", False)


def _initialised_pythia(process: Process, block: Block) -> Any:
    # A new instance a block: what Pythia learns while running (maximum weights) would tie a block to earlier ones.
    defaults = _default_databases()
    pythia = import_pythia().Pythia(defaults.settings, defaults.particleData, False)
    seed = f"Random:seed = {block.pythia_seed()}"
    for command in (*COMMON_SETTINGS, *block.settings.commands(), *process.settings, seed):
        if not pythia.readString(command):
            msg = f"Pythia does not know the setting {command!r} of process {process.name}"
            raise RunError(msg)
    if not pythia.init():
        msg = f"Pythia could not be initialised for process {process.name} with {', '.join(process.settings)}"
        raise RunError(msg)
    return pythia


def _flat(record: ak.Array) -> Particles:
    """Take the arrays out of Pythia's Awkward record, whose mothers are counted within the event."""
    offsets = np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(record)))])
    flat = ak.flatten(record)
    vertex = {axis: ak.to_numpy(ak.fill_none(flat.vProd[f"p{axis}"], 0.0)) for axis in "xyz"}
    return Particles(
        offsets=offsets,
        record=np.arange(len(flat)),
        mother=ak.to_numpy(flat.mother1) + np.repeat(offsets[:-1], np.diff(offsets)),
        pdg_id=ak.to_numpy(flat.id).astype(np.int64),
        status=ak.to_numpy(flat.status).astype(np.int64),
        px=ak.to_numpy(flat.p.px),
        py=ak.to_numpy(flat.p.py),
        pz=ak.to_numpy(flat.p.pz),
        energy=ak.to_numpy(flat.p.e),
        mass=ak.to_numpy(flat.m),
        **vertex,
    )
