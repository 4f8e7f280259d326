"""H→γγ in ATLAS Open Data 13 TeV, releases of 2020 and 2025."""

from __future__ import annotations

from ..config import SelectionConfig
from ..kernels import diphoton_atlas as kernel
from ..kernels.launch import Program
from .channel import Channel

_SWITCHES = {
    ("photon", "use_calorimeter_iso"): "photons.calorimeter_iso",
    ("category", "use_conversions"): "photons.conversion",
    ("weight", "use_trigger_scale_factor"): "scale_factors.photon_trigger",
}


def _unused(selection: SelectionConfig) -> tuple[str, ...]:
    """Leave out what is switched off."""
    return tuple(
        column for (group, switch), column in _SWITCHES.items() if selection.cuts.get(group, {}).get(switch) == 0
    )


CHANNEL = Channel("diphoton_atlas", Program(kernel.__name__), lambda histogram: kernel.CATEGORIES, _unused)
