"""Jets: the ones that count for a production category, and the system that the two hardest of them make."""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from .language import Column, Float32, Int32, Int64, Positive, Real, Whole, each, scalar
from .shifts import JET, moved_pt
from .weights import has_columns, of_column


class Jets(NamedTuple):
    """AK4 jets, GeV."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    id: Int32
    pile_up_id: Int32
    b_tag: Float32
    mass: Float32
    """For systems of jets only."""


class JetCuts(NamedTuple):
    """Jets and b-tagged jets."""

    pt_min: Positive
    eta_max: Positive
    id_mask: Whole
    """Bits of the jet identification of which one must be set: 2 is tight."""
    pile_up_id_mask: Whole
    """The same for the pile-up identification; NanoAOD v8 and v9 of 2016 number its bits the other way round."""
    pile_up_id_pt_max: Positive
    dr_min: Positive
    b_tag_min: Real
    b_eta_max: Positive


class Directions(NamedTuple):
    """Where the objects are that jets must be apart from, in scratch memory: any tuple with these columns will do."""

    eta: Column
    phi: Column


@scalar
def jet_pt(jets, jet, shift, tables):
    """Return the transverse momentum of a jet in a variation."""
    return moved_pt(jets, jet, shift, tables, JET)


@scalar
def is_identified(jets, jet, pt, cuts):
    """Whether a jet of transverse momentum *pt* passes acceptance and identification, whatever its pt."""
    return (
        abs(jets.eta[jet]) < cuts.eta_max
        and (jets.id[jet] & cuts.id_mask) != 0
        and (pt >= cuts.pile_up_id_pt_max or (jets.pile_up_id[jet] & cuts.pile_up_id_mask) != 0)
    )


@scalar
def is_b_jet(jets, jet, cuts):
    """Whether a jet is b-tagged."""
    return jets.b_tag[jet] > cuts.b_tag_min and abs(jets.eta[jet]) < cuts.b_eta_max


@scalar
def is_apart(eta, phi, others, n, dr_min):
    """Whether a direction is apart from each of the first *n* of *others*."""
    for other in range(n):  # noqa: SIM110 - kernels have no generators
        if not p4.delta_r2(eta, phi, others.eta[other], others.phi[other]) > dr_min * dr_min:
            return False
    return True


class JetSystem(NamedTuple):
    """The jets of an event, GeV."""

    n: int
    n_b: int
    n_soft_b: int
    """b-tagged jets between the soft threshold and that of the jets."""
    pt1: float
    """Of the hardest jet; 0 where there is none."""
    pt2: float
    eta1: float
    eta2: float
    mass: float
    """Of the two hardest; 0 where there are fewer."""
    px: float
    """Sum of the two hardest."""
    py: float


@scalar
def jet_p4(jets, jet, pt):
    """Return the four-vector of a jet of transverse momentum *pt*: a shift of its pt scales its mass as well."""
    mass = jets.mass[jet] * (pt / jets.pt[jet])
    return p4.from_pt_eta_phi_mass(pt, jets.eta[jet], jets.phi[jet], mass)


@scalar
def jet_system(event, jets, cuts, soft_pt_min, others, n_others, shift, tables):
    """Measure the jets that are apart from the first *n_others* of *others*.

    The hardest jets are looked for, not taken from the front: a shifted pt changes their order.
    """
    n, n_b, n_soft_b = 0, 0, 0
    first, second = -1, -1
    pt1, pt2 = 0.0, 0.0
    for jet in each(jets, event):
        pt = jet_pt(jets, jet, shift, tables)
        if (
            pt > soft_pt_min
            and is_identified(jets, jet, pt, cuts)
            and is_apart(jets.eta[jet], jets.phi[jet], others, n_others, cuts.dr_min)
        ):
            tagged = is_b_jet(jets, jet, cuts)
            if pt > cuts.pt_min:
                n += 1
                if tagged:
                    n_b += 1
                if pt > pt1:
                    first, second = jet, first
                    pt1, pt2 = pt, pt1
                elif pt > pt2:
                    second = jet
                    pt2 = pt
            elif tagged:
                n_soft_b += 1
    mass, px, py, eta1, eta2 = 0.0, 0.0, 0.0, 0.0, 0.0
    if first >= 0:
        eta1 = jets.eta[first]
    if second >= 0:
        eta2 = jets.eta[second]
        both = p4.plus(jet_p4(jets, first, pt1), jet_p4(jets, second, pt2))
        mass, px, py = p4.mass(both), both.px, both.py
    return JetSystem(n, n_b, n_soft_b, pt1, pt2, eta1, eta2, mass, px, py)


@scalar
def jets_factor(event, jets, cuts, pt_min, others, n_others, shift, weighed, tables, ratios):
    """Return the factor of the jets above *pt_min* in the range of the b tag in the weight of their event.

    It is there for scale factors of the b tag, which a calibration of the jets has found; see :mod:`.weights`.
    *weighed* is the shift, or NO_RATIOS.
    """
    factor = 1.0
    if not has_columns(JET, tables):
        return factor
    for jet in each(jets, event):
        pt = jet_pt(jets, jet, shift, tables)
        if (
            pt > pt_min
            and abs(jets.eta[jet]) < cuts.b_eta_max
            and is_identified(jets, jet, pt, cuts)
            and is_apart(jets.eta[jet], jets.phi[jet], others, n_others, cuts.dr_min)
        ):
            factor *= of_column(JET, jet, weighed, tables, ratios)
    return factor
