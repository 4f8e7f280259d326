"""Missing transverse momentum."""

from __future__ import annotations

from typing import NamedTuple

from . import real
from .four_vector import P4
from .language import Float32, scalar


class MissingMomentum(NamedTuple):
    """One vector an event, GeV."""

    pt: Float32
    phi: Float32


@scalar
def missing_momentum(met, event, shift):
    """Return the missing transverse momentum of an event in a variation, as a massless four-vector at η = 0."""
    pt = met.pt[event]
    sin_phi, cos_phi = real.sincos(met.phi[event])
    return P4(pt * cos_phi, pt * sin_phi, 0.0, pt)
