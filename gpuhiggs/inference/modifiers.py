"""The modifiers of a binned model: what multiplies or shifts the expected yields of a sample.

The terms are HistFactory's (Cranmer et al., CERN-OPEN-2012-016); `model` says how they combine. `parameter` names the
parameter that a modifier follows; modifiers that name the same one are fully correlated, across samples and channels.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Yields = tuple[float, ...]
"""One number per bin of a channel, in events."""


class Declaration(BaseModel):
    """A part of a model's declaration: immutable, and an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NormFactor(Declaration):
    """An unconstrained factor: the value of `parameter` itself, e.g. a signal strength."""

    type: Literal["normfactor"] = "normfactor"
    parameter: str


class NormSys(Declaration):
    """A constrained normalisation: the factor is `up` at θ = 1 and `down` at θ = -1, with θ ~ N(0, 1).

    `code1` is exponential, a log-normal when down = 1/up; `code4` replaces |θ| < 1 by a polynomial of degree 6.
    """

    type: Literal["normsys"] = "normsys"
    parameter: str
    up: float
    down: float
    interpolation: Literal["code1", "code4"] = "code4"


class HistoSys(Declaration):
    """A constrained shape: the template is `up` at θ = 1 and `down` at θ = -1, with θ ~ N(0, 1).

    `code0` is linear on each side; `code4p` replaces |θ| < 1 by a polynomial of degree 6.
    """

    type: Literal["histosys"] = "histosys"
    parameter: str
    up: Yields
    down: Yields
    interpolation: Literal["code0", "code4p"] = "code4p"


class Lumi(Declaration):
    """The luminosity: the value of `parameter`, constrained by a normal with its setting's `center` and `width`."""

    type: Literal["lumi"] = "lumi"
    parameter: str = "lumi"


class StatError(Declaration):
    """MC statistics: one factor per bin, `parameter[bin]`, shared by the channel's samples that name the parameter.

    `errors` are this sample's absolute errors in events. The factor is constrained by a normal around 1 with the
    relative error of the sum of the samples (Barlow-Beeston "lite", Conway, arXiv:1103.0354).
    """

    type: Literal["staterror"] = "staterror"
    parameter: str
    errors: Yields


class ShapeSys(Declaration):
    """An error per bin of one sample: factors `parameter[bin]`, constrained by a Poisson of (yield/error)² events."""

    type: Literal["shapesys"] = "shapesys"
    parameter: str
    errors: Yields


Modifier = Annotated[NormFactor | NormSys | HistoSys | Lumi | StatError | ShapeSys, Field(discriminator="type")]
