"""A model laid out for evaluation: its parameters by name, and flat arrays for `kernels.likelihood`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import InputError, choices
from gpuhiggs.inference.parameters import Parameter
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.statistical_model import Model

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Constraints:
    """Gaussian, then Poisson auxiliary measurements: constrained parameter and width, or parameter and events.

    `nominal` are their results; `correlation` is that of the Gaussian ones, None if they are independent.
    """

    gaussian: IndexArray
    width: FloatArray
    poisson: IndexArray
    events: FloatArray
    nominal: FloatArray
    correlation: FloatArray | None = None


@dataclass(frozen=True)
class FlatModel:
    """A model as flat arrays; made by `layout.flatten`.

    Attributes
    ----------
    parameters
        The parameters, in the order of every parameter vector; those of interest are the first.
    channels
        Slice of each channel's bins in the vector of bins.
    blocks
        Channel and sample of each block, and its slice of the entries.
    groups
        Names of groups and their parameters.
    arrays
        What the kernels evaluate.
    """

    parameters: tuple[Parameter, ...]
    channels: dict[str, slice]
    blocks: tuple[tuple[str, str, slice], ...]
    groups: dict[str, tuple[str, ...]]
    constraints: Constraints
    arrays: Model

    @cached_property
    def record(self) -> launch.Record:
        """The arrays as kernels take them."""
        return launch.record(Model, self.arrays)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {parameter.name: position for position, parameter in enumerate(self.parameters)}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what holds addresses in memory: another process has others."""
        return {name: value for name, value in self.__dict__.items() if name != "record"}

    @property
    def n_bins(self) -> int:
        """Number of bins of all channels."""
        return len(self.arrays.floor)

    @property
    def poi(self) -> str:
        """Name of the first parameter of interest."""
        return self.parameters[0].name

    @property
    def pois(self) -> tuple[str, ...]:
        """Names of the parameters of interest."""
        return tuple(parameter.name for parameter in self.parameters if parameter.poi)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def initial(self) -> FloatArray:
        """Return the initial values, shape (parameters,)."""
        return np.array([parameter.initial for parameter in self.parameters])

    def index(self, name: str) -> int:
        """Return the position of a parameter; `InputError` names the known ones if there is none."""
        if name in self._positions:
            return self._positions[name]
        msg = f"no parameter {name!r}; {choices(name, self.names)}"
        raise InputError(msg)

    def select(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the parameters that names, patterns (``*``) or groups stand for.

        Raises
        ------
        InputError
            A name stands for none.
        """
        chosen: dict[str, None] = {}
        for name in names:
            found = self.groups.get(name) or fnmatch.filter(self.names, name) or [n for n in self.names if n == name]
            if not found:
                msg = f"no parameter or group {name!r}; {choices(name, (*self.groups, *self.names))}"
                raise InputError(msg)
            chosen |= dict.fromkeys(found)
        return tuple(chosen)

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
