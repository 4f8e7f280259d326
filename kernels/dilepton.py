"""H→WW*→eνμν in CMS data: two leptons and missing momentum, signal and control regions by jets, in one body.

Leptons are in :mod:`.tight_leptons`, jets in :mod:`.jets`. Cuts and regions as in latinos, PlotsConfigurations ggH,
Full2016_nanoAOD and its successors; here the regions are disjoint: events above the mass that begins the WW control
region are not in the signal region.
"""

from __future__ import annotations

from typing import NamedTuple

from . import dilepton_out as output
from . import dilepton_regions as regions
from . import fill as sums
from . import four_lepton_out
from . import four_vector as p4
from . import gate as quality
from . import jets as hadronic
from . import tight_leptons as leptonic
from .dilepton_out import COMMON, M_LL, M_T, Reconstructed, of_two_flavours, pair_of, write
from .four_lepton_out import OVER_CAPACITY, quantised
from .language import Positive, Switch, add, each, local, local_int, scalar
from .loose import fill_combination
from .met import MET_PT_MIN, MissingMomentum, missing_momentum, propagated
from .pairs import CAPACITY, Leptons, P4Columns
from .scoring import part_of, record_features, score_of, wants_features
from .shifts import ELECTRON, JET, MUON
from .transverse_mass import transverse_mass, transverse_mass_with_mass
from .weights import NO_RATIOS, WEIGHTS, of_event, of_lepton, varied

gate = quality.gate
generator_weight = quality.generator_weight
Tables, Out, Selected = four_lepton_out.Tables, output.Out, output.Selected

GATES = quality.STEPS
STEPS = ("electron_and_muon", "third_lepton", "tight", "flavour_and_charge", "pt", "m_ll", "pt_ll", "met", "region")

CATEGORIES = (
    "SR 0j high pT2", "SR 0j low pT2", "SR 1j high pT2", "SR 1j low pT2", "SR 2j", "SR 2j VH", "SR 2j VBF",
    "top 0j", "top 1j", "top 2j", "DYtautau 0j", "DYtautau 1j", "DYtautau 2j", "WW 0j", "WW 1j", "WW 2j",
)  # fmt: skip
SR_0J, SR_1J, SR_2J, TOP, DY_TAUTAU, WW = 0, 2, 4, 7, 10, 13

MOVES = ("muon", "electron", "jet", "met")
WEIGHED = ("muon", "electron", "jet")
HISTOGRAMS = (*COMMON, "m_t_coarse", "m_ll_coarse", "plane", "plane_coarse", "m_t2", "m_jj")
"""The planes are cells of m_ll × m_t: by the axes of these two histograms, and by those of the coarse ones."""
M_T_COARSE, M_LL_COARSE, PLANE, PLANE_COARSE, M_T2, M_JJ = range(len(COMMON), len(HISTOGRAMS))

REGION_HISTOGRAMS = regions.HISTOGRAMS
"""Of the control regions of fakes: see :mod:`.dilepton_regions`. The loose ones are read by cells."""
FIRST_REGION = len(HISTOGRAMS)


FEATURES = (
    "m_ll", "m_t", "m_t2", "pt_ll", "delta_phi_ll", "delta_eta_ll", "pt1", "pt2", "met", "pt_h", "n_jets", "pt_j1",
    "pt_j2", "m_jj", "delta_eta_jj",
)  # fmt: skip
"""What a classifier may take, GeV; quantities of jets are 0 where there are fewer jets."""
N_FEATURES = len(FEATURES)


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    muons: leptonic.TightMuons
    electrons: leptonic.TightElectrons
    jets: hadronic.Jets
    puppi_met: MissingMomentum


class EventCuts(NamedTuple):
    """The pair of leptons and the missing momentum, GeV."""

    leading_pt_min: Positive
    subleading_electron_pt_min: Positive
    subleading_muon_pt_min: Positive
    m_ll_min: Positive
    pt_ll_min: Positive
    met_min: Positive
    m_t_with_mass: Switch
    """0: the transverse mass takes the pair of leptons as massless; 1: with the mass of the pair."""


class RegionCuts(NamedTuple):
    """Signal and control regions, GeV."""

    soft_jet_pt_min: Positive
    """b-tagged jets count from here."""
    m_t_min: Positive
    m_t2_min: Positive
    """Of the softer lepton and the missing momentum."""
    dy_m_ll_min: Positive
    dy_m_ll_max: Positive
    dy_m_t2_min: Positive
    top_m_ll_min: Positive
    ww_m_ll_min: Positive
    high_pt2: Positive
    """Where the signal region is split in the pt of the softer lepton."""
    vh_m_jj_min: Positive
    vh_m_jj_max: Positive
    vbf_m_jj_min: Positive


class Cuts(NamedTuple):
    """All cuts; the configuration's ``cuts`` has the same tree, less ``dataset``."""

    dataset: quality.Dataset
    muon: leptonic.TightMuonCuts
    electron: leptonic.TightElectronCuts
    event: EventCuts
    jet: hadronic.JetCuts
    region: RegionCuts
    fake: regions.FakeCuts


@scalar
def preselect(event, inputs, cuts):
    """Whether there are an electron and a muon of sufficient pt, whatever their quality; one if fakes are measured."""
    electron = False
    for i in each(inputs.electrons, event):
        if inputs.electrons.pt[i] * cuts.dataset.reach.electron > cuts.electron.pt_min:
            electron = True
    if electron == (cuts.dataset.regions == 1):  # one flavour is enough there, and both are needed elsewhere
        return electron
    for i in each(inputs.muons, event):  # noqa: SIM110 - kernels have no generators
        if inputs.muons.pt[i] * cuts.dataset.reach.muon > cuts.muon.pt_min:
            return True
    return False


@scalar
def has_both(leptons, n):
    """Whether there are electrons and muons: muons come first."""
    return n >= 2 and leptons.kind[0] == 13 and leptons.kind[n - 1] == 11


@scalar
def passes_pt(leptons, pair, cuts):
    """Whether both leptons are hard enough: the threshold of the softer one depends on its flavour."""
    softer = cuts.subleading_electron_pt_min
    if leptons.kind[pair.second] == 13:
        softer = cuts.subleading_muon_pt_min
    return pair.pt1 > cuts.leading_pt_min and pair.pt2 > softer


@scalar
def steps_passed(leptons, n, n_tight, pair, met, cuts):
    """Return how many of STEPS before the regions an event passes."""
    if n > 2:
        return 1
    if n_tight != 2:
        return 2
    if not of_two_flavours(leptons):
        return 3
    return 4 + kinematic_steps(leptons, pair, met, cuts)


@scalar
def kinematic_steps(leptons, pair, met, cuts):
    """Return how many of the cuts on a pair of leptons it passes, in their order: 4 are all."""
    if not passes_pt(leptons, pair, cuts):
        return 0
    if not pair.mass > cuts.m_ll_min:
        return 1
    if not p4.pt(pair.p) > cuts.pt_ll_min:
        return 2
    if not p4.pt(met) > cuts.met_min:
        return 3
    return 4


@scalar
def transverse_masses(leptons, pair, met, cuts):
    """Return the transverse mass of the pair, and of its softer lepton."""
    softer = pair.second
    soft = p4.P4(leptons.bare.px[softer], leptons.bare.py[softer], 0.0, 0.0)
    m_t = transverse_mass_with_mass(pair.p, met) if cuts.m_t_with_mass == 1 else transverse_mass(pair.p, met)
    return m_t, transverse_mass(soft, met)


@scalar
def signal_region(pt2, jets, cuts):
    """Return the category of an event of the signal region."""
    if jets.n >= 2:
        if jets.mass > cuts.vh_m_jj_min and jets.mass < cuts.vh_m_jj_max:
            return SR_2J + 1
        return SR_2J + 2 if jets.mass > cuts.vbf_m_jj_min else SR_2J
    return (SR_0J if jets.n == 0 else SR_1J) + (0 if pt2 >= cuts.high_pt2 else 1)


@scalar
def region(m_ll, m_t, m_t2, pt2, jets, cuts):
    """Return the region as an index into CATEGORIES; -1 where an event is in none."""
    jet_bin = jets.n if jets.n < 2 else 2
    if jets.n_b + jets.n_soft_b > 0:
        tagged = jets.n_b > 0 or jets.n == 0
        return TOP + jet_bin if tagged and m_ll > cuts.top_m_ll_min and m_t2 > cuts.m_t2_min else -1
    if m_t < cuts.m_t_min:
        tau = m_ll > cuts.dy_m_ll_min and m_ll < cuts.dy_m_ll_max and m_t2 >= cuts.dy_m_t2_min
        return DY_TAUTAU + jet_bin if tau else -1
    if not (m_t > cuts.m_t_min and m_t2 > cuts.m_t2_min):
        return -1
    return WW + jet_bin if m_ll > cuts.ww_m_ll_min else signal_region(pt2, jets, cuts)


@scalar
def fill_planes(category, m_ll, m_t, shift, weights, histograms):
    """Fill the m_ll × m_t planes; outside is the underflow."""
    cell = sums.plane_cell(histograms, M_LL, m_ll, M_T, m_t)
    sums.fill_varied(histograms, PLANE, category, cell + 0.5, shift, weights)  # its middle: k/n·n may round down
    cell = sums.plane_cell(histograms, M_LL_COARSE, m_ll, M_T_COARSE, m_t)
    sums.fill_varied(histograms, PLANE_COARSE, category, cell + 0.5, shift, weights)


@scalar
def measure(leptons, pair, met, m_t, m_t2, jets, features):
    """Write the FEATURES of an event."""
    features[0] = pair.mass
    features[1] = m_t
    features[2] = m_t2
    features[3] = p4.pt(pair.p)
    features[4] = pair.delta_phi
    features[5] = abs(leptons.eta[0] - leptons.eta[1])
    features[6] = pair.pt1
    features[7] = pair.pt2
    features[8] = p4.pt(met)
    features[9] = p4.pt(p4.plus(pair.p, met))
    features[10] = jets.n
    features[11] = jets.pt1
    features[12] = jets.pt2
    features[13] = jets.mass
    features[14] = abs(jets.eta1 - jets.eta2) if jets.n >= 2 else 0.0


@scalar
def tight_factor(leptons, n, inputs, cuts, tables):
    """Return the factor of those of the first *n* leptons that are tight. Regions have no variations."""
    factor = 1.0
    for lepton in range(n):
        if regions.is_tight(leptons, lepton, inputs, cuts.muon, cuts.electron):
            factor *= of_lepton(leptons, lepton, NO_RATIOS, tables, local(1))
    return factor


@scalar
def fill_regions(event, leptons, n, n_tight, inputs, cuts, tables, out):
    """Fill the control regions of fakes with one lepton, or with two that are not tight and of opposite charges."""
    value = generator_weight(event, inputs, cuts) * of_event(event, NO_RATIOS, tables, local(1))
    value *= tight_factor(leptons, n, inputs, cuts, tables)
    histograms = out.histograms
    met = missing_momentum(inputs.puppi_met, event, 0, tables)
    if n == 1:
        weight = quantised(value, out)
        regions.fill_measurement(event, inputs, cuts, leptons, n_tight, met, weight, FIRST_REGION, histograms, tables)
        return
    if n != 2 or not has_both(leptons, n):
        return
    pair = pair_of(leptons)
    if kinematic_steps(leptons, pair, met, cuts.event) != 4:
        return
    m_t, m_t2 = transverse_masses(leptons, pair, met, cuts.event)
    jets = hadronic.jet_system(event, inputs.jets, cuts.jet, cuts.region.soft_jet_pt_min, leptons, 2, 0, tables)
    category = region(pair.mass, m_t, m_t2, pair.pt2, jets, cuts.region)
    if category < 0:
        return
    value *= hadronic.jets_factor(
        event, inputs.jets, cuts.jet, cuts.region.soft_jet_pt_min, leptons, 2, 0, NO_RATIOS, tables, local(1)
    )
    weight = quantised(value, out)
    category *= tables.scoring.parts
    if tables.scoring.parts > 1:
        features = local(16)
        measure(leptons, pair, met, m_t, m_t2, jets, features)
        category += part_of(tables.scoring, score_of(tables.scoring, features))
    same_sign = not of_two_flavours(leptons)
    if n_tight == 2:
        sums.fill(histograms, FIRST_REGION + regions.SAME_SIGN, category, pair.mass, 0, weight)
        return
    cells = regions.combination_of(leptons, inputs, cuts, FIRST_REGION, histograms)
    if same_sign:
        fill_combination(histograms, FIRST_REGION + regions.LOOSE_SAME_SIGN, category, cells, M_LL, pair.mass, weight)
        return
    fill_combination(histograms, FIRST_REGION + regions.LOOSE_M_LL, category, cells, M_LL, pair.mass, weight)
    fill_combination(histograms, FIRST_REGION + regions.LOOSE_M_T, category, cells, M_T, m_t, weight)
    place = sums.plane_cell(histograms, M_LL, pair.mass, M_T, m_t) + 0.5
    fill_combination(histograms, FIRST_REGION + regions.LOOSE_PLANE, category, cells, PLANE, place, weight)
    place = sums.plane_cell(histograms, M_LL_COARSE, pair.mass, M_T_COARSE, m_t) + 0.5
    fill_combination(
        histograms, FIRST_REGION + regions.LOOSE_PLANE_COARSE, category, cells, PLANE_COARSE, place, weight
    )


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Select, reconstruct, categorise and fill one event."""
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
    n, n_tight = leptonic.collect_leptons(
        event, inputs.muons, inputs.electrons, cuts.muon, cuts.electron, 1, leptons, shift, tables
    )
    if n < 0 and shift == 0 and preselect(event, inputs, cuts):  # with one flavour alone there is no pair
        add(out.errors, OVER_CAPACITY, 1)
    if (
        cuts.dataset.regions == 1
        and shift == 0
        and (n == 1 or (n == 2 and (n_tight < 2 or not of_two_flavours(leptons))))
    ):
        fill_regions(event, leptons, n, n_tight, inputs, cuts, tables, out)
    if not has_both(leptons, n):
        return
    value = generator_weight(event, inputs, cuts)
    weight = sums.quantise(value)
    met = missing_momentum(inputs.puppi_met, event, shift, tables)
    met = propagated(met, inputs.jets, JET, event, shift, tables, MET_PT_MIN)
    met = propagated(met, inputs.muons, MUON, event, shift, tables, 0.0)
    met = propagated(met, inputs.electrons, ELECTRON, event, shift, tables, 0.0)
    pair = pair_of(leptons)
    steps = steps_passed(leptons, n, n_tight, pair, met, cuts.event)
    category = -1
    m_t, m_t2, m_jj, n_jets, score = 0.0, 0.0, 0.0, 0, 0.0
    features = local(16)
    if steps == len(STEPS) - 1:
        m_t, m_t2 = transverse_masses(leptons, pair, met, cuts.event)
        jets = hadronic.jet_system(event, inputs.jets, cuts.jet, cuts.region.soft_jet_pt_min, leptons, 2, shift, tables)
        m_jj, n_jets = jets.mass, jets.n
        category = region(pair.mass, m_t, m_t2, pair.pt2, jets, cuts.region)
        if category >= 0:
            steps += 1
            if wants_features(tables.scoring):
                measure(leptons, pair, met, m_t, m_t2, jets, features)
            score = score_of(tables.scoring, features)
            category = category * tables.scoring.parts + part_of(tables.scoring, score)
    if shift == 0:
        for step in range(steps):
            sums.count(out.cutflow, step, weight)
    if category < 0:
        return
    ratios = local(WEIGHTS)
    value *= of_event(event, shift, tables, ratios)
    value *= of_lepton(leptons, 0, shift, tables, ratios) * of_lepton(leptons, 1, shift, tables, ratios)
    value *= hadronic.jets_factor(
        event, inputs.jets, cuts.jet, cuts.region.soft_jet_pt_min, leptons, 2, shift, shift, tables, ratios
    )
    weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
    fill_planes(category, pair.mass, m_t, shift, weights, out.histograms)
    sums.fill_varied(out.histograms, M_T_COARSE, category, m_t, shift, weights)
    sums.fill_varied(out.histograms, M_LL_COARSE, category, pair.mass, shift, weights)
    sums.fill_varied(out.histograms, M_T2, category, m_t2, shift, weights)
    sums.fill_varied(out.histograms, M_JJ, category, m_jj, shift, weights)
    place = write(event, shift, pair, met, Reconstructed(category, m_t, n_jets, m_jj, value), weights, out)
    record_features(tables.scoring, out.selected, place, features, N_FEATURES, score)
