"""CMS photons: the preselection of the H→γγ analyses, and its trigger classes.

As in flashgg, flashggPreselectedDiPhotons_cfi.py, and its NanoAOD port, HiggsDNA diphoton_tagger.py. Photons of low R9
are asked for the isolation that the trigger asks for. Central NanoAOD v9 has neither of its two variables, hence the
two versions of the class; which of them a selection uses, if any, its configuration says.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from .language import Bool, Float32, Int64, Positive, Range, Real, scalar
from .shifts import PHOTON, moved_pt
from .weights import of_column, of_object

NO_CLASS, APPROXIMATE_CLASS, FULL_CLASS = range(3)
"""Values of ``trigger_class``."""


class Photons(NamedTuple):
    """Photon candidates, GeV."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    r9: Float32
    hoe: Float32
    sieie: Float32
    id: Float32
    """Score of the identification MVA: the file's own training."""
    iso_all: Float32
    """Relative particle-flow isolation in ΔR < 0.3, pile-up subtracted."""
    iso_chg: Float32
    """Its charged part."""
    photon_iso: Float32
    """Particle-flow photons in ΔR < 0.3, pile-up not subtracted: FULL_CLASS only."""
    track_iso: Float32
    """Scalar pt sum of the tracks in a hollow cone of ΔR < 0.3: FULL_CLASS only."""
    energy_err: Float32
    electron_veto: Bool
    is_barrel: Bool
    """By the supercluster; with is_endcap the acceptance |η| < 2.5 without the gap 1.4442 to 1.566."""
    is_endcap: Bool


class PileUp(NamedTuple):
    """Pile-up of the event: FULL_CLASS only."""

    rho: Float32
    """GeV per unit area."""


class PhotonCuts(NamedTuple):
    """Photons: GeV."""

    pt_min: Positive
    hoe_max: Positive
    id_min: Real
    iso_r9_min: Positive
    """Above it no isolation is asked for; below, one of the next two."""
    charged_iso_max: Positive
    charged_rel_iso_max: Positive
    trigger_class: Annotated[int, Range(0, 2)]
    """0: none; 1: photon isolation from the relative isolations, no track isolation; 2: as the analyses have it."""
    barrel_r9_high: Positive
    barrel_r9_min: Positive
    barrel_sieie_max: Positive
    endcap_r9_high: Positive
    endcap_r9_min: Positive
    endcap_sieie_max: Positive
    photon_iso_max: Positive
    track_iso_max: Positive
    area_eta: Positive
    """|η| at which the effective area changes."""
    inner_area: Positive
    outer_area: Positive


@scalar
def photon_pt(photons, i, shift, tables):
    """Return the transverse momentum of a photon in a variation."""
    return moved_pt(photons, i, shift, tables, PHOTON)


@scalar
def photon_factor(photons, i, pt, shift, tables, ratios):
    """Return the factor of a selected photon in the weight of its event."""
    factor = of_object(PHOTON, pt, photons.eta[i], photons.phi[i], shift, tables, ratios)
    return factor * of_column(PHOTON, i, shift, tables, ratios)


@scalar
def low_r9_isolation(event, photons, i, pt, pile_up, cuts):
    """Whether a photon of low R9 is as isolated as the trigger asks for."""
    if cuts.trigger_class == APPROXIMATE_CLASS:
        return (photons.iso_all[i] - photons.iso_chg[i]) * pt < cuts.photon_iso_max
    area = cuts.inner_area if abs(photons.eta[i]) < cuts.area_eta else cuts.outer_area
    isolation = photons.photon_iso[i] - area * pile_up.rho[event]
    return isolation < cuts.photon_iso_max and photons.track_iso[i] < cuts.track_iso_max


@scalar
def in_trigger_class(event, photons, i, pt, pile_up, cuts):
    """Whether a photon is in one of the four classes, by R9 in barrel and endcaps, that the trigger lets pass."""
    if photons.is_barrel[i]:
        high, low, sieie_max = cuts.barrel_r9_high, cuts.barrel_r9_min, cuts.barrel_sieie_max
    else:
        high, low, sieie_max = cuts.endcap_r9_high, cuts.endcap_r9_min, cuts.endcap_sieie_max
    r9 = photons.r9[i]
    if r9 > high:
        return True
    return r9 > low and photons.sieie[i] < sieie_max and low_r9_isolation(event, photons, i, pt, pile_up, cuts)


@scalar
def is_photon(event, photons, i, pt, pile_up, cuts):
    """Whether a photon of transverse momentum *pt* is preselected."""
    charged = photons.iso_chg[i]
    return (
        pt > cuts.pt_min
        and (photons.is_barrel[i] or photons.is_endcap[i])
        and photons.electron_veto[i]
        and photons.hoe[i] < cuts.hoe_max
        and photons.id[i] > cuts.id_min
        and (
            photons.r9[i] > cuts.iso_r9_min or charged * pt < cuts.charged_iso_max or charged < cuts.charged_rel_iso_max
        )
        and (cuts.trigger_class == NO_CLASS or in_trigger_class(event, photons, i, pt, pile_up, cuts))
    )
