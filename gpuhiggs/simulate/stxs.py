"""Simplified template cross sections: the bin of stage 1.2 that a Higgs event was made in, as NanoAOD's HTXS names it.

Definitions of the LHC Higgs Working Group (arXiv:1610.07922 section III.2; stage 1.2: LHCHXSWG twiki and cmssw's
``HiggsTemplateCrossSections.h``). Jets are anti-kT with R = 0.4 of all stable particles but the Higgs boson's decay
products and the leptons of the vector boson beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.jets import cluster
from gpuhiggs.simulate.particles import NEUTRINOS, Bools, Floats, Ints, Particles

_LEPTONS = (11, 12, 13, 14, 15, 16)
_LARGEST_Y = 2.5  # of the Higgs boson; beyond it the bin is "forward"
_JET_PT = {"25": 25.0, "30": 30.0}

# First code of each production mode at stage 1.2, and its code at stage 0 over ten.
_STAGE_12 = {"ggH": 100, "qqH": 200, "WH": 300, "ZH": 400, "ttH": 600}
_STAGE_0 = {"VBF": 20, "ggH": 10, "WH": 30, "ZH": 40, "ttH": 60}
_HADRONIC_VH = 22


class Truth(NamedTuple):
    """What the bins are made of, shape (events,), GeV; quantities of two jets are 0 with fewer.

    ``leptonic`` says whether the vector boson beside the Higgs boson decays to leptons, ``pt_v`` is its momentum.
    """

    pt_h: Floats
    y_h: Floats
    n_jets: Ints
    m_jj: Floats
    pt_hjj: Floats
    pt_v: Floats
    leptonic: Bools


def stage_1_2(production: str, truth: Truth) -> Ints:
    """Return the code ``HTXS_stage1_2_cat``, shape (events,).

    Parameters
    ----------
    production
        ``ggH``, ``VBF``, ``WH``, ``ZH`` or ``ttH``; WH and ZH whose vector boson decays to quarks count with VBF.
    truth
        The quantities; the number of jets is that above the threshold of the code's name.
    """
    if production == "ggH":
        code = _STAGE_12["ggH"] + _ggh(truth)
    elif production == "ttH":
        code = _STAGE_12["ttH"] + 1 + np.searchsorted((60.0, 120.0, 200.0, 300.0), truth.pt_h, side="right")
    else:
        code = _STAGE_12["qqH"] + _qqh(truth)
        if production in ("WH", "ZH"):
            code = np.where(truth.leptonic, _STAGE_12[production] + _vh(truth), code)
    return np.where(_forward(production, truth), code // 100 * 100, code)


def stage_0(production: str, truth: Truth) -> Ints:
    """Return the code ``HTXS_stage_0``, shape (events,): even for forward Higgs bosons."""
    code = np.full(len(truth.pt_h), _STAGE_0[production])
    if production in ("WH", "ZH"):
        code = np.where(truth.leptonic, code, _HADRONIC_VH)
    return code + (np.abs(truth.y_h) < _LARGEST_Y)


def _forward(production: str, truth: Truth) -> Bools:
    forward: Bools = np.abs(truth.y_h) >= _LARGEST_Y
    return forward


def _ggh(truth: Truth) -> Ints:
    high = 1 + np.searchsorted((300.0, 450.0, 650.0), truth.pt_h, side="right")
    none = 5 + (truth.pt_h >= 10.0)
    step = np.searchsorted((60.0, 120.0), truth.pt_h, side="right")
    wide = np.where(truth.m_jj < 700.0, 13, 15) + (truth.pt_hjj >= 25.0)
    two = np.where(truth.m_jj < 350.0, 10 + step, wide)
    low = np.select([truth.n_jets == 0, truth.n_jets == 1], [none, 7 + step], two)
    return np.where(truth.pt_h >= 200.0, high, low)


def _qqh(truth: Truth) -> Ints:
    narrow = 3 + np.searchsorted((60.0, 120.0), truth.m_jj, side="right")
    wide = np.where(truth.m_jj < 700.0, 7, 9) + (truth.pt_hjj >= 25.0)
    two = np.select([truth.m_jj < 350.0, truth.pt_h >= 200.0], [narrow, 6], wide)
    return np.select([truth.n_jets == 0, truth.n_jets == 1], [1, 2], two)


def _vh(truth: Truth) -> Ints:
    with_jets = 3 + (truth.n_jets >= 1)
    return np.select([truth.pt_v < 75.0, truth.pt_v < 150.0, truth.pt_v < 250.0], [1, 2, with_jets], 5)


def template_columns(production: str, record: Particles) -> dict[str, NDArray[Any]]:
    """Return the columns HTXS_* of a block, with NanoAOD's names and types."""
    higgs = _last_copy(record, 25)
    boson = _last_copy(record, 24 if production == "WH" else 23) if production in ("WH", "ZH") else higgs
    vector = _associated(record, boson) if production in ("WH", "ZH") else None
    jets = _template_jets(record, higgs, vector)
    columns: dict[str, NDArray[Any]] = {}
    for name, threshold in _JET_PT.items():
        truth = _truth(record, higgs, vector, jets, threshold)
        columns[f"HTXS_stage1_2_cat_pTjet{name}GeV"] = stage_1_2(production, truth).astype(np.int32)
        columns[f"HTXS_njets{name}"] = truth.n_jets.astype(np.uint8)
    return {
        "HTXS_stage_0": stage_0(production, truth).astype(np.int32),
        "HTXS_Higgs_pt": truth.pt_h.astype(np.float32),
        "HTXS_Higgs_y": truth.y_h.astype(np.float32),
        **columns,
    }


class _Vector(NamedTuple):
    """The vector boson of each event: its place in the record, and whether it decays to leptons."""

    place: Ints
    leptonic: Bools


def descends_from(record: Particles, places: Ints) -> Bools:
    """Whether each particle of the record comes from one of those at *places*, these included."""
    inside = np.zeros(len(record), dtype=bool)
    inside[places] = True
    before = -1
    while (now := int(inside.sum())) != before:
        before = now
        inside |= inside[record.mother]
    return inside


def _last_copy(record: Particles, kind: int) -> Ints:
    """Places of the particles of a *kind* that have no copy below them."""
    of_kind = record.kind == kind
    copied = np.zeros(len(record), dtype=bool)
    copied[record.mother[of_kind & (record.pdg_id == record.pdg_id[record.mother])]] = True
    return np.flatnonzero(of_kind & ~copied)


def _associated(record: Particles, bosons: Ints) -> _Vector:
    """Find among *bosons* the one of each event that is not from the Higgs boson."""
    from_higgs = descends_from(record, np.flatnonzero(record.kind == 25))
    place = bosons[~from_higgs[bosons]]
    _, first = np.unique(record.event[place], return_index=True)
    place = place[first]
    lepton = np.isin(record.kind, _LEPTONS)
    leptonic = np.zeros(len(record), dtype=bool)
    leptonic[record.mother[lepton]] = True
    return _Vector(place, leptonic[place])


def _template_jets(record: Particles, higgs: Ints, vector: _Vector | None) -> Any:
    excluded = descends_from(record, higgs)
    if vector is not None:
        excluded |= descends_from(record, vector.place[vector.leptonic])
    return cluster(record.select(record.is_final & ~excluded & ~_prompt_neutrino(record)), lowest_pt=25.0)


def _prompt_neutrino(record: Particles) -> Bools:
    prompt: Bools = np.isin(record.kind, NEUTRINOS) & np.isin(record.kind[record.mother], (23, 24))
    return prompt


def _truth(record: Particles, higgs: Ints, vector: _Vector | None, jets: Any, threshold: float) -> Truth:
    n = record.n_events
    event = record.event[higgs]
    h = {name: np.zeros(n) for name in ("px", "py", "pz", "energy")}
    for name, values in h.items():
        values[event] = getattr(record, name)[higgs]
    jet_pt = np.hypot(jets.px, jets.py)
    hard = np.flatnonzero(jet_pt > threshold)
    hard = hard[np.lexsort((-jet_pt[hard], jets.event[hard]))]
    n_jets = np.bincount(jets.event[hard], minlength=n)
    first = np.searchsorted(jets.event[hard], np.arange(n))
    two = np.flatnonzero(n_jets >= 2)
    a, b = hard[first[two]], hard[first[two] + 1]
    px, py, pz, energy = (getattr(jets, name)[a] + getattr(jets, name)[b] for name in ("px", "py", "pz", "energy"))
    m_jj, pt_hjj, pt_v = np.zeros(n), np.zeros(n), np.zeros(n)
    m_jj[two] = np.sqrt(np.maximum(0.0, energy**2 - px**2 - py**2 - pz**2))
    pt_hjj[two] = np.hypot(px + h["px"][two], py + h["py"][two])
    leptonic = np.zeros(n, dtype=bool)
    if vector is not None:
        pt_v[record.event[vector.place]] = record.pt[vector.place]
        leptonic[record.event[vector.place]] = vector.leptonic
    y = np.arctanh(h["pz"] / h["energy"])
    return Truth(np.hypot(h["px"], h["py"]), y, n_jets, m_jj, pt_hjj, pt_v, leptonic)
