"""H→WW*→eνμν in ATLAS Open Data 13 TeV, releases of 2020 and 2025: the selection of their published example analyses.

Source: atlas-outreach-cpp-framework-13tev, HWWAnalysis.
"""

from __future__ import annotations

from typing import NamedTuple

from . import atlas_leptons as leptonic
from . import dilepton_out as output
from . import fill as sums
from . import four_lepton_out, real
from . import four_vector as p4
from . import gate as quality
from .atlas_jets import AtlasJetCuts, AtlasJets, count_jets
from .dilepton_out import COMMON, Reconstructed, of_two_flavours, pair_of, write
from .four_lepton_out import BAD_WEIGHT, OVER_CAPACITY
from .language import Float32, Positive, Switch, Whole, add, each, local, local_int, scalar
from .met import MissingMomentum, missing_momentum, propagated
from .pairs import CAPACITY, Leptons, P4Columns
from .shifts import JET
from .transverse_mass import transverse_mass
from .weights import WEIGHTS, of_event, of_lepton, varied

gate = quality.gate
generator_weight = quality.generator_weight
Tables, Out, Selected = four_lepton_out.Tables, output.Out, output.Selected

GATES = quality.STEPS
STEPS = (
    "two_leptons", "flavour_and_charge", "leading_pt", "m_ll_min", "jets", "met", "delta_phi_ll_met", "pt_ll",
    "m_ll_max", "delta_phi_ll", "b_veto",
)  # fmt: skip
MOVES = ("muon", "electron", "jet", "met")
WEIGHED = ("muon", "electron")
HISTOGRAMS = COMMON
CATEGORIES = ("0j", "1j")


class ScaleFactors(NamedTuple):
    """Ratios of efficiencies in data and simulation; simulation only."""

    pile_up: Float32
    electron: Float32
    muon: Float32
    trigger: Float32
    b_tag: Float32
    jvt: Float32


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    scale_factors: ScaleFactors
    leptons: leptonic.AtlasLeptons
    jets: AtlasJets
    met: MissingMomentum


class LeptonCuts(NamedTuple):
    """Good leptons: GeV, mm."""

    pt_min: Positive
    muon_eta_max: Positive
    electron_eta_max: Positive
    electron_gap_min: Positive
    """|η| between barrel and endcaps."""
    electron_gap_max: Positive
    use_iso_flag: Switch
    """1: the file's own tight isolation; 0: the two cones."""
    ptcone30_max: Positive
    """Relative to pt."""
    etcone20_max: Positive
    """Relative to pt."""
    use_trigger_match: Switch
    d0_significance_stored: Switch
    """0: the file has σ(d0), by which d0 is divided; 1: it has the significance."""
    electron_d0_max: Positive
    """|d0|/σ(d0)."""
    muon_d0_max: Positive
    z0_max: Positive
    """|z0 sin θ|."""


class EventCuts(NamedTuple):
    """The pair of leptons and the missing momentum, GeV."""

    leading_pt_min: Positive
    m_ll_min: Positive
    n_jets_max: Whole
    met_min: Positive
    delta_phi_ll_met_min: Positive
    pt_ll_min: Positive
    m_ll_max: Positive
    delta_phi_ll_max: Positive


class WeightCuts(NamedTuple):
    """What weighs an event of simulation."""

    use_jet_scale_factors: Switch


class Cuts(NamedTuple):
    """All cuts; the configuration's ``cuts`` has the same tree, less ``dataset``."""

    dataset: quality.Dataset
    lepton: LeptonCuts
    jet: AtlasJetCuts
    event: EventCuts
    weight: WeightCuts


@scalar
def preselect(event, inputs, cuts):
    """Whether there are two leptons of sufficient pt, whatever their quality."""
    n = 0
    for i in each(inputs.leptons, event):
        if inputs.leptons.pt[i] * cuts.dataset.reach.lepton > cuts.lepton.pt_min:
            n += 1
    return n >= 2


@scalar
def is_isolated(leptons, i, pt, cuts):
    """Whether a lepton is isolated."""
    if cuts.use_iso_flag == 1:
        return leptons.tight_iso[i]
    return leptons.ptcone30[i] < cuts.ptcone30_max * pt and leptons.etcone20[i] < cuts.etcone20_max * pt


@scalar
def is_good(leptons, i, pt, cuts):
    """Whether a lepton is selected."""
    eta = abs(leptons.eta[i])
    if leptons.kind[i] == 11:
        accepted = eta < cuts.electron_eta_max and (eta < cuts.electron_gap_min or eta > cuts.electron_gap_max)
        d0_max = cuts.electron_d0_max
    else:
        accepted = eta < cuts.muon_eta_max
        d0_max = cuts.muon_d0_max
    return (
        accepted
        and pt > cuts.pt_min
        and leptons.tight_id[i]
        and is_isolated(leptons, i, pt, cuts)
        and (cuts.use_trigger_match == 0 or leptons.trigger_matched[i])
        and leptonic.is_prompt(leptons, i, cuts.d0_significance_stored, d0_max, cuts.z0_max)
    )


@scalar
def select_leptons(event, inputs, cuts, leptons, shift, tables):
    """Collect the good leptons; return their number, or -1 if there is no room."""
    n = 0
    for i in each(inputs.leptons, event):
        pt = leptonic.lepton_pt(inputs.leptons, i, shift, tables)
        if is_good(inputs.leptons, i, pt, cuts):
            if n == CAPACITY:
                return -1
            leptonic.place_lepton(leptons, n, inputs.leptons, i, pt)
            n += 1
    return n


@scalar
def steps_passed(leptons, pair, met, n_jets, n_b_jets, cuts):
    """Return how many of STEPS an event with two good leptons passes."""
    if not of_two_flavours(leptons):
        return 1
    if not pair.pt1 > cuts.leading_pt_min:
        return 2
    if not pair.mass > cuts.m_ll_min:
        return 3
    if n_jets > cuts.n_jets_max:
        return 4
    if not p4.pt(met) > cuts.met_min:
        return 5
    delta_phi = abs(p4.delta_phi(real.atan2(pair.p.py, pair.p.px), real.atan2(met.py, met.px)))
    if not delta_phi > cuts.delta_phi_ll_met_min:
        return 6
    if not p4.pt(pair.p) > cuts.pt_ll_min:
        return 7
    if not pair.mass < cuts.m_ll_max:
        return 8
    if not pair.delta_phi < cuts.delta_phi_ll_max:
        return 9
    return 10 if n_b_jets > 0 else 11


@scalar
def event_weight(event, inputs, cuts):
    """Return the generator weight times the scale factors, with their signs; 1 for data."""
    weight = generator_weight(event, inputs, cuts)
    if cuts.dataset.simulation == 1:
        factors = inputs.scale_factors
        weight *= factors.pile_up[event] * factors.electron[event]
        weight *= factors.muon[event] * factors.trigger[event]
        if cuts.weight.use_jet_scale_factors == 1:
            weight *= factors.b_tag[event] * factors.jvt[event]
    return weight


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Select, reconstruct and fill one event."""
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
    n = select_leptons(event, inputs, cuts.lepton, leptons, shift, tables)
    if n < 0 and shift == 0:
        add(out.errors, OVER_CAPACITY, 1)
    if n != 2:
        return
    value = event_weight(event, inputs, cuts)
    if not sums.is_weight(value):
        if shift == 0:
            add(out.errors, BAD_WEIGHT, 1)
        return
    weight = sums.quantise(value)
    pair = pair_of(leptons)
    met = missing_momentum(inputs.met, event, shift, tables)
    met = propagated(met, inputs.jets, JET, event, shift, tables, cuts.jet.b_pt_min)
    met = leptonic.propagated_leptons(met, inputs.leptons, event, shift, tables)
    n_jets, n_b_jets = count_jets(event, inputs.jets, cuts.jet, shift, tables)
    steps = steps_passed(leptons, pair, met, n_jets, n_b_jets, cuts.event)
    if shift == 0:
        for step in range(steps):
            sums.count(out.cutflow, step, weight)
    if steps == len(STEPS):
        category = 0 if n_jets == 0 else 1
        m_t = transverse_mass(pair.p, met)
        ratios = local(WEIGHTS)
        value *= of_event(event, shift, tables, ratios)
        value *= of_lepton(leptons, 0, shift, tables, ratios) * of_lepton(leptons, 1, shift, tables, ratios)
        weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
        write(event, shift, pair, met, Reconstructed(category, m_t, n_jets, 0.0, value), weights, out)
