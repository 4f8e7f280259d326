"""Workspaces with every kind of modifier, several channels and shared parameters, at random."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gpuhiggs.inference import (
    Channel,
    HistoSys,
    NormFactor,
    NormSys,
    Sample,
    ShapeFactor,
    ShapeSys,
    StatError,
    Workspace,
)
from gpuhiggs.inference.modifiers import BinError, Formula, GammaCount, Lumi, Modifier
from tests.inference.conftest import with_toy_data

PYHFS = ("normsys", "histosys", "lumi", "shapesys", "shapefactor", "staterror", "second strength")
"""Kinds that pyhf knows; the others are Combine's and the project's own."""
OTHERS = ("formula", "gamma", "asymmetric", "linear", "binerror", "crop")


@st.composite
def workspaces(draw: Any, kinds: tuple[str, ...] = PYHFS + OTHERS) -> Workspace:
    """One to three channels with a signal and one or two backgrounds; the first channel determines the strengths."""
    return workspace_of(
        draw(st.integers(0, 2**32 - 1)), draw(st.lists(st.sampled_from(kinds), min_size=1, unique=True))
    )


def workspace_of(seed: int, kinds: Collection[str]) -> Workspace:
    """The workspace of a seed with these kinds of modifiers."""
    chosen, generator = set(kinds), np.random.default_rng(seed)
    channels = [_channel(f"c{k}", chosen, generator) for k in range(int(generator.integers(1, 4)))]
    settings = {"parameters": [{"name": "lumi", "center": 1.0, "width": 0.03}]} if "lumi" in chosen else {}
    return with_toy_data(Workspace.model_validate({"poi": "mu", "channels": channels, **settings}), seed)


def _channel(name: str, kinds: set[str], generator: np.random.Generator) -> Channel:
    n_bins = int(generator.integers(3, 6)) if name == "c0" else int(generator.integers(1, 5))
    names = ("signal", "b1", "b2")[: int(generator.integers(2, 4))]
    return Channel(name=name, samples=tuple(_sample(name, s, n_bins, kinds, generator) for s in names))


def _sample(channel: str, name: str, n_bins: int, kinds: set[str], generator: np.random.Generator) -> Sample:
    is_signal = name == "signal"
    yields = generator.uniform(5.0, 60.0, n_bins)
    modifiers: list[Modifier] = []

    def factor(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    def sides(width: float) -> dict[str, Any]:
        """Templates nearly opposite to each other: where both lie on one side, there may be two minima."""
        bend = generator.uniform(-width, width, n_bins)
        changes = {"up": bend, "down": -bend * generator.uniform(0.7, 1.3, n_bins)}
        return {side: tuple((yields * (1.0 + change)).tolist()) for side, change in changes.items()}

    if is_signal:
        modifiers.append(NormFactor(parameter="mu"))
        if "formula" in kinds:
            modifiers.append(Formula(expression="(1 + 0.3*kappa*mu + 0.2*kappa*kappa) / (1 + 0.1*kappa)"))
    if "second strength" in kinds and name == "b1":
        modifiers.append(NormFactor(parameter="nu"))
    if "normsys" in kinds:
        for parameter in ("shared", f"norm_{name}"):
            modifiers.append(NormSys(parameter=parameter, up=factor(1.02, 1.3), down=factor(0.7, 0.98)))
    if "asymmetric" in kinds:
        up, down = factor(1.02, 1.3), factor(0.7, 0.98)
        modifiers.append(NormSys(parameter="asymmetric", up=up, down=down, interpolation="combine"))
    if "histosys" in kinds:
        modifiers.append(HistoSys(parameter="shared" if is_signal else "shape", **sides(0.2)))
    if "linear" in kinds:
        modifiers.append(HistoSys(parameter="linear", interpolation="code0", **sides(0.1)))
    if "lumi" in kinds:
        modifiers.append(Lumi())
    if "gamma" in kinds and name == "b2":
        modifiers.append(GammaCount(parameter="control", events=12))
    if "shapesys" in kinds and name == "b1":
        modifiers.append(ShapeSys(parameter=f"shapesys_{channel}", errors=tuple((0.2 * yields).tolist())))
    if "shapefactor" in kinds and name == "b2" and channel != "c0":
        modifiers.append(ShapeFactor(parameter=f"free_{channel}"))
    errors = tuple((yields * generator.uniform(0.05, 0.3, n_bins)).tolist())
    if "binerror" in kinds:
        modifiers.append(BinError(parameter=f"stat_{channel}", errors=errors))
    elif "staterror" in kinds and not is_signal:
        modifiers.append(StatError(parameter=f"stat_{channel}", errors=errors))
    return Sample(name=name, yields=tuple(yields.tolist()), modifiers=tuple(modifiers), crop="crop" in kinds)
