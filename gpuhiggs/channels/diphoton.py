"""H→γγ in CMS NanoAOD."""

from __future__ import annotations

from ..config import SelectionConfig
from ..kernels import diphoton as kernel
from ..kernels import photons
from ..kernels.launch import Program
from .channel import Channel

_LOOSE = ("electrons.cut_based", "electrons.sieie", "electrons.e_inv_minus_p_inv")


def _unused(selection: SelectionConfig) -> tuple[str, ...]:
    """Read what the trigger class and a classifier need; no loose leptons."""
    loose = _LOOSE if selection.classifier is not None else (*_LOOSE, "photons.energy_err")
    match selection.cuts.get("photon", {}).get("trigger_class"):
        case photons.NO_CLASS:
            unused: tuple[str, ...] = ("iso_all", "photon_iso", "track_iso", "sieie")
        case photons.APPROXIMATE_CLASS:
            unused = ("photon_iso", "track_iso")
        case _:
            return ("photons.iso_all", *loose)
    return ("pile_up.rho", *(f"photons.{name}" for name in unused), *loose)


CHANNEL = Channel("diphoton", Program(kernel.__name__), lambda histogram: kernel.CATEGORIES, _unused)
