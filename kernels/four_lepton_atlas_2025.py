"""H→ZZ*→4ℓ in ATLAS Open Data 13 TeV, release of 2025: the selection of its published notebook.

Leptons are selected by the identification and isolation that the file stores; the rest is that of the release of 2020
(:mod:`.four_lepton_atlas`). One thing is put right: the notebook takes the absolute value of every weight.
"""

from __future__ import annotations

from typing import NamedTuple

from . import fill
from . import four_lepton_atlas as release_2020
from . import four_lepton_out as output
from . import gate as quality
from .atlas_leptons import lepton_pt, place_lepton
from .four_lepton_atlas import EventCuts, ScaleFactors, finish, steps_passed
from .four_lepton_out import OVER_CAPACITY
from .language import Bool, Float32, Int32, Int64, Positive, add, each, local, local_int, scalar
from .pairs import CAPACITY, Leptons, P4Columns

GATES = quality.STEPS
gate = quality.gate
sums = fill
generator_weight = quality.generator_weight
Tables, Out, Selected = output.Tables, output.Out, output.Selected
FINAL_STATES = output.FINAL_STATES

STEPS = ("four_leptons", "trigger_match", "charge", "flavour", "pt")
HISTOGRAMS = release_2020.HISTOGRAMS
MOVES = WEIGHED = release_2020.MOVES


class IdentifiedLeptons(NamedTuple):
    """Electrons and muons, GeV."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    e: Float32
    charge: Int32
    kind: Int32
    """11 for an electron, 13 for a muon."""
    loose_id: Bool
    medium_id: Bool
    loose_iso: Bool
    trigger_matched: Bool


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    scale_factors: ScaleFactors
    leptons: IdentifiedLeptons


class LeptonCuts(NamedTuple):
    """Good leptons: electrons of loose, muons of medium identification, GeV."""

    pt_min: Positive


class Cuts(NamedTuple):
    """All cuts."""

    dataset: quality.Dataset
    lepton: LeptonCuts
    event: EventCuts


@scalar
def is_good(leptons, i, pt, cuts):
    """Whether a lepton is selected."""
    identified = leptons.medium_id[i] if leptons.kind[i] == 13 else leptons.loose_id[i]
    return pt > cuts.pt_min and identified and leptons.loose_iso[i]


@scalar
def preselect(event, inputs, cuts):
    """Whether there are four leptons of sufficient pt, whatever their quality."""
    n = 0
    for lepton in each(inputs.leptons, event):
        if inputs.leptons.pt[lepton] * cuts.dataset.reach.lepton > cuts.lepton.pt_min:
            n += 1
    return n >= 4


@scalar
def select_leptons(event, inputs, cuts, leptons, shift, tables):
    """Collect the good leptons; return their number, or -1 if there is no room."""
    n = 0
    for i in each(inputs.leptons, event):
        pt = lepton_pt(inputs.leptons, i, shift, tables)
        if is_good(inputs.leptons, i, pt, cuts.lepton):
            if n == CAPACITY:
                return -1
            place_lepton(leptons, n, inputs.leptons, i, pt)
            n += 1
    return n


@scalar
def has_triggered(event, leptons):
    """Whether a lepton of the event, good or not, has fired the trigger."""
    for lepton in each(leptons, event):  # noqa: SIM110 - kernels have no generators
        if leptons.trigger_matched[lepton]:
            return True
    return False


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
    if steps > 0:
        steps = steps + 1 if has_triggered(event, inputs.leptons) else 1
    finish(event, shift, inputs, cuts, leptons, steps, state, steps == len(STEPS), tables, out)
