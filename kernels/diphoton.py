"""H→γγ in CMS data: select the photons, choose a pair, tag its production mode and fill, in one body.

Photons are in :mod:`.photons`, leptons in :mod:`.tight_leptons`, jets in :mod:`.jets`, the tags in
:mod:`.diphoton_tags`. Cuts and order as in CMS HIG-19-015 (JHEP 07 (2021) 027) and its public code, flashgg and
HiggsDNA; where those tag with a trained score, the tags here cut.
"""

from __future__ import annotations

from typing import NamedTuple

from . import diphoton_out as output
from . import diphoton_regions as regions
from . import diphoton_tags as tags
from . import fill as sums
from . import four_lepton_out, real
from . import four_vector as p4
from . import gate as quality
from . import jets as hadronic
from . import tight_leptons as leptonic
from .diphoton_out import COMMON, M_GG, Pair, pair_of, write
from .four_lepton_out import OVER_CAPACITY
from .four_vector import P4
from .language import Column, Positive, add, each, local, local_int, scalar
from .loose import fill_combination
from .met import MET_PT_MIN, MissingMomentum, missing_momentum, propagated
from .pairs import CAPACITY, Leptons, P4Columns, move
from .photons import PhotonCuts, Photons, PileUp, is_photon, photon_factor, photon_pt
from .scoring import part_of, record_features, score_of, wants_features
from .shifts import JET, PHOTON
from .weights import WEIGHTS, of_event, varied

gate = quality.gate
generator_weight = quality.generator_weight
Tables, Out, Selected = four_lepton_out.Tables, output.Out, output.Selected
CATEGORIES = tags.CATEGORIES

GATES = quality.STEPS
STEPS = ("two_photons", "leading_pt", "scaled_pt", "mass")
MOVES = ("muon", "electron", "photon", "jet", "met")
WEIGHED = ("photon", "jet")
HISTOGRAMS = (*COMMON, "n_jets", "m_jj", "min_photon_id")
N_JETS, M_JJ, MIN_PHOTON_ID = range(len(COMMON), len(HISTOGRAMS))

REGION_HISTOGRAMS = ("m_gg_by_class",)
"""m_γγ by the classes of both photons, see :mod:`.diphoton_regions`."""
BY_CLASS = len(HISTOGRAMS)

FEATURES = (
    "scaled_pt1", "scaled_pt2", "eta1", "eta2", "cos_delta_phi", "scaled_pt", "n_jets", "n_b_jets", "pt_j1", "pt_j2",
    "eta_j1", "eta_j2", "m_jj", "delta_eta_jj", "zeppenfeld", "scaled_pt_hjj", "n_leptons", "met", "mass_resolution",
)  # fmt: skip
"""What a classifier may take: pt over the mass of the pair, GeV; mass_resolution is σ(m)/m from the photons' energies.

Quantities of jets are 0 where there are fewer jets.
"""
N_FEATURES = len(FEATURES)

DIRECTIONS = CAPACITY + 2
"""Leptons and the two photons: what jets must be apart from."""


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    pile_up: PileUp
    photons: Photons
    muons: leptonic.TightMuons
    electrons: leptonic.TightElectrons
    jets: hadronic.Jets
    met: MissingMomentum


class PairCuts(NamedTuple):
    """The pair of photons, GeV."""

    leading_pt_min: Positive
    leading_scaled_pt_min: Positive
    """pt over the mass of the pair."""
    subleading_scaled_pt_min: Positive
    mass_min: Positive
    mass_max: Positive


class Cuts(NamedTuple):
    """All cuts; the configuration's ``cuts`` has the same tree, less ``dataset``."""

    dataset: quality.Dataset
    photon: PhotonCuts
    pair: PairCuts
    muon: leptonic.TightMuonCuts
    electron: leptonic.TightElectronCuts
    lepton: tags.Tagging
    jet: hadronic.JetCuts
    category: tags.CategoryCuts
    width: regions.WidthCuts


class Chosen(NamedTuple):
    """The preselected photons of one event, in scratch memory of CAPACITY places."""

    entry: Column
    pt: Column


@scalar
def preselect(event, inputs, cuts):
    """Whether there are two photons of sufficient pt that are no electrons."""
    n = 0
    for photon in each(inputs.photons, event):
        pt = inputs.photons.pt[photon] * cuts.dataset.reach.photon
        if pt > cuts.photon.pt_min and inputs.photons.electron_veto[photon]:
            n += 1
    return n >= 2


@scalar
def choose_photons(event, inputs, cuts, chosen, shift, tables):
    """List the preselected photons; return their number, or -1 if there is no room."""
    n = 0
    for i in each(inputs.photons, event):
        pt = photon_pt(inputs.photons, i, shift, tables)
        if is_photon(event, inputs.photons, i, pt, inputs.pile_up, cuts.photon):
            if n == CAPACITY:
                return -1
            chosen.entry[n] = i
            chosen.pt[n] = pt
            n += 1
    return n


@scalar
def pair_steps(pair, cuts):
    """Return how many of the cuts on a pair it passes, in their order."""
    if not pair.pt1 > cuts.leading_pt_min:
        return 0
    if not (pair.pt1 > cuts.leading_scaled_pt_min * pair.mass and pair.pt2 > cuts.subleading_scaled_pt_min * pair.mass):
        return 1
    if not (pair.mass > cuts.mass_min and pair.mass < cuts.mass_max):
        return 2
    return 3


@scalar
def best_pair(photons, chosen, n, cuts):
    """Return the number of steps that the event passes, and of the pairs that pass all the one of highest pt sum."""
    best = Pair(-1, -1, 0.0, 0.0, 0.0, 0.0, 0.0)
    steps = 1
    for a in range(n - 1):
        for b in range(a + 1, n):
            pair = pair_of(photons, chosen.entry[a], chosen.entry[b], chosen.pt[a], chosen.pt[b])
            passed = 1 + pair_steps(pair, cuts)
            if passed > steps:
                steps = passed
            if passed == 4 and pair.pt1 + pair.pt2 > best.pt1 + best.pt2:
                best = pair
    return steps, best


@scalar
def mass_resolution(photons, pair):
    """Return σ(m)/m of a pair of photons, from the errors of their energies."""
    a = photons.energy_err[pair.first] / (pair.pt1 * real.cosh(photons.eta[pair.first]))
    b = photons.energy_err[pair.second] / (pair.pt2 * real.cosh(photons.eta[pair.second]))
    return 0.5 * real.sqrt(a * a + b * b)


@scalar
def measure(photons, pair, jets, n_leptons, met, features):
    """Write the FEATURES of a selected event."""
    pt = output.pt_of(pair)
    a, b = p4.from_pt_eta_phi_mass(pair.pt1, 0.0, photons.phi[pair.first], 0.0), photons.phi[pair.second]
    sin_b, cos_b = real.sincos(b)
    eta1, eta2 = photons.eta[pair.first], photons.eta[pair.second]
    two = jets.n >= 2
    features[0] = pair.pt1 / pair.mass
    features[1] = pair.pt2 / pair.mass
    features[2] = eta1
    features[3] = eta2
    features[4] = (a.px * cos_b + a.py * sin_b) / pair.pt1
    features[5] = pt / pair.mass
    features[6] = jets.n
    features[7] = jets.n_b
    features[8] = jets.pt1
    features[9] = jets.pt2
    features[10] = jets.eta1 if jets.n >= 1 else 0.0
    features[11] = jets.eta2 if two else 0.0
    features[12] = jets.mass
    features[13] = abs(jets.eta1 - jets.eta2) if two else 0.0
    features[14] = abs(0.5 * (eta1 + eta2) - 0.5 * (jets.eta1 + jets.eta2)) if two else 0.0
    features[15] = p4.pt(P4(pair.px + jets.px, pair.py + jets.py, 0.0, 0.0)) / pair.mass if two else 0.0
    features[16] = n_leptons
    features[17] = p4.pt(met)
    features[18] = mass_resolution(photons, pair)


@scalar
def fill_classes(pair, photons, cuts, weight, histograms):
    """Fill the mass of a selected pair by the classes of its photons."""
    combination = regions.class_of(photons, pair.first, cuts) * regions.N_CLASSES
    combination += regions.class_of(photons, pair.second, cuts)
    fill_combination(histograms, BY_CLASS, 0, combination, M_GG, pair.mass, weight)


@scalar
def keep_apart(leptons, n, photons, pair, directions, dr_min):
    """Move the leptons that are apart from both photons to the front, return their number, and list all directions."""
    directions.eta[0], directions.phi[0] = photons.eta[pair.first], photons.phi[pair.first]
    directions.eta[1], directions.phi[1] = photons.eta[pair.second], photons.phi[pair.second]
    kept = 0
    for lepton in range(n):
        if hadronic.is_apart(leptons.eta[lepton], leptons.phi[lepton], directions, 2, dr_min):
            move(leptons, lepton, kept)
            kept += 1
    for lepton in range(kept):
        directions.eta[2 + lepton] = leptons.eta[lepton]
        directions.phi[2 + lepton] = leptons.phi[lepton]
    return kept


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Select, reconstruct, tag and fill one event."""
    chosen = Chosen(local_int(CAPACITY), local(CAPACITY))
    n = choose_photons(event, inputs, cuts, chosen, shift, tables)
    if n < 0 and shift == 0:
        add(out.errors, OVER_CAPACITY, 1)
    if n < 2:
        return
    value = generator_weight(event, inputs, cuts)
    weight = sums.quantise(value)
    steps, pair = best_pair(inputs.photons, chosen, n, cuts.pair)
    if shift == 0:
        for step in range(steps):
            sums.count(out.cutflow, step, weight)
    if steps < len(STEPS):
        return

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
    found, _ = leptonic.collect_leptons(
        event, inputs.muons, inputs.electrons, cuts.muon, cuts.electron, 0, leptons, shift, tables
    )
    if found < 0:
        if shift == 0:
            add(out.errors, OVER_CAPACITY, 1)
        return
    directions = hadronic.Directions(local(DIRECTIONS), local(DIRECTIONS))
    n_leptons = keep_apart(leptons, found, inputs.photons, pair, directions, cuts.lepton.dr_min)
    jets = hadronic.jet_system(event, inputs.jets, cuts.jet, cuts.jet.pt_min, directions, 2 + n_leptons, shift, tables)
    id1, id2 = inputs.photons.id[pair.first], inputs.photons.id[pair.second]
    min_id = id2 if id2 < id1 else id1
    met = missing_momentum(inputs.met, event, shift, tables)
    met = propagated(met, inputs.jets, JET, event, shift, tables, MET_PT_MIN)
    met = propagated(met, inputs.photons, PHOTON, event, shift, tables, cuts.photon.pt_min)
    category = tags.tag(tags.Event(pair, min_id, jets, met), leptons, n_leptons, cuts.category)
    features = local(24)
    if wants_features(tables.scoring):
        measure(inputs.photons, pair, jets, n_leptons, met, features)
    score = score_of(tables.scoring, features)
    category = category * tables.scoring.parts + part_of(tables.scoring, score)
    ratios = local(WEIGHTS)
    value *= of_event(event, shift, tables, ratios)
    value *= photon_factor(inputs.photons, pair.first, pair.pt1, shift, tables, ratios)
    value *= photon_factor(inputs.photons, pair.second, pair.pt2, shift, tables, ratios)
    value *= hadronic.jets_factor(
        event, inputs.jets, cuts.jet, cuts.jet.pt_min, directions, 2 + n_leptons, shift, shift, tables, ratios
    )
    weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
    if cuts.dataset.regions == 1 and shift == 0:
        fill_classes(pair, inputs.photons, cuts.width, weights.nominal, out.histograms)
    sums.fill_varied(out.histograms, N_JETS, category, jets.n, shift, weights)
    sums.fill_varied(out.histograms, M_JJ, category, jets.mass, shift, weights)
    sums.fill_varied(out.histograms, MIN_PHOTON_ID, category, min_id, shift, weights)
    place = write(event, shift, category, pair, jets.n, jets.n_b, jets.mass, value, weights, out)
    record_features(tables.scoring, out.selected, place, features, N_FEATURES, score)
