"""The band around the simulation, against sums written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hist
import numpy as np
import pytest

from gpuhiggs.config import RunConfig
from gpuhiggs.report.band import band

MODEL: dict[str, Any] = {
    "histogram": "m4l",
    "edges": [70, 170],
    "channels": {"4mu": "* 4mu", "rest": "* 4e | * 2e2mu"},
    "signals": ["H"],
    "luminosity_uncertainty": 0.02,
    "normalisations": [
        {"parameter": "theory", "processes": ["H"], "up": 1.1, "down": 0.95},
        {"parameter": "muons", "channels": ["4mu"], "up": 1.03},
    ],
}


@pytest.fixture
def config(four_muon_config: Callable[..., RunConfig]) -> RunConfig:
    def simulated(name: str) -> dict[str, Any]:
        return {"name": name, "process": name, "kind": "simulation", "cross_section": 1.0, "files": [f"{name}.root"]}

    return four_muon_config(simulated("H"), simulated("ZZ"), luminosity=1.0, model=MODEL)


def filled(values: list[list[float]], variances: list[list[float]]) -> hist.Hist[Any]:
    histogram = hist.Hist(
        hist.axis.StrCategory(["a 4mu", "a 4e"], name="category"), hist.axis.Regular(2, 0, 1, name="x"),
        storage=hist.storage.Weight(),
    )  # fmt: skip
    view: Any = histogram.view()
    view.value, view.variance = values, variances
    return histogram


def varied(up: list[float], down: list[float]) -> hist.Hist[Any]:
    histogram: hist.Hist[Any] = hist.Hist(
        hist.axis.StrCategory(["scale"], name="parameter", overflow=False),
        hist.axis.StrCategory(["up", "down"], name="side", overflow=False),
        hist.axis.Regular(2, 0, 1, name="x"),
    )
    histogram.values()[...] = [[up, down]]
    return histogram


def test_band_is_what_the_model_says(config: RunConfig) -> None:
    higgs = filled([[10, 20], [5, 0]], [[1, 2], [3, 0]])
    background = filled([[100, 50], [40, 30]], [[4, 4], [4, 4]])
    shifted = {"H": varied([18, 20], [16, 19]), "ZZ": varied([140, 84], [133, 80])}
    found = band(config, {"H": higgs, "ZZ": background}, shifted)
    luminosity = 0.02 * np.array([155.0, 100.0])
    muons = 0.03 * np.array([110.0, 70.0]), (1 / 1.03 - 1) * np.array([110.0, 70.0])
    theory = 0.1 * np.array([15.0, 20.0]), -0.05 * np.array([15.0, 20.0])
    scale = np.array([3.0, 4.0]), np.array([-6.0, -1.0])  # of both processes together
    statistical = np.sqrt([12.0, 10.0])
    np.testing.assert_allclose(found.statistical, statistical)
    parts = statistical**2 + luminosity**2
    np.testing.assert_allclose(found.up, np.sqrt(parts + muons[0] ** 2 + theory[0] ** 2 + scale[0] ** 2))
    np.testing.assert_allclose(found.down, np.sqrt(parts + muons[1] ** 2 + theory[1] ** 2 + scale[1] ** 2))
    assert found.sources == ("statistics of the simulation", "scale", "luminosity", "theory", "muons")


def test_without_a_model_it_is_statistics(config: RunConfig) -> None:
    bare = config.model_copy(update={"model": None})
    found = band(bare, {"H": filled([[10, 20], [5, 0]], [[1, 2], [3, 0]])}, {})
    np.testing.assert_allclose(found.up, [2.0, np.sqrt(2.0)])
    assert found.sources == ("statistics of the simulation",)


def test_a_background_that_data_determine_has_no_normalisation_error(config: RunConfig) -> None:
    assert config.model is not None
    free = {"parameter": "zz", "processes": ["ZZ"]}
    model = type(config.model).model_validate({**MODEL, "free": [free]})
    found = band(
        config.model_copy(update={"model": model}), {"ZZ": filled([[100, 50], [40, 30]], [[4, 4], [4, 4]])}, {}
    )
    np.testing.assert_allclose(found.up, np.sqrt([8.0, 8.0]))
