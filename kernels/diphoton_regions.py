"""How much of a diphoton sample is photons: each photon is tight or loose in its shower's width, isolated or not.

Jets that are taken for photons have wide showers and hadrons around them. Those that are not isolated tell how often
they pass the tight width; the read-out solves for the numbers of γγ, γ+jet and jet+jet
(:mod:`gpuhiggs.backgrounds.photons`). A cross-check: the analysis takes its background from the sidebands of m_γγ.
"""

from __future__ import annotations

from typing import NamedTuple

from .language import Positive, scalar

N_CLASSES = 8
"""Of one photon: barrel or endcap, then tight or loose, then isolated or not."""


class WidthCuts(NamedTuple):
    """Tight photons by σ(iηiη), and which are not isolated: filled where a run asks for it (``nonprompt``)."""

    barrel_sieie_max: Positive
    endcap_sieie_max: Positive
    isolated_max: Positive
    """Relative charged isolation above which a photon is not isolated."""


@scalar
def class_of(photons, i, cuts):
    """Return the class of a photon."""
    barrel = photons.is_barrel[i]
    sieie_max = cuts.barrel_sieie_max if barrel else cuts.endcap_sieie_max
    number = 0 if barrel else 4
    number += 0 if photons.sieie[i] < sieie_max else 2
    return number + (0 if photons.iso_chg[i] < cuts.isolated_max else 1)
