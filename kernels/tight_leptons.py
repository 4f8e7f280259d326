"""CMS leptons as the H→WW and H→γγ analyses select them: tight ones, and the loose ones that a veto counts.

As in latinos, LeptonSel_cfg (Full2016v9 and Full2018v9).
"""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from .language import Bool, Float32, Int32, Int64, Positive, Whole, each, scalar
from .pairs import CAPACITY, place
from .shifts import ELECTRON, MUON, moved_pt


class TightMuons(NamedTuple):
    """Muon candidates: GeV, cm."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32
    dxy: Float32
    dz: Float32
    tight_id: Bool
    iso04: Float32
    """Relative particle-flow isolation in ΔR < 0.4, pile-up subtracted."""


class TightElectrons(NamedTuple):
    """Electron candidates: GeV, cm."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32
    dxy: Float32
    dz: Float32
    bdt_wp90: Bool
    conversion_veto: Bool
    iso: Float32
    """Relative particle-flow isolation in ΔR < 0.3, pile-up subtracted."""
    cut_based: Int32
    """Working point of the identification by cuts: 3 is medium; loose electrons only, as the next two."""
    sieie: Float32
    e_inv_minus_p_inv: Float32


class TightMuonCuts(NamedTuple):
    """Muons: GeV, cm."""

    pt_min: Positive
    eta_max: Positive
    dz_max: Positive
    dxy_pt: Positive
    """Where the limit on |dxy| changes."""
    low_pt_dxy_max: Positive
    high_pt_dxy_max: Positive
    iso_max: Positive
    loose_iso_max: Positive


class TightElectronCuts(NamedTuple):
    """Electrons: GeV, cm; barrel and endcaps by the |η| of the track."""

    pt_min: Positive
    eta_max: Positive
    barrel_eta_max: Positive
    barrel_dxy_max: Positive
    barrel_dz_max: Positive
    endcap_dxy_max: Positive
    endcap_dz_max: Positive
    iso_max: Positive
    loose_cut_based: Whole
    loose_endcap_sieie_max: Positive
    loose_endcap_e_inv_minus_p_inv_max: Positive


@scalar
def muon_pt(muons, i, shift, tables):
    """Return the transverse momentum of a muon in a variation."""
    return moved_pt(muons, i, shift, tables, MUON)


@scalar
def electron_pt(electrons, i, shift, tables):
    """Return the transverse momentum of an electron in a variation."""
    return moved_pt(electrons, i, shift, tables, ELECTRON)


@scalar
def identified_muon(muons, i, pt, cuts):
    """Whether a muon passes everything but isolation."""
    dxy_max = cuts.low_pt_dxy_max if pt <= cuts.dxy_pt else cuts.high_pt_dxy_max
    return (
        pt > cuts.pt_min
        and abs(muons.eta[i]) < cuts.eta_max
        and muons.tight_id[i]
        and abs(muons.dz[i]) < cuts.dz_max
        and abs(muons.dxy[i]) < dxy_max
    )


@scalar
def prompt_electron(electrons, i, pt, cuts):
    """Whether an electron passes the kinematic cuts, comes from the primary vertex and from no conversion."""
    eta = abs(electrons.eta[i])
    if eta <= cuts.barrel_eta_max:
        dxy_max, dz_max = cuts.barrel_dxy_max, cuts.barrel_dz_max
    else:
        dxy_max, dz_max = cuts.endcap_dxy_max, cuts.endcap_dz_max
    return (
        pt > cuts.pt_min
        and eta < cuts.eta_max
        and electrons.conversion_veto[i]
        and abs(electrons.dxy[i]) < dxy_max
        and abs(electrons.dz[i]) < dz_max
    )


@scalar
def is_tight_electron(electrons, i, cuts):
    """Whether a prompt electron is identified and isolated."""
    return electrons.bdt_wp90[i] and electrons.iso[i] < cuts.iso_max


@scalar
def is_loose_electron(electrons, i, cuts):
    """Whether a prompt electron passes the identification by cuts, and what the trigger asks for in the endcaps."""
    return electrons.cut_based[i] >= cuts.loose_cut_based and (
        abs(electrons.eta[i]) <= cuts.barrel_eta_max
        or (
            electrons.sieie[i] < cuts.loose_endcap_sieie_max
            and abs(electrons.e_inv_minus_p_inv[i]) < cuts.loose_endcap_e_inv_minus_p_inv_max
        )
    )


@scalar
def place_lepton(leptons, n, kind, i, source, pt):
    """Write a lepton in place *n*: entry *i* of *source*, with transverse momentum *pt*."""
    p = p4.from_pt_eta_phi_mass(pt, source.eta[i], source.phi[i], source.mass[i])
    leptons.kind[n] = kind
    leptons.entry[n] = i
    place(leptons, n, source.charge[i], pt, source.eta[i], source.phi[i], p, p, -1)


@scalar
def collect_leptons(event, muons, electrons, muon_cuts, electron_cuts, loose, leptons, shift, tables):
    """List the leptons, muons first; return how many there are and how many are tight, or -1 if there is no room.

    With *loose* 1 those that are loose only are listed as well.
    """
    n, n_tight = 0, 0
    for i in each(muons, event):
        pt = muon_pt(muons, i, shift, tables)
        if identified_muon(muons, i, pt, muon_cuts):
            tight = muons.iso04[i] < muon_cuts.iso_max
            if tight or (loose == 1 and muons.iso04[i] < muon_cuts.loose_iso_max):
                if n == CAPACITY:
                    return -1, 0
                place_lepton(leptons, n, 13, i, muons, pt)
                n += 1
                n_tight += 1 if tight else 0
    for i in each(electrons, event):
        pt = electron_pt(electrons, i, shift, tables)
        if prompt_electron(electrons, i, pt, electron_cuts):
            tight = is_tight_electron(electrons, i, electron_cuts)
            if tight or (loose == 1 and is_loose_electron(electrons, i, electron_cuts)):
                if n == CAPACITY:
                    return -1, 0
                place_lepton(leptons, n, 11, i, electrons, pt)
                n += 1
                n_tight += 1 if tight else 0
    return n, n_tight
