"""H→ZZ*→4ℓ in ATLAS Open Data 13 TeV, release of 2025."""

from __future__ import annotations

from ..kernels import four_lepton_atlas_2025 as kernel
from ..kernels.launch import Program
from .channel import Channel

CHANNEL = Channel("four_lepton_atlas_2025", Program(kernel.__name__), lambda histogram: kernel.FINAL_STATES)
