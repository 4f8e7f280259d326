"""H→ZZ*→4ℓ in ATLAS Open Data 13 TeV, release of 2020: the selection of its published example analysis.

Source: atlas-outreach-cpp-framework-13tev, HZZAnalysis, and the paper of the release (ATL-OREACH-PUB-2020-001).
One thing is put right: for 4e and 4μ that code keeps the last valid pairing for m_Z1 and m_Z2; here Z1 is the pair
nearest to the Z mass. Neither the selected events nor m4ℓ depend on it.
"""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import four_lepton_out as output
from . import four_vector as p4
from . import gate as quality
from . import real
from .atlas_leptons import lepton_pt, place_lepton
from .four_lepton_out import (
    BAD_WEIGHT,
    COMMON,
    OVER_CAPACITY,
    Reconstructed,
    write,
)
from .language import Float32, Int32, Int64, Positive, add, each, local, local_int, scalar
from .pairs import CAPACITY, Leptons, P4Columns, dressed_pair, is_z, off_shell
from .weights import WEIGHTS, of_event, of_lepton, varied

GATES = quality.STEPS
gate = quality.gate
Tables, Out, Selected = output.Tables, output.Out, output.Selected
FINAL_STATES = output.FINAL_STATES

STEPS = ("four_leptons", "charge", "flavour", "pt")
HISTOGRAMS = COMMON
MOVES = WEIGHED = ("muon", "electron")


class ScaleFactors(NamedTuple):
    """Ratios of efficiencies in data and simulation; simulation only."""

    pile_up: Float32
    electron: Float32
    muon: Float32
    trigger: Float32


class AtlasLeptons(NamedTuple):
    """Electrons and muons: GeV, mm."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    e: Float32
    charge: Int32
    kind: Int32
    """11 for an electron, 13 for a muon."""
    z0: Float32
    d0: Float32
    sigma_d0: Float32
    ptcone30: Float32
    etcone20: Float32


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    scale_factors: ScaleFactors
    leptons: AtlasLeptons


class LeptonCuts(NamedTuple):
    """Good leptons: GeV, mm."""

    pt_min: Positive
    electron_pt_min: Positive
    muon_eta_max: Positive
    electron_eta_max: Positive
    ptcone30_max: Positive
    """Relative to pt."""
    etcone20_max: Positive
    """Relative to pt."""
    electron_d0_max: Positive
    """|d0|/σ(d0)."""
    muon_d0_max: Positive
    z0_max: Positive
    """|z0 sin θ|."""


class EventCuts(NamedTuple):
    """The three leptons of highest pt, GeV."""

    pt1_min: Positive
    pt2_min: Positive
    pt3_min: Positive


class Cuts(NamedTuple):
    """All cuts."""

    dataset: quality.Dataset
    lepton: LeptonCuts
    event: EventCuts


generator_weight = quality.generator_weight


@scalar
def preselect(event, inputs, cuts):
    """Whether there are four leptons of sufficient pt, whatever their quality."""
    n = 0
    for lepton in each(inputs.leptons, event):
        if inputs.leptons.pt[lepton] * cuts.dataset.reach.lepton > cuts.lepton.pt_min:
            n += 1
    return n >= 4


@scalar
def is_good(leptons, i, pt, cuts):
    """Whether a lepton of transverse momentum *pt* is selected."""
    eta = leptons.eta[i]
    if leptons.kind[i] == 11:
        kinematics = pt > cuts.electron_pt_min and abs(eta) < cuts.electron_eta_max
        d0_max = cuts.electron_d0_max
    else:
        kinematics = abs(eta) < cuts.muon_eta_max
        d0_max = cuts.muon_d0_max
    return (
        kinematics
        and pt > cuts.pt_min
        and leptons.ptcone30[i] < cuts.ptcone30_max * pt
        and leptons.etcone20[i] < cuts.etcone20_max * pt
        and abs(leptons.d0[i]) < d0_max * leptons.sigma_d0[i]
        and abs(leptons.z0[i]) < cuts.z0_max * real.cosh(eta)  # sin θ = 1/cosh η
    )


@scalar
def select_leptons(event, inputs, cuts, leptons, shift, tables):
    """Collect the good leptons; return their number, or -1 if there is no room."""
    source = inputs.leptons
    n = 0
    for i in each(source, event):
        pt = lepton_pt(source, i, shift, tables)
        if is_good(source, i, pt, cuts.lepton):
            if n == CAPACITY:
                return -1
            place_lepton(leptons, n, source, i, pt)
            n += 1
    return n


@scalar
def passes_pt(leptons, cuts):
    """Whether the leptons of highest pt are hard enough."""
    first, second, third = 0.0, 0.0, 0.0
    for i in range(4):
        pt = leptons.pt[i]
        if pt > first:
            first, second, third = pt, first, second
        elif pt > second:
            second, third = pt, second
        elif pt > third:
            third = pt
    return first > cuts.pt1_min and second > cuts.pt2_min and third > cuts.pt3_min


@scalar
def pairing(leptons):
    """Return m_Z1 and m_Z2 of the pairing with the Z1 nearest to the Z mass; -1 where no pairing is of one flavour."""
    m_z1, m_z2 = -1.0, -1.0
    for j in range(1, 4):
        k = 2 if j == 1 else 1
        l = 2 if j == 3 else 3  # noqa: E741
        if is_z(leptons, 0, j) and is_z(leptons, k, l):
            a = p4.mass(dressed_pair(leptons, 0, j))
            b = p4.mass(dressed_pair(leptons, k, l))
            if off_shell(b) < off_shell(a):
                a, b = b, a
            if m_z1 < 0.0 or off_shell(a) < off_shell(m_z1):
                m_z1, m_z2 = a, b
    return m_z1, m_z2


@scalar
def event_weight(event, inputs, cuts):
    """Return the generator weight times the scale factors; 1 for data."""
    weight = generator_weight(event, inputs, cuts)
    if cuts.dataset.simulation == 1:
        factors = inputs.scale_factors
        weight *= factors.pile_up[event] * factors.electron[event]
        weight *= factors.muon[event] * factors.trigger[event]
    return weight


@scalar
def steps_passed(leptons, n, cuts):
    """Return how many of STEPS an event passes, and its final state."""
    if n != 4:
        return 0, 0
    charge = 0
    kinds = 0
    for i in range(4):
        charge += leptons.charge[i]
        kinds += leptons.kind[i]
    if charge != 0:
        return 1, 0
    if kinds not in (44, 48, 52):
        return 2, 0
    state = 0 if kinds == 52 else 1 if kinds == 44 else 2
    return (4 if passes_pt(leptons, cuts.event) else 3), state


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
    n = select_leptons(event, inputs, cuts, leptons, shift, tables)
    if n < 0:
        if shift == 0:
            add(out.errors, OVER_CAPACITY, 1)
        return
    steps, state = steps_passed(leptons, n, cuts)
    finish(event, shift, inputs, cuts, leptons, steps, state, steps == len(STEPS), tables, out)


@scalar
def finish(event, shift, inputs, cuts, leptons, steps, state, selected, tables, out):
    """Weigh an event, count the steps that it passes, and reconstruct and fill it if it is selected."""
    if steps == 0:
        return
    value = event_weight(event, inputs, cuts)
    if not sums.is_weight(value):
        if shift == 0:
            add(out.errors, BAD_WEIGHT, 1)
        return
    weight = sums.quantise(value)
    if shift == 0:
        for step in range(steps):
            sums.count(out.cutflow, step, weight)
    if not selected:
        return
    four = p4.plus(dressed_pair(leptons, 0, 1), dressed_pair(leptons, 2, 3))
    m4l = p4.mass(four)
    pt4l = p4.pt(four)
    m_z1, m_z2 = pairing(leptons)
    ratios = local(WEIGHTS)
    value *= of_event(event, shift, tables, ratios)
    for lepton in range(4):
        value *= of_lepton(leptons, lepton, shift, tables, ratios)
    weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
    write(event, shift, Reconstructed(state, 0, m4l, m_z1, m_z2, pt4l, value), state, weights, out)
