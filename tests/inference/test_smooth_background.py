"""A smooth background that the data determine: against scipy, and with a signal on a spectrum unlike the simulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hist import Hist, storage
from scipy.optimize import minimize
from scipy.stats import norm

from gpuhiggs import inference
from gpuhiggs.inference import smooth_background

EDGES = np.linspace(105.0, 160.0, 56)
MIDDLE = 0.5 * (EDGES[1:] + EDGES[:-1])


def histogram(values: np.ndarray, variances: np.ndarray | None = None) -> Hist[Any]:
    made: Any = Hist.new.Variable(EDGES, name="m", flow=False).Weight()
    made.view().value = values
    made.view().variance = values if variances is None else variances
    return made  # type: ignore[no-any-return]


def falling(slope: float, events: float) -> np.ndarray:
    shape = np.exp(-slope * (MIDDLE - 105.0))
    return np.asarray(events * shape / shape.sum())


def test_spectrum_is_the_most_likely_one() -> None:
    counts = np.random.default_rng(1).poisson(falling(0.04, 3000.0)).astype(float)
    found = smooth_background.spectrum(EDGES, 2.0 * counts, 4.0 * counts, 2)  # events of weight 2

    x = (MIDDLE - 132.5) / 27.5

    def nll(c: np.ndarray) -> float:
        expected = np.exp(c[0] + c[1] * x + c[2] * x**2)
        return float(np.sum(expected - counts * np.log(expected)))

    best = minimize(nll, [4.0, -1.0, 0.0], method="BFGS", options={"gtol": 1e-4}).x
    np.testing.assert_allclose(found, 2.0 * np.exp(best[0] + best[1] * x + best[2] * x**2), rtol=1e-4)
    assert found.sum() == pytest.approx(2.0 * counts.sum())


def workspace(observed: np.ndarray, template: np.ndarray) -> inference.Workspace:
    signal = 200.0 * norm.pdf(MIDDLE, 125.0, 1.8)
    templates = smooth_background.merge(
        {
            "all": {
                "H": histogram(signal, signal * 1e-3),
                "a": histogram(0.5 * template),
                "b": histogram(0.5 * template),
            }
        },
        ["a", "b"],
        2,
    )
    assert set(templates["all"]) == {"H", smooth_background.NAME}
    made = inference.build_workspace(templates, signals=["H"], observed={"all": histogram(observed)})
    return smooth_background.attach(made, 2)


def test_data_determine_the_background() -> None:
    """Simulation has a third more events and another slope than the data: μ is what was put in."""
    truth = falling(0.031, 12_000.0) + 200.0 * norm.pdf(MIDDLE, 125.0, 1.8)
    made = workspace(truth, falling(0.025, 16_000.0))
    flat = inference.flatten(made)
    found = inference.fit(flat, inference.observed(flat, made, integers=False))
    assert found.converged
    assert found.parameters["mu"].value == pytest.approx(1.0, abs=0.02)
    values = {name: e.value for name, e in found.parameters.items()}
    (background,) = (s for s in made.channels[0].samples if s.name == smooth_background.NAME)
    x = (MIDDLE - 132.5) / 27.5
    bent = 1 + smooth_background.STEP * (values["smooth_all_1"] * x + values["smooth_all_2"] * 0.5 * (3 * x**2 - 1))
    fitted = values["smooth_all"] * np.array(background.yields) * bent
    np.testing.assert_allclose(fitted, falling(0.031, 12_000.0), rtol=0.02)
    assert not found.at_bounds


def test_channels_share_their_shape_and_data_set_the_number_of_events() -> None:
    nothing = np.zeros(55)
    nothing[3] = 1e-3
    templates = {"a": {"b": histogram(falling(0.03, 5000.0))}, "c": {"b": histogram(nothing, nothing * 1e-3)}}
    found = smooth_background.merge(templates, ["b"], 2)
    a, c = (found[name][smooth_background.NAME].values() for name in "ac")
    np.testing.assert_allclose(c, a / a.sum(), rtol=1e-5)
    assert found["c"][smooth_background.NAME].storage_type is storage.Weight
    data = {"a": histogram(falling(0.02, 4000.0)), "c": histogram(falling(0.02, 30.0))}
    with_data = smooth_background.merge(templates, ["b"], 2, data)
    assert with_data["c"][smooth_background.NAME].values().sum() == pytest.approx(30.0)
