"""H→ZZ*→4ℓ in CMS data: select the leptons, form the ZZ candidates, categorise and fill, in one body.

Objects are in :mod:`.leptons` and :mod:`.jets`, the ZZ algorithm in :mod:`.zz`, the production categories in
:mod:`.four_lepton_tags`.
"""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import four_lepton_out as output
from . import four_lepton_regions as regions
from . import four_lepton_tags as tags
from . import four_vector as p4
from . import gate as quality
from . import real, zz
from .decay_angles import decay_angles
from .four_lepton_out import BAD_WEIGHT, COMMON, OVER_CAPACITY, Reconstructed, quantised, write
from .four_vector import P4
from .jets import Directions, JetCuts, Jets, jet_system, jets_factor
from .language import add, each, local, local_int, scalar
from .leptons import (
    PHOTON_CAPACITY,
    ElectronCuts,
    Electrons,
    FsrCuts,
    FsrPhotons,
    MuonCuts,
    Muons,
    Photons,
    list_leptons,
    match_photons,
    reconstruct,
)
from .met import MET_PT_MIN, MissingMomentum, missing_momentum, propagated
from .pairs import CAPACITY, Z_MASS, Leptons, P4Columns, dressed_pair, is_z
from .scoring import part_of, record_features, score_of, wants_features
from .shifts import ELECTRON, JET, MUON
from .weights import NO_RATIOS, WEIGHTS, of_event, of_lepton, varied

gate = quality.gate
Tables, Out, Selected = output.Tables, output.Out, output.Selected
FINAL_STATES = output.FINAL_STATES
generator_weight = quality.generator_weight

GATES = quality.STEPS

STEPS = ("four_leptons", "zz_candidate", *zz.CUTS)
"""The rows of the cutflow after the gate's."""

CATEGORIES = tags.CATEGORIES

MOVES = ("muon", "electron", "jet", "met")
WEIGHED = ("muon", "electron", "jet")

HISTOGRAMS = (*COMMON, *(f"n_minus_one_{cut}" for cut in zz.CUTS))
"""The last seven: the variable of each cut, in events with a candidate that passes all the others."""
N_MINUS_ONE = len(COMMON)

REGION_HISTOGRAMS = regions.HISTOGRAMS
"""Of the control regions: see :mod:`.four_lepton_regions`."""
PROBE_PT = len(HISTOGRAMS)

FEATURES = (
    "m_z1", "m_z2", "cos_theta_star", "cos_theta_1", "cos_theta_2", "phi", "phi_1", "scaled_pt4l", "abs_y4l", "n_jets",
    "n_b_jets", "met",
)  # fmt: skip
"""What a classifier may take: GeV; scaled_pt4l is pt over the mass. The first seven describe the decay."""
N_FEATURES = len(FEATURES)

DIRECTIONS = 2 * CAPACITY
"""Leptons and their FSR photons: what jets must be apart from."""

ROWS = len(zz.CUTS) + 1
"""Rows of best candidates: for each cut those that may fail it alone, and those that pass all."""


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    muons: Muons
    electrons: Electrons
    fsr_photons: FsrPhotons
    jets: Jets
    met: MissingMomentum


class Cuts(NamedTuple):
    """All cuts; the configuration's ``cuts`` has the same tree, less ``dataset``."""

    dataset: quality.Dataset
    muon: MuonCuts
    electron: ElectronCuts
    fsr: FsrCuts
    zz: zz.ZZCuts
    jet: JetCuts
    category: tags.CategoryCuts
    region: regions.RegionCuts


@scalar
def preselect(event, inputs, cuts):
    """Whether there are four leptons of sufficient pt, whatever their quality; three for the control regions."""
    n = 0
    for muon in each(inputs.muons, event):
        if inputs.muons.pt[muon] * cuts.dataset.reach.muon > cuts.muon.pt_min:
            n += 1
    for electron in each(inputs.electrons, event):
        if inputs.electrons.pt[electron] * cuts.dataset.reach.electron > cuts.electron.pt_min:
            n += 1
    return n >= 4 - cuts.dataset.regions


@scalar
def find_best(leptons, n, cuts, best):
    """Try all pairs of pairs; return the number of steps that the event passes, and its best candidate.

    Rows of *best* are filled on the way.
    """
    chosen = zz.Candidate(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    chosen_i, chosen_j, chosen_k, chosen_l = 0, 0, 0, 0
    steps = 0
    for row in range(ROWS):
        best.distance[row] = 1e9
        best.pt_z2[row] = -1.0
    for i in range(n - 3):
        for j in range(i + 1, n):
            if not is_z(leptons, i, j):
                continue
            for k in range(i + 1, n - 1):
                if k == j:
                    continue
                for l in range(k + 1, n):  # noqa: E741
                    if l == j or not is_z(leptons, k, l):
                        continue
                    found = zz.candidate(leptons, i, j, k, l, cuts)
                    passed = 1 + zz.passed_in_order(found.mask)
                    if passed > steps:
                        steps = passed
                    zz.keep_n_minus_one(best, found)
                    if found.mask == zz.ALL_CUTS and zz.is_better(best, zz.FULL, found):
                        zz.keep(best, zz.FULL, found, found.m4l)
                        chosen = found
                        chosen_i, chosen_j, chosen_k, chosen_l = i, j, k, l
    return steps, chosen, chosen_i, chosen_j, chosen_k, chosen_l


@scalar
def extra_z(leptons, n, cuts, i, j, k, l):  # noqa: E741
    """Count the Z candidates among the leptons that the ZZ candidate leaves over."""
    pairs = 0
    for a in range(n):
        if a in (i, j, k, l):
            continue
        for b in range(a + 1, n):
            if b in (i, j, k, l) or not is_z(leptons, a, b):
                continue
            m = p4.mass(dressed_pair(leptons, a, b))
            if m > cuts.z_mass_min and m < cuts.z_mass_max:
                pairs += 1
    return pairs


@scalar
def list_directions(leptons, n, fsr, directions):
    """List where the selected leptons and their FSR photons are; return how many that makes."""
    listed = 0
    for lepton in range(n):
        directions.eta[listed], directions.phi[listed] = leptons.eta[lepton], leptons.phi[lepton]
        listed += 1
        photon = leptons.photon[lepton]
        if photon >= 0:
            directions.eta[listed], directions.phi[listed] = fsr.eta[photon], fsr.phi[photon]
            listed += 1
    return listed


@scalar
def final_state(leptons, i, k):
    """Return the final state of a ZZ candidate with lepton i in one Z and lepton k in the other."""
    if leptons.kind[i] != leptons.kind[k]:
        return 2
    return 0 if leptons.kind[i] == 13 else 1


@scalar
def dressed(leptons, i):
    """Return the four-vector of a lepton with its FSR photon."""
    p = leptons.dressed
    return P4(p.px[i], p.py[i], p.pz[i], p.e[i])


@scalar
def measure(leptons, i, j, k, l, found, features):  # noqa: E741
    """Write those of FEATURES that the ZZ candidate (i, j)(k, l) alone decides about."""
    if abs(p4.mass(dressed_pair(leptons, i, j)) - Z_MASS) > abs(p4.mass(dressed_pair(leptons, k, l)) - Z_MASS):
        i, j, k, l = k, l, i, j  # noqa: E741
    if leptons.charge[i] > 0:
        i, j = j, i
    if leptons.charge[k] > 0:
        k, l = l, k  # noqa: E741
    a, b, c, d = dressed(leptons, i), dressed(leptons, j), dressed(leptons, k), dressed(leptons, l)
    angles = decay_angles(a, b, c, d)
    total = p4.plus(p4.plus(a, b), p4.plus(c, d))
    features[0] = found.m_z1
    features[1] = found.m_z2
    features[2] = angles.cos_theta_star
    features[3] = angles.cos_theta_1
    features[4] = angles.cos_theta_2
    features[5] = angles.phi
    features[6] = angles.phi_1
    features[7] = found.pt4l / found.m4l
    features[8] = abs(0.5 * real.log((total.e + total.pz) / (total.e - total.pz)))


@scalar
def selected_factor(leptons, n_selected, a, b, c, d, tables):
    """Return the factor of those of four leptons that are selected; -1 is none. Regions have no variations."""
    factor = 1.0
    for lepton in (a, b, c, d):
        if lepton >= 0 and lepton < n_selected:
            factor *= of_lepton(leptons, lepton, NO_RATIOS, tables, local(1))
    return factor


@scalar
def fill_regions(event, leptons, n_selected, n, inputs, cuts, tables, out):
    """Fill the control regions with an event that is not in the signal region."""
    value = generator_weight(event, inputs, cuts) * of_event(event, NO_RATIOS, tables, local(1))
    if not sums.is_weight(value):
        add(out.errors, BAD_WEIGHT, 1)
        return
    met = missing_momentum(inputs.met, event, 0, tables)
    probe = regions.probe_of(leptons, n_selected, n, met.e, cuts.region, cuts.zz)
    if probe >= 0:
        weight = quantised(value * selected_factor(leptons, n_selected, 0, 1, 2, -1, tables), out)
        regions.fill_probe(leptons, probe, probe < n_selected, out.histograms, PROBE_PT, cuts.region, weight)
    if n < 4:
        return
    directions = Directions(local(DIRECTIONS), local(DIRECTIONS))
    apart = list_directions(leptons, n, inputs.fsr_photons, directions)
    jets = jet_system(event, inputs.jets, cuts.jet, cuts.jet.pt_min, directions, apart, 0, tables)
    value *= jets_factor(
        event, inputs.jets, cuts.jet, cuts.jet.pt_min, directions, apart, 0, NO_RATIOS, tables, local(1)
    )
    parts = tables.scoring.parts
    features = local(16)
    for like_sign in range(2):
        loose = regions.loose_candidate(leptons, n_selected, n, like_sign, cuts.zz)
        if loose.distance < 1e9:
            i, j, k, l = loose.i, loose.j, loose.k, loose.l  # noqa: E741
            used = 2 + (1 if k < n_selected else 0) + (1 if l < n_selected else 0)
            part = tags.categorise(n_selected - used, 0, jets, met.e, cuts.category) * parts
            if parts > 1:
                measure(leptons, i, j, k, l, loose.zz, features)
                features[9], features[10], features[11] = jets.n, jets.n_b, met.e
                part += part_of(tables.scoring, score_of(tables.scoring, features))
            weight = quantised(value * selected_factor(leptons, n_selected, i, j, k, l, tables), out)
            regions.fill_loose(
                leptons, n_selected, loose, like_sign, part, regions.N_PRODUCTION * parts, out.histograms, PROBE_PT,
                cuts.region, weight,
            )  # fmt: skip


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Select, reconstruct, categorise and fill one event."""
    photons = Photons(local_int(PHOTON_CAPACITY), local(PHOTON_CAPACITY))
    leptons = Leptons(
        local_int(CAPACITY),
        local_int(CAPACITY),
        local_int(CAPACITY),
        local(CAPACITY),
        local(CAPACITY),
        local(CAPACITY),
        P4Columns(local(CAPACITY), local(CAPACITY), local(CAPACITY), local(CAPACITY)),
        P4Columns(local(CAPACITY), local(CAPACITY), local(CAPACITY), local(CAPACITY)),
        local_int(CAPACITY),
    )
    n = -1
    if match_photons(event, inputs, cuts, photons, shift, tables):
        n = list_leptons(event, inputs, cuts, photons, leptons, 0, 1, shift, tables)
    if n < 0 and shift == 0 and preselect(event, inputs, cuts):  # with fewer leptons its photons do not matter
        add(out.errors, OVER_CAPACITY, 1)
    n_loose = 0
    if cuts.dataset.regions == 1 and shift == 0 and n >= 2:
        n_loose = list_leptons(event, inputs, cuts, photons, leptons, n, 0, shift, tables)
        if n_loose < 0:
            add(out.errors, OVER_CAPACITY, 1)
    if n < 4 and n_loose < 3:
        return
    reconstruct(event, inputs, photons, leptons, n if n_loose < n else n_loose)
    if n < 4:
        fill_regions(event, leptons, n, n_loose, inputs, cuts, tables, out)
        return
    value = generator_weight(event, inputs, cuts)
    weight = sums.quantise(value)
    best = zz.Best(local(ROWS), local(ROWS), local(ROWS))
    steps, chosen, i, j, k, l = find_best(leptons, n, cuts.zz, best)  # noqa: E741
    if shift == 0:
        for step in range(1 + steps):
            sums.count(out.cutflow, step, weight)
        for cut in range(len(zz.CUTS)):
            if best.distance[cut] < 1e9:
                sums.fill(out.histograms, N_MINUS_ONE + cut, 0, best.value[cut], shift, weight)
    if steps < 1 + len(zz.CUTS):
        if n_loose >= 4:
            fill_regions(event, leptons, n, n_loose, inputs, cuts, tables, out)
        return

    directions = Directions(local(DIRECTIONS), local(DIRECTIONS))
    apart = list_directions(leptons, n, inputs.fsr_photons, directions)
    jets = jet_system(event, inputs.jets, cuts.jet, cuts.jet.pt_min, directions, apart, shift, tables)
    met = missing_momentum(inputs.met, event, shift, tables)
    met = propagated(met, inputs.jets, JET, event, shift, tables, MET_PT_MIN)
    met = propagated(met, inputs.muons, MUON, event, shift, tables, 0.0)
    met = propagated(met, inputs.electrons, ELECTRON, event, shift, tables, 0.0)
    n_extra_z = extra_z(leptons, n, cuts.zz, i, j, k, l)
    category = tags.categorise(n - 4, n_extra_z, jets, met.e, cuts.category)
    state = final_state(leptons, i, k)
    ratios = local(WEIGHTS)
    value *= of_event(event, shift, tables, ratios)
    for lepton in (i, j, k, l):
        value *= of_lepton(leptons, lepton, shift, tables, ratios)
    value *= jets_factor(event, inputs.jets, cuts.jet, cuts.jet.pt_min, directions, apart, shift, shift, tables, ratios)
    weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
    found = Reconstructed(state, category, chosen.m4l, chosen.m_z1, chosen.m_z2, chosen.pt4l, value)
    features = local(16)
    if wants_features(tables.scoring):
        measure(leptons, i, j, k, l, chosen, features)
    features[9], features[10], features[11] = jets.n, jets.n_b, met.e
    score = score_of(tables.scoring, features)
    row = (category * 3 + state) * tables.scoring.parts + part_of(tables.scoring, score)
    place = write(event, shift, found, row, weights, out)
    record_features(tables.scoring, out.selected, place, features, N_FEATURES, score)
