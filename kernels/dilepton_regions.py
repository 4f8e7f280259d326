"""Control regions of the eμ channel: leptons that are loose but not tight, pairs of like charges, single leptons.

*Measurement*: one loose lepton and a jet opposite to it, little missing momentum and transverse mass: dijets, where few
leptons are genuine. *Loose*: the regions of the channel, with one or two leptons that are not tight. *Same sign*: the
same for pairs of like charges, tight or loose, where the prediction is checked. As in CMS HIG-16-042 (Phys. Lett. B 791
(2019) 96) and latinos.
"""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import four_vector as p4
from . import tight_leptons as leptonic
from .jets import is_identified, jet_pt
from .language import Positive, each, scalar
from .loose import cell
from .transverse_mass import transverse_mass

PROBES = tuple(
    f"{kind} {where} {what}"
    for kind in ("muon", "electron") for where in ("inner", "outer") for what in ("tight", "loose")
)  # fmt: skip
"""Categories of the pt of the lepton in the measurement region."""

HISTOGRAMS = (
    "probe_pt", "loose_m_ll", "loose_m_t", "loose_plane", "loose_plane_coarse", "same_sign_m_ll",
    "loose_same_sign_m_ll",
)  # fmt: skip
PROBE_PT, LOOSE_M_LL, LOOSE_M_T, LOOSE_PLANE, LOOSE_PLANE_COARSE, SAME_SIGN, LOOSE_SAME_SIGN = range(len(HISTOGRAMS))


class FakeCuts(NamedTuple):
    """Where rates of fakes are measured, GeV: filled where a run asks for it (``nonprompt``)."""

    jet_pt_min: Positive
    jet_dr_min: Positive
    met_max: Positive
    m_t_max: Positive
    muon_eta_split: Positive
    """|η| at which the rates have two regions."""
    electron_eta_split: Positive


@scalar
def split_of(leptons, lepton, cuts):
    """Return where the rates of a lepton's flavour are split in |η|."""
    return cuts.muon_eta_split if leptons.kind[lepton] == 13 else cuts.electron_eta_split


@scalar
def is_tight(leptons, lepton, inputs, muon_cuts, electron_cuts):
    """Whether a listed lepton is tight, not loose only."""
    i = leptons.entry[lepton]
    if leptons.kind[lepton] == 13:
        return inputs.muons.iso04[i] < muon_cuts.iso_max
    return leptonic.is_tight_electron(inputs.electrons, i, electron_cuts)


@scalar
def has_away_jet(event, jets, cuts, leptons, fake_cuts, tables):
    """Whether a jet balances the only lepton."""
    dr2_min = fake_cuts.jet_dr_min * fake_cuts.jet_dr_min
    for jet in each(jets, event):
        pt = jet_pt(jets, jet, 0, tables)
        if (
            pt > fake_cuts.jet_pt_min
            and is_identified(jets, jet, pt, cuts)
            and p4.delta_r2(jets.eta[jet], jets.phi[jet], leptons.eta[0], leptons.phi[0]) > dr2_min
        ):
            return True
    return False


@scalar
def fill_measurement(event, inputs, cuts, leptons, n_tight, met, weight, first, histograms, tables):
    """Count the only lepton of an event that looks like dijets by flavour, region in |η| and whether it is tight.

    *first* is the number of the first region histogram.
    """
    lepton = p4.P4(leptons.bare.px[0], leptons.bare.py[0], 0.0, 0.0)
    if not (p4.pt(met) < cuts.fake.met_max and transverse_mass(lepton, met) < cuts.fake.m_t_max):
        return
    if not has_away_jet(event, inputs.jets, cuts.jet, leptons, cuts.fake, tables):
        return
    category = 0 if leptons.kind[0] == 13 else 4
    category += 0 if abs(leptons.eta[0]) < split_of(leptons, 0, cuts.fake) else 2
    sums.fill(histograms, first + PROBE_PT, category + 1 - n_tight, leptons.pt[0], 0, weight)


@scalar
def combination_of(leptons, inputs, cuts, first, histograms):
    """Return the combination of cells of a muon and an electron of which one or both are not tight.

    The muon alone, by its cell; then the electron alone; then both, by the muon's cell and the electron's.
    """
    cells = 2 * histograms.layout[(first + PROBE_PT) * sums.LAYOUT + sums.BINS]
    muon = cell(histograms, first + PROBE_PT, leptons.pt[0], abs(leptons.eta[0]), cuts.fake.muon_eta_split)
    electron = cell(histograms, first + PROBE_PT, leptons.pt[1], abs(leptons.eta[1]), cuts.fake.electron_eta_split)
    if is_tight(leptons, 0, inputs, cuts.muon, cuts.electron):
        return cells + electron
    if is_tight(leptons, 1, inputs, cuts.muon, cuts.electron):
        return muon
    return 2 * cells + muon * cells + electron
