"""H→WW*→eνμν in ATLAS Open Data 13 TeV, releases of 2020 and 2025."""

from __future__ import annotations

from ..config import SelectionConfig
from ..kernels import dilepton_atlas as kernel
from ..kernels.launch import Program
from .channel import Channel

_UNUSED = {
    ("lepton", "use_iso_flag", 0): ("leptons.tight_iso",),
    ("lepton", "use_iso_flag", 1): ("leptons.ptcone30", "leptons.etcone20"),
    ("lepton", "use_trigger_match", 0): ("leptons.trigger_matched",),
    ("lepton", "d0_significance_stored", 1): ("leptons.d0",),
    ("weight", "use_jet_scale_factors", 0): ("scale_factors.b_tag", "scale_factors.jvt"),
}


def _unused(selection: SelectionConfig) -> tuple[str, ...]:
    """Leave out what is switched off."""
    return tuple(
        column
        for (group, switch, state), columns in _UNUSED.items()
        if selection.cuts.get(group, {}).get(switch) == state
        for column in columns
    )


CHANNEL = Channel("dilepton_atlas", Program(kernel.__name__), lambda histogram: kernel.CATEGORIES, _unused)
