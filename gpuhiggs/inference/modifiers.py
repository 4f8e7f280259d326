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


class Formula(Declaration):
    """An unconstrained factor that is a polynomial of parameters or a ratio of two, e.g. of couplings.

    `expressions.parse` says what an expression may hold.
    """

    type: Literal["formula"] = "formula"
    expression: str

    @property
    def parameter(self) -> str:
        """The expression, which tells this factor from others."""
        return self.expression


class NormSys(Declaration):
    """A constrained normalisation: the factor is `up` at θ = 1 and `down` at θ = -1, with θ ~ N(0, 1).

    `code1` is exponential, a log-normal when down = 1/up; `code4` replaces |θ| < 1 by a polynomial of degree 6;
    `combine` is Combine's asymmetric log-normal, smooth inside |θ| < 1/2.
    """

    type: Literal["normsys"] = "normsys"
    parameter: str
    up: float
    down: float
    interpolation: Literal["code1", "code4", "combine"] = "code4"


class GammaCount(Declaration):
    """A yield known from a control region with `events` events (Combine's gmN): a factor constrained by their Poisson.

    The parameter is the rate over `events`, so the sample's yields are those of the nominal rate; with no events it is
    the rate itself, starts at 0, and the yields are those of a rate of 1.
    """

    type: Literal["gamma"] = "gamma"
    parameter: str
    events: Annotated[int, Field(ge=0)]


class HistoSys(Declaration):
    """A constrained shape: the template is `up` at θ = 1 and `down` at θ = -1, with θ ~ N(0, 1).

    `code0` is linear on each side; `code4p` replaces |θ| < 1 by a polynomial of degree 6. With a `scale` the templates
    are those of θ = ±1/scale.
    """

    type: Literal["histosys"] = "histosys"
    parameter: str
    up: Yields
    down: Yields
    interpolation: Literal["code0", "code4p"] = "code4p"
    scale: Annotated[float, Field(gt=0.0)] = 1.0


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


class ShapeFactor(Declaration):
    """A free factor per bin, `parameter[bin]`, shared by the samples and channels that name the parameter."""

    type: Literal["shapefactor"] = "shapefactor"
    parameter: str


class BinError(Declaration):
    """MC statistics as in Combine's autoMCStats: one N(0, 1) parameter per bin, `parameter_bin{number}`.

    It shifts the bin's total by the errors of its samples in quadrature, each scaled as its sample is by its factors.
    """

    type: Literal["binerror"] = "binerror"
    parameter: str
    errors: Yields


Modifier = Annotated[
    NormFactor | Formula | NormSys | GammaCount | HistoSys | Lumi | StatError | BinError | ShapeSys | ShapeFactor,
    Field(discriminator="type"),
]
