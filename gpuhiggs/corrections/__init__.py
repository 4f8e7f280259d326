"""Corrections: correctionlib files compiled to flat tables that kernels look up (:mod:`gpuhiggs.kernels.lookup`).

::

    electrons = corrections.load("electron.json.gz")["UL-Electron-ID-SF"]
    sf = electrons.compile(year="2018", ValType="sf", WorkingPoint="Medium")
    sf.evaluate(eta, pt)                                # NumPy arrays, in the order of sf.variables

A kernel is handed ``sf.tables``, ``sf.root`` and scratch of ``sf.slots`` float64 whose first entries are the inputs.
Many corrections share one pair of tables: see :class:`Library` and, for the configuration's form, :mod:`.declaration`.
"""

from __future__ import annotations

from .correction import Compiled, Correction, CorrectionSet, Library, load
from .declaration import CorrectionConfig, Variants, VariationKeys, compile_declared

__all__ = [
    "Compiled",
    "Correction",
    "CorrectionConfig",
    "CorrectionSet",
    "Library",
    "Variants",
    "VariationKeys",
    "compile_declared",
    "load",
]
