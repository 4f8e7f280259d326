"""NanoAOD's GenPart: the particles of the generator's record that an analysis looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Bools, Ints, Particles

_HEAVY = (6, 23, 24, 25)
_LEPTONS = (11, 12, 13, 14, 15, 16)
_CHARGED_LEPTONS = (11, 13, 15)
_LOWEST_PHOTON_PT = 10.0  # of photons that quarks radiated, GeV
_LOWEST_PT = 1.0  # of final leptons and of photons radiated by leptons, GeV
_ETA_OF_BEAM = 2e4  # finite stand-in for the infinite η of incoming partons, as large as NanoAOD's

# Bits of statusFlags (cmssw, GenStatusFlags).
_IS_PROMPT, _IS_HARD_PROCESS, _FROM_HARD_PROCESS, _IS_FIRST_COPY, _IS_LAST_COPY = 0, 7, 8, 12, 13


def keep_gen_particles(record: Particles) -> tuple[Collection, Ints]:
    """Keep the hard process, bosons and top quarks after showering, final leptons, photons that no hadron made.

    Returns
    -------
    particles
        The collection GenPart, in the order of the record.
    index
        Place in GenPart of each particle of the record, -1 where it is not kept; shape (particles,).
    """
    last_copy = _is_last_copy(record)
    final = record.is_final & (record.pt > _LOWEST_PT)
    kept = _is_hard_process(record) | (np.isin(record.kind, _HEAVY) & last_copy)
    kept |= np.isin(record.kind, _LEPTONS) & (final | ((record.kind == 15) & last_copy))
    mother = record.kind[record.mother]
    radiated = np.isin(mother, _CHARGED_LEPTONS)
    kept |= (record.kind == 22) & final & (radiated | ((mother < 100) & (record.pt > _LOWEST_PHOTON_PT)))

    chosen = record.select(kept)
    index = np.full(len(record), -1)
    index[kept] = np.arange(len(chosen)) - chosen.offsets[chosen.event]
    fields: dict[str, NDArray[Any]] = {
        "pt": chosen.pt,
        "eta": np.clip(chosen.eta, -_ETA_OF_BEAM, _ETA_OF_BEAM),
        "phi": chosen.phi,
        "mass": chosen.mass,
        "pdgId": chosen.pdg_id.astype(np.int32),
        "status": _nanoaod_status(chosen.status).astype(np.int32),
        "statusFlags": _status_flags(record, kept, last_copy).astype(np.int32),
        "genPartIdxMother": index[_climb(record.mother, chosen.mother, kept)].astype(np.int32),
    }
    return Collection(record.n_events, chosen.event, fields), index


def _climb(mother: Ints, start: Ints, stop: Bools) -> Ints:
    """Go from each *start* up the mothers to the first place where *stop* is true, else to the top of the event."""
    place = start.copy()
    moving = np.flatnonzero(~stop[place])
    while len(moving):
        below, above = place[moving], mother[place[moving]]
        place[moving] = above
        moving = moving[~stop[above] & (above != below)]  # the top of an event is its own mother
    return place


def _is_hard_process(record: Particles) -> Bools:
    return (np.abs(record.status) > 20) & (np.abs(record.status) < 30)


def _is_last_copy(record: Particles) -> Bools:
    """Whether no daughter is the same particle again, after a shower or a recoil."""
    is_last = np.ones(len(record), dtype=bool)
    is_last[record.mother[_is_copy(record)]] = False
    return is_last


def _is_copy(record: Particles) -> Bools:
    copies: Bools = record.pdg_id == record.pdg_id[record.mother]
    return copies


def _nanoaod_status(status: Ints) -> Ints:
    """Status as CMS writes it: 1 final, 2 decayed hadron or tau, else Pythia's code."""
    return np.select([status > 0, status < -80], [1, 2], np.abs(status))


def _status_flags(record: Particles, kept: Bools, last_copy: Bools) -> Ints:
    """Pack the flags of the kept particles."""
    hard, copy = _is_hard_process(record), _is_copy(record)
    decays_late = (record.status < -80) | (record.kind == 15)  # hadrons, and taus in any state
    place = np.flatnonzero(kept)
    first_copy = _climb(record.mother, place, ~copy)
    prompt = ~decays_late[_climb(record.mother, record.mother[first_copy], decays_late)]
    flags = {
        _IS_PROMPT: prompt,
        _IS_HARD_PROCESS: hard[place],
        _FROM_HARD_PROCESS: prompt & hard[_climb(record.mother, place, hard | ~copy)],
        _IS_FIRST_COPY: ~copy[place],
        _IS_LAST_COPY: last_copy[place],
    }
    packed = np.zeros(len(place), dtype=np.int64)
    for bit, value in flags.items():
        packed |= value.astype(np.int64) << bit
    return packed
