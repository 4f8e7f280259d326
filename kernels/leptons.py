"""CMS leptons: muons and electrons as the four-lepton analyses select them, with recovery of FSR photons.

The selection is that of CMS HIG-19-001 (Eur. Phys. J. C 81 (2021) 488) as its public code has it (CJLST/ZZAnalysis,
branch Run3: nanoZZ4lAnalysis, lepFiller, getEleBDTCut). Unlike there, the pt of several FSR photons in the cone of one
muon is added up: that code keeps the last one only.
"""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from . import real
from .language import Bool, Column, Float32, Int32, Int64, Positive, Real, Switch, each, scalar
from .pairs import CAPACITY, place
from .shifts import ELECTRON, MUON, moved_pt

PHOTON_CAPACITY = 16
"""FSR candidates that an event may have; one with more is counted as an error, never cut short."""


class Muons(NamedTuple):
    """Muon candidates: GeV, cm."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32
    dxy: Float32
    dz: Float32
    sip3d: Float32
    iso: Float32
    """Relative particle-flow isolation in ΔR < 0.3, pile-up subtracted."""
    is_global: Bool
    is_tracker: Bool
    is_pf: Bool
    n_stations: Int32
    high_pt_id: Int32


class Electrons(NamedTuple):
    """Electron candidates: GeV, cm."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32
    dxy: Float32
    dz: Float32
    sip3d: Float32
    delta_eta_sc: Float32
    """η of the supercluster minus η."""
    bdt: Float32
    bdt_wp90: Bool


class FsrPhotons(NamedTuple):
    """Candidates for final-state radiation."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    iso: Float32


class MuonCuts(NamedTuple):
    """Muons."""

    pt_min: Positive
    eta_max: Positive
    dxy_max: Positive
    dz_max: Positive
    sip3d_max: Positive
    iso_max: Positive
    high_pt_min: Positive
    """Above it a muon may pass the high-pt identification instead of being a particle-flow muon."""


class ElectronCuts(NamedTuple):
    """Electrons: the BDT threshold depends on pt and on |η| of the supercluster."""

    pt_min: Positive
    eta_max: Positive
    dxy_max: Positive
    dz_max: Positive
    sip3d_max: Positive
    use_wp90: Switch
    """1: take the file's own 90 % working point instead of the thresholds."""
    bdt_pt: Positive
    bdt_eta_inner: Positive
    bdt_eta_outer: Positive
    bdt_low_pt_inner: Real
    bdt_low_pt_middle: Real
    bdt_low_pt_outer: Real
    bdt_high_pt_inner: Real
    bdt_high_pt_middle: Real
    bdt_high_pt_outer: Real


class FsrCuts(NamedTuple):
    """FSR photons and the muon isolation cone that they are taken out of."""

    pt_min: Positive
    eta_max: Positive
    iso_max: Positive
    dr_min: Positive
    dr_max: Positive
    dr_over_et2_max: Positive
    cone_min: Positive
    cone_max: Positive


@scalar
def is_prompt(leptons, i, pt, cuts):
    """Whether a lepton of either flavour passes the kinematic cuts and comes from the primary vertex."""
    return (
        pt > cuts.pt_min
        and abs(leptons.eta[i]) < cuts.eta_max
        and abs(leptons.dxy[i]) < cuts.dxy_max
        and abs(leptons.dz[i]) < cuts.dz_max
        and abs(leptons.sip3d[i]) < cuts.sip3d_max
    )


@scalar
def relaxed_muon(muons, i, pt, cuts):
    """Whether a muon passes everything but identification and isolation; an electron is relaxed if it is prompt."""
    return is_prompt(muons, i, pt, cuts) and (muons.is_global[i] or (muons.is_tracker[i] and muons.n_stations[i] > 0))


@scalar
def identified_electron(electrons, i, pt, cuts):
    """Whether an electron passes the BDT, whose inputs include the isolation."""
    if cuts.use_wp90 == 1:
        return electrons.bdt_wp90[i]
    eta = abs(electrons.eta[i] + electrons.delta_eta_sc[i])
    if pt <= cuts.bdt_pt:
        inner, middle, outer = cuts.bdt_low_pt_inner, cuts.bdt_low_pt_middle, cuts.bdt_low_pt_outer
    else:
        inner, middle, outer = cuts.bdt_high_pt_inner, cuts.bdt_high_pt_middle, cuts.bdt_high_pt_outer
    threshold = inner if eta < cuts.bdt_eta_inner else middle if eta < cuts.bdt_eta_outer else outer
    return electrons.bdt[i] > threshold


class Photons(NamedTuple):
    """What becomes of the FSR candidates of one event, in scratch memory of PHOTON_CAPACITY places."""

    owner: Column
    """2·i for muon i, 2·i + 1 for electron i, -1 for none or if another photon is the lepton's."""
    score: Column
    """ΔR/ET² to the owner, GeV⁻²."""


@scalar
def match_photon(event, photon, inputs, cuts, shift, tables):
    """Return the owner of an FSR candidate and its ΔR/ET²: the nearest relaxed lepton, if it is near enough."""
    fsr = inputs.fsr_photons
    eta = fsr.eta[photon]
    phi = fsr.phi[photon]
    owner = -1
    nearest = cuts.fsr.dr_max * cuts.fsr.dr_max
    if fsr.pt[photon] > cuts.fsr.pt_min and abs(eta) < cuts.fsr.eta_max and fsr.iso[photon] < cuts.fsr.iso_max:
        for i in each(inputs.muons, event):
            dr2 = p4.delta_r2(eta, phi, inputs.muons.eta[i], inputs.muons.phi[i])
            if dr2 < nearest and relaxed_muon(
                inputs.muons, i, moved_pt(inputs.muons, i, shift, tables, MUON), cuts.muon
            ):
                nearest = dr2
                owner = 2 * i
        for i in each(inputs.electrons, event):
            dr2 = p4.delta_r2(eta, phi, inputs.electrons.eta[i], inputs.electrons.phi[i])
            if dr2 < nearest and is_prompt(
                inputs.electrons, i, moved_pt(inputs.electrons, i, shift, tables, ELECTRON), cuts.electron
            ):
                nearest = dr2
                owner = 2 * i + 1
    dr = real.sqrt(nearest)
    score = dr / (fsr.pt[photon] * fsr.pt[photon])
    if not (dr > cuts.fsr.dr_min and score < cuts.fsr.dr_over_et2_max):
        owner = -1
    return owner, score


@scalar
def match_photons(event, inputs, cuts, photons, shift, tables):
    """Give each lepton its best FSR photon, the one of lowest ΔR/ET²; False if there is no room."""
    first = inputs.fsr_photons.offsets[event]
    n = inputs.fsr_photons.offsets[event + 1] - first
    if n > PHOTON_CAPACITY:
        return False
    for a in range(n):
        photons.owner[a], photons.score[a] = match_photon(event, first + a, inputs, cuts, shift, tables)
        for b in range(a):
            if photons.owner[a] >= 0 and photons.owner[a] == photons.owner[b]:
                if photons.score[a] < photons.score[b]:
                    photons.owner[b] = -1
                else:
                    photons.owner[a] = -1
    return True


@scalar
def photon_of(event, owner, inputs, photons):
    """Return the index of a lepton's FSR photon, or -1."""
    first = inputs.fsr_photons.offsets[event]
    for a in range(inputs.fsr_photons.offsets[event + 1] - first):
        if photons.owner[a] == owner:
            return first + a
    return -1


@scalar
def dress(bare, photon, fsr):
    """Return a lepton's four-vector with its FSR photon."""
    if photon < 0:
        return bare
    return p4.plus(bare, p4.from_pt_eta_phi_mass(fsr.pt[photon], fsr.eta[photon], fsr.phi[photon], 0.0))


@scalar
def isolation(event, i, pt, inputs, cuts, photons):
    """Return the relative isolation of a muon of pt *pt* once all selected FSR photons are taken out of its cone."""
    muons = inputs.muons
    fsr = inputs.fsr_photons
    radiated = 0.0
    first = fsr.offsets[event]
    for a in range(fsr.offsets[event + 1] - first):
        if photons.owner[a] >= 0:
            dr2 = p4.delta_r2(muons.eta[i], muons.phi[i], fsr.eta[first + a], fsr.phi[first + a])
            if dr2 > cuts.cone_min * cuts.cone_min and dr2 < cuts.cone_max * cuts.cone_max:
                radiated += fsr.pt[first + a]
    return muons.iso[i] - radiated / pt


@scalar
def selected_muon(event, i, pt, inputs, cuts, photons):
    """Whether a relaxed muon passes identification and isolation."""
    muons = inputs.muons
    return (muons.is_pf[i] or (muons.high_pt_id[i] > 0 and pt > cuts.muon.high_pt_min)) and isolation(
        event, i, pt, inputs, cuts.fsr, photons
    ) < cuts.muon.iso_max


@scalar
def list_leptons(event, inputs, cuts, photons, leptons, n, selected, shift, tables):
    """Append the relaxed leptons to the *n* that are listed, muons first: those that are selected, or (0) that fail.

    Return how many there are then, or -1 if there is no room.
    """
    muons = inputs.muons
    electrons = inputs.electrons
    for i in each(muons, event):
        pt = moved_pt(muons, i, shift, tables, MUON)
        if relaxed_muon(muons, i, pt, cuts.muon) and selected_muon(event, i, pt, inputs, cuts, photons) == (
            selected == 1
        ):
            if n == CAPACITY:
                return -1
            leptons.kind[n] = 13
            leptons.entry[n] = i
            leptons.pt[n] = pt
            n += 1
    for i in each(electrons, event):
        pt = moved_pt(electrons, i, shift, tables, ELECTRON)
        if is_prompt(electrons, i, pt, cuts.electron) and identified_electron(electrons, i, pt, cuts.electron) == (
            selected == 1
        ):
            if n == CAPACITY:
                return -1
            leptons.kind[n] = 11
            leptons.entry[n] = i
            leptons.pt[n] = pt
            n += 1
    return n


@scalar
def reconstruct(event, inputs, photons, leptons, n):
    """Fill in the kinematics of the selected leptons: only now, since most events have too few of them."""
    for lepton in range(n):
        i = leptons.entry[lepton]
        if leptons.kind[lepton] == 13:
            photon = photon_of(event, 2 * i, inputs, photons)
            reconstruct_one(leptons, lepton, inputs.muons, i, photon, inputs.fsr_photons)
        else:
            photon = photon_of(event, 2 * i + 1, inputs, photons)
            reconstruct_one(leptons, lepton, inputs.electrons, i, photon, inputs.fsr_photons)


@scalar
def reconstruct_one(leptons, lepton, source, i, photon, fsr):
    """Fill in the kinematics of a lepton of known pt from entry *i* of its collection and its FSR photon."""
    pt = leptons.pt[lepton]
    bare = p4.from_pt_eta_phi_mass(pt, source.eta[i], source.phi[i], source.mass[i])
    dressed = dress(bare, photon, fsr)
    place(leptons, lepton, source.charge[i], pt, source.eta[i], source.phi[i], bare, dressed, photon)
