"""What a channel of your own is written in: ``from gpuhiggs.language import Float32, Histogram, each, fill, …``.

A channel is one Python file. Its NamedTuples say what is read (``Inputs``), what can be configured (``Cuts``) and what
is filled (``Out``); its functions, each marked ``@scalar``, handle one event. ``docs/own-channel.md`` is the manual.
"""

from __future__ import annotations

from .kernels import four_vector as p4
from .kernels import real
from .kernels.histogram import Histogram, fill, fill_category, fill_if, passed, regular, variable
from .kernels.kept import keep
from .kernels.language import (
    Bool,
    Float32,
    Float64,
    Int32,
    Int64,
    Offsets,
    Positive,
    Real,
    Switch,
    UInt32,
    Whole,
    after,
    each,
    local,
    local_int,
    scalar,
    size,
)
from .kernels.own_variations import (
    fill_category_varied,
    fill_varied,
    forget,
    keep_once,
    moved_met,
    moved_pt,
    passed_once,
    recoiled,
    scale_factor,
)
from .kernels.shifts import ELECTRON, JET, MUON, PHOTON

__all__ = [
    "ELECTRON",
    "JET",
    "MUON",
    "PHOTON",
    "Bool",
    "Float32",
    "Float64",
    "Histogram",
    "Int32",
    "Int64",
    "Offsets",
    "Positive",
    "Real",
    "Switch",
    "UInt32",
    "Whole",
    "after",
    "each",
    "fill",
    "fill_category",
    "fill_category_varied",
    "fill_if",
    "fill_varied",
    "forget",
    "keep",
    "keep_once",
    "local",
    "local_int",
    "moved_met",
    "moved_pt",
    "p4",
    "passed",
    "passed_once",
    "real",
    "recoiled",
    "regular",
    "scalar",
    "scale_factor",
    "size",
    "variable",
]
