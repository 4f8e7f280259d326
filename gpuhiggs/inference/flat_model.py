"""A model as flat arrays: what a likelihood evaluates, on any device, without knowing channels or modifiers by name.

Three index spaces, each one vector over the whole model: *bins* (all channels' bins, in order), *blocks* (one per
channel and sample) and *entries* (one per block and bin, contiguous in a block). An entry is worth

    yield_e = F_block(e) · G_e · (nominal_e + Σ_h [S_he θ_h + A_he a(θ_h)])

with F the product of its block's factors and G that of its per-bin factors. Both products are look-ups in one vector
of factors, (θ, derived factors, 1): a normalisation uncertainty is a derived factor, a function of θ, and so can
polynomials of several parameters be. The constant 1 fills the rows of blocks and entries that have fewer factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import InputError
from gpuhiggs.inference.interpolation import BoolArray, FloatArray
from gpuhiggs.inference.parameters import Parameter

IndexArray = npt.NDArray[np.intp]


def sum_by(index: IndexArray, values: FloatArray, length: int) -> FloatArray:
    """Return the sums of the values with the same index, shape (length,)."""
    return np.bincount(index, values, length)  # type: ignore[return-value]  # NumPy's stubs forget the weights


@dataclass(frozen=True)
class Responses:
    """The functions of one parameter each that the yields depend on, for `interpolation.respond`; `n` of them.

    First the derived factors, one per `NormSys` of a block; then θ and a(θ) of every parameter that shifts a template.

    Attributes
    ----------
    parameter
        The parameter of each, shape (n,).
    polynomials, innermost, n_norms
        As in `interpolation.respond`.
    shifts
        The templates S and A that θ and a(θ) multiply, shape (n - n_norms, entries).
    """

    parameter: IndexArray
    polynomials: FloatArray
    innermost: FloatArray
    n_norms: int
    shifts: FloatArray


@dataclass(frozen=True)
class Constraints:
    """Gaussian, then Poisson auxiliary measurements: constrained parameter and width, or parameter and events."""

    gaussian: IndexArray
    width: FloatArray
    poisson: IndexArray
    events: FloatArray
    nominal: FloatArray


@dataclass(frozen=True)
class BinFactors:
    """The MC-statistics factors that are alone in their bin, so that their best values have a closed form.

    Each is `parameter`, multiplies what the marked `entries` expect in `bin`, and is the Gaussian constraint number
    `constraint`. All but `entries` (entries,) have shape (n,).
    """

    parameter: IndexArray
    bin: IndexArray
    constraint: IndexArray
    entries: BoolArray


@dataclass(frozen=True)
class FlatModel:
    """A model as flat arrays; made by `layout.flatten`.

    Attributes
    ----------
    parameters
        The parameters, in the order of every parameter vector; the one of interest is the first.
    channels
        Slice of each channel's bins in the vector of bins.
    bin, block, block_start
        Bin and block of each entry; first entry of each block.
    nominal
        Nominal yield of each entry, in events.
    block_factors, entry_factors
        Which factors multiply each block, (M, blocks), and each entry, (N, entries): indices into (θ, derived, 1).
    scatter
        Both of these, flat and one after the other.
    """

    parameters: tuple[Parameter, ...]
    channels: dict[str, slice]
    n_bins: int
    bin: IndexArray
    block: IndexArray
    block_start: IndexArray
    nominal: FloatArray
    block_factors: IndexArray
    entry_factors: IndexArray
    scatter: IndexArray
    responses: Responses
    constraints: Constraints
    bin_factors: BinFactors

    @property
    def poi(self) -> str:
        """Name of the parameter of interest."""
        return self.parameters[0].name

    def initial(self) -> FloatArray:
        """Return the initial values, shape (parameters,)."""
        return np.array([parameter.initial for parameter in self.parameters])

    def index(self, name: str) -> int:
        """Return the position of a parameter; `InputError` names the known ones if there is none."""
        for position, parameter in enumerate(self.parameters):
            if parameter.name == name:
                return position
        msg = f"no parameter {name!r}; known: {', '.join(parameter.name for parameter in self.parameters)}"
        raise InputError(msg)

    def values(self, settings: Mapping[str, float] | None = None) -> FloatArray:
        """Return the initial values with some set by name, shape (parameters,)."""
        theta = self.initial()
        for name, value in (settings or {}).items():
            theta[self.index(name)] = value
        return theta

    def bounds(self, name: str) -> tuple[float, float]:
        """Return the bounds of a parameter."""
        return self.parameters[self.index(name)].bounds

    def held(self) -> frozenset[int]:
        """Return the positions of the parameters that the model itself fixes."""
        return frozenset(position for position, parameter in enumerate(self.parameters) if parameter.fixed)

    def bin_name(self, position: int) -> str:
        """Return the words for one of the bins: its channel and its number there."""
        for name, bins in self.channels.items():
            if bins.start <= position < bins.stop:
                return f"channel {name!r}, bin {position - bins.start}"
        msg = f"no bin {position}: the model has {self.n_bins}"
        raise InputError(msg)
