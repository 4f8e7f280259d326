"""H→γγ in CMS NanoAOD."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import SelectionConfig
from ..histogram import HistogramSpec
from ..kernels import diphoton as kernel
from ..kernels import diphoton_regions, photons
from ..kernels.launch import Program
from . import regions
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


def _regions(selection: SelectionConfig, specs: Sequence[HistogramSpec]) -> list[HistogramSpec]:
    m_gg = next(spec for spec in specs if spec.name == "m_gg")
    return [regions.by_cells("m_gg_by_class", diphoton_regions.N_CLASSES**2, m_gg.axis.bins + 2, ("all",))]


CHANNEL = Channel(
    "diphoton", Program(kernel.__name__), lambda histogram: kernel.CATEGORIES, _unused, region_specs=_regions,
    region_columns=("photons.sieie",),
)  # fmt: skip
