"""Models that several tests of inference share, and their twins in pyhf."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import hist
import numpy as np
import numpy.typing as npt
import pyhf
import pytest

from gpuhiggs.inference import (
    FlatModel,
    Luminosity,
    Normalisation,
    Workspace,
    build_workspace,
    draw_toys,
    flatten,
    pyhf_settings,
    to_pyhf,
)
from gpuhiggs.inference.parameters import Gaussian

FloatArray = npt.NDArray[np.float64]


class PyhfTwin(NamedTuple):
    """A workspace as pyhf's model, with its data and the positions of our parameters among its own."""

    model: Any
    data: list[float]
    place: list[int]

    def parameters(self, theta: FloatArray) -> FloatArray:
        """Our parameter vector in pyhf's order; pyhf's superfluous parameters stay where it starts them."""
        values = np.array(self.model.config.suggested_init())
        values[self.place] = theta
        return values

    def nll(self, theta: FloatArray) -> float:
        return -float(self.model.logpdf(self.parameters(theta), self.data)[0])


def template(edges: FloatArray, values: FloatArray, effective_events: float) -> hist.Hist[Any]:
    """A simulated histogram whose bins hold so many effective MC events, shared by yield."""
    filled = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
    filled[...] = np.stack([values, values * values.sum() / effective_events], axis=-1)
    return filled


def four_lepton_workspace(channels: dict[str, float], n_bins: int, seed: int) -> Workspace:
    """A peak on a continuum and a flat reducible background, 70 to 175 GeV, with toy data; scaled by channel."""
    edges = np.linspace(70.0, 175.0, n_bins + 1)
    mass = (edges[1:] + edges[:-1]) / 2
    peak = np.exp(-0.5 * ((mass - 125.0) / 3.0) ** 2) + 1e-3
    moved = [np.exp(-0.5 * ((mass - m) / 3.0) ** 2) + 1e-3 for m in (125.6, 124.5)]
    continuum = 1.0 + 4.0 * np.exp(-0.5 * ((mass - 91.0) / 3.0) ** 2)
    templates = {
        name: {
            "H": template(edges, scale * 8.0 * peak / peak.sum(), 20_000),
            "ZZ": template(edges, scale * 40.0 * continuum / continuum.sum(), 30_000),
            "ZX": template(edges, scale * 10.0 * np.full(n_bins, 1.0 / n_bins), 2_000),
        }
        for name, scale in channels.items()
    }
    sides = [
        {name: {"H": template(edges, scale * 8.0 * m / peak.sum(), 20_000)} for name, scale in channels.items()}
        for m in moved
    ]
    workspace = build_workspace(
        templates,
        signals=["H"],
        normalisations=[
            Normalisation(parameter="theory_H", up=1.08, down=0.93, samples=("H",)),
            Normalisation(parameter="theory_ZZ", up=1.05, samples=("ZZ",)),
            Normalisation(parameter="ZX", up=1.4, down=0.65, samples=("ZX",)),
            Normalisation(parameter="eff_mu", up=1.03, channels=tuple(c for c in channels if "mu" in c)),
        ],
        luminosity=Luminosity(uncertainty=0.016, samples=("H", "ZZ")),
        shapes={"scale": (sides[0], sides[1])},
    )
    return with_toy_data(workspace, seed)


def with_toy_data(workspace: Workspace, seed: int) -> Workspace:
    """The workspace with counts drawn at its initial parameters."""
    model = flatten(workspace)
    (toy,) = draw_toys(model, 1, np.random.default_rng(seed))
    filled = [
        channel.model_copy(update={"observed": tuple(toy.counts[model.channels[channel.name]].tolist())})
        for channel in workspace.channels
    ]
    return workspace.model_copy(update={"channels": tuple(filled)})


@pytest.fixture(scope="session")
def three_channels() -> Workspace:
    """3 channels, 35 bins, 3 samples; about 25 signal events; 112 parameters."""
    return four_lepton_workspace({"4mu": 1.0, "4e": 0.6, "2e2mu": 1.5}, n_bins=35, seed=1)


@pytest.fixture(scope="session")
def two_channels() -> Workspace:
    """2 channels, 7 bins: the same, small enough for pyhf's fits."""
    return four_lepton_workspace({"4mu": 1.0, "2e2mu": 1.5}, n_bins=7, seed=2)


@pytest.fixture(scope="session")
def model(three_channels: Workspace) -> FlatModel:
    return flatten(three_channels)


@pytest.fixture(scope="session")
def small_model(two_channels: Workspace) -> FlatModel:
    return flatten(two_channels)


@pytest.fixture(scope="session")
def pyhf_twin() -> Callable[[Workspace], PyhfTwin]:
    """Make pyhf's model of a workspace."""

    def make(workspace: Workspace) -> PyhfTwin:
        with warnings.catch_warnings():  # pyhf 0.7.6 validates with a class that jsonschema has deprecated
            warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
            spec = pyhf.Workspace(to_pyhf(workspace))
            twin = spec.model(modifier_settings=pyhf_settings(workspace))
        names = twin.config.par_names
        return PyhfTwin(
            twin, spec.data(twin), [names.index(parameter.name) for parameter in flatten(workspace).parameters]
        )

    return make


@pytest.fixture
def pyhf_minuit() -> Iterator[None]:
    """Let pyhf fit with iminuit at a tight tolerance."""
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4, strategy=1))
    yield
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer())


@pytest.fixture(scope="session")
def somewhere() -> Callable[[FlatModel, float, int], FloatArray]:
    """Make a physical point so many widths away from the initial one, every parameter by its own random step."""

    def make(model: FlatModel, width: float, seed: int) -> FloatArray:
        theta = model.initial()
        for index, step in enumerate(np.random.default_rng(seed).normal(0.0, width, len(theta))):
            constraint = model.parameters[index].constraint
            size = constraint.width if isinstance(constraint, Gaussian) else 0.2
            lowest = -np.inf if model.parameters[index].kind == "nuisance" else 0.1
            theta[index] = max(theta[index] + step * size, lowest)
        return theta

    return make
