"""H→WW*→eνμν in CMS NanoAOD."""

from __future__ import annotations

from ..config import SelectionConfig
from ..errors import ConfigError
from ..kernels import dilepton as kernel
from ..kernels.launch import Program
from .channel import Channel

_PLANES = {"plane": ("m_ll", "m_t"), "plane_coarse": ("m_ll_coarse", "m_t_coarse")}


def _check(selection: SelectionConfig) -> None:
    """Hold the planes to the cells of their axes."""
    for plane, (x, y) in _PLANES.items():
        axes = [selection.histograms[name].axis(name) for name in (x, y, plane)]
        cells = axes[0].bins * axes[1].bins
        if (axes[2].bins, axes[2].low, axes[2].high, axes[2].edges) != (cells, 0.0, cells, ()):
            msg = (
                f"histograms.{plane}: the axes of {x} and {y} make {cells} cells, expected bins: {cells}, low: 0, "
                f"high: {cells}; got bins: {axes[2].bins}, low: {axes[2].low:g}, high: {axes[2].high:g}"
            )
            raise ConfigError(msg)


CHANNEL = Channel("dilepton", Program(kernel.__name__), lambda histogram: kernel.CATEGORIES, check=_check)
