"""H→γγ in ATLAS Open Data 13 TeV, releases of 2020 and 2025: the selections of their published example analyses.

Source: atlas-outreach-cpp-framework-13tev, HyyAnalysis, and the notebooks of the releases. One thing is put right: the
notebook of 2025 takes every |η| as outside of the gap between barrel and endcaps, and the absolute value of every
weight.
"""

from __future__ import annotations

from typing import NamedTuple

from . import diphoton_out as output
from . import fill as sums
from . import four_lepton_out
from . import gate as quality
from .diphoton_out import COMMON, pair_of, write
from .four_lepton_out import BAD_WEIGHT
from .language import Bool, Float32, Int32, Int64, Positive, Switch, add, each, local, local_int, scalar
from .photons import photon_factor
from .shifts import PHOTON, moved_pt
from .weights import WEIGHTS, of_event, varied

gate = quality.gate
generator_weight = quality.generator_weight
Tables, Out, Selected = four_lepton_out.Tables, output.Out, output.Selected

GATES = quality.STEPS
STEPS = ("two_photons", "leading_pt", "scaled_pt", "mass")
MOVES = WEIGHED = ("photon",)
HISTOGRAMS = COMMON
CATEGORIES = ("central unconverted", "other")


class ScaleFactors(NamedTuple):
    """Ratios of efficiencies in data and simulation; simulation only."""

    pile_up: Float32
    photon: Float32
    photon_trigger: Float32


class AtlasPhotons(NamedTuple):
    """Photon candidates, GeV."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    tight_id: Bool
    track_iso: Float32
    calorimeter_iso: Float32
    conversion: Int32
    """0: not converted."""


class Inputs(NamedTuple):
    """Everything that the channel reads."""

    events: quality.Events
    scale_factors: ScaleFactors
    photons: AtlasPhotons


class PhotonCuts(NamedTuple):
    """Good photons, GeV."""

    pt_min: Positive
    eta_max: Positive
    gap_min: Positive
    """|η| between barrel and endcaps."""
    gap_max: Positive
    track_iso_max: Positive
    """Relative to pt."""
    use_calorimeter_iso: Switch
    calorimeter_iso_max: Positive
    """Relative to pt."""


class PairCuts(NamedTuple):
    """The pair of photons, GeV."""

    leading_two: Switch
    """1: the two photons of highest pt, both good; 0: the only two good photons."""
    leading_pt_min: Positive
    subleading_pt_min: Positive
    leading_scaled_pt_min: Positive
    """pt over the mass of the pair."""
    subleading_scaled_pt_min: Positive
    mass_min: Positive
    mass_max: Positive


class CategoryCuts(NamedTuple):
    """Categories by the quality of the measurement."""

    central_eta_max: Positive
    use_conversions: Switch
    """0: the release does not say which photons have converted; the category goes by |η| alone."""


class WeightCuts(NamedTuple):
    """What weighs an event of simulation."""

    use_trigger_scale_factor: Switch


class Cuts(NamedTuple):
    """All cuts; the configuration's ``cuts`` has the same tree, less ``dataset``."""

    dataset: quality.Dataset
    photon: PhotonCuts
    pair: PairCuts
    category: CategoryCuts
    weight: WeightCuts


@scalar
def photon_pt(photons, i, shift, tables):
    """Return the transverse momentum of a photon in a variation."""
    return moved_pt(photons, i, shift, tables, PHOTON)


@scalar
def preselect(event, inputs, cuts):
    """Whether there are two tight photons of sufficient pt."""
    n = 0
    for i in each(inputs.photons, event):
        if inputs.photons.pt[i] * cuts.dataset.reach.photon > cuts.photon.pt_min and inputs.photons.tight_id[i]:
            n += 1
    return n >= 2


@scalar
def is_good(photons, i, pt, cuts):
    """Whether a photon is selected."""
    eta = abs(photons.eta[i])
    return (
        pt > cuts.pt_min
        and photons.tight_id[i]
        and (eta < cuts.gap_min or eta > cuts.gap_max)
        and eta < cuts.eta_max
        and photons.track_iso[i] < cuts.track_iso_max * pt
        and (cuts.use_calorimeter_iso == 0 or photons.calorimeter_iso[i] < cuts.calorimeter_iso_max * pt)
    )


@scalar
def two_photons(event, photons, cuts, shift, tables):
    """Return the places of the two photons, or -1 twice."""
    first, second = -1, -1
    pt1, pt2 = 0.0, 0.0
    n = 0
    for i in each(photons, event):
        pt = photon_pt(photons, i, shift, tables)
        if cuts.pair.leading_two == 1 or is_good(photons, i, pt, cuts.photon):
            n += 1
            if pt > pt1:
                first, second = i, first
                pt1, pt2 = pt, pt1
            elif pt > pt2:
                second = i
                pt2 = pt
    if second < 0:
        return -1, -1
    if cuts.pair.leading_two == 0:
        return (first, second) if n == 2 else (-1, -1)
    good = is_good(photons, first, pt1, cuts.photon) and is_good(photons, second, pt2, cuts.photon)
    return (first, second) if good else (-1, -1)


@scalar
def steps_passed(pair, cuts):
    """Return how many of STEPS a pair of good photons passes."""
    if not (pair.pt1 > cuts.leading_pt_min and pair.pt2 > cuts.subleading_pt_min):
        return 1
    if not (pair.pt1 > cuts.leading_scaled_pt_min * pair.mass and pair.pt2 > cuts.subleading_scaled_pt_min * pair.mass):
        return 2
    return 4 if pair.mass > cuts.mass_min and pair.mass < cuts.mass_max else 3


@scalar
def categorise(photons, pair, cuts):
    """Return the category as an index into CATEGORIES."""
    central = abs(photons.eta[pair.first]) < cuts.central_eta_max and abs(photons.eta[pair.second]) < (
        cuts.central_eta_max
    )
    if not central:
        return 1
    if cuts.use_conversions == 0:
        return 0
    return 0 if photons.conversion[pair.first] == 0 and photons.conversion[pair.second] == 0 else 1


@scalar
def event_weight(event, inputs, cuts):
    """Return the generator weight times the scale factors, with their signs; 1 for data."""
    weight = generator_weight(event, inputs, cuts)
    if cuts.dataset.simulation == 1:
        weight *= inputs.scale_factors.pile_up[event] * inputs.scale_factors.photon[event]
        if cuts.weight.use_trigger_scale_factor == 1:
            weight *= inputs.scale_factors.photon_trigger[event]
    return weight


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Select, reconstruct and fill one event."""
    photons = inputs.photons
    first, second = two_photons(event, photons, cuts, shift, tables)
    if first < 0:
        return
    value = event_weight(event, inputs, cuts)
    if not sums.is_weight(value):
        if shift == 0:
            add(out.errors, BAD_WEIGHT, 1)
        return
    weight = sums.quantise(value)
    pt1, pt2 = photon_pt(photons, first, shift, tables), photon_pt(photons, second, shift, tables)
    pair = pair_of(photons, first, second, pt1, pt2)
    steps = steps_passed(pair, cuts.pair)
    if shift == 0:
        for step in range(steps):
            sums.count(out.cutflow, step, weight)
    if steps == len(STEPS):
        ratios = local(WEIGHTS)
        value *= of_event(event, shift, tables, ratios)
        value *= photon_factor(photons, first, pt1, shift, tables, ratios)
        value *= photon_factor(photons, second, pt2, shift, tables, ratios)
        weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
        write(event, shift, categorise(photons, pair, cuts.category), pair, 0, 0, 0.0, value, weights, out)
