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

__all__ = [
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
    "fill_if",
    "keep",
    "local",
    "local_int",
    "p4",
    "passed",
    "real",
    "regular",
    "scalar",
    "size",
    "variable",
]
