from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpuhiggs.inference import (
    Channel,
    Data,
    FlatModel,
    Likelihood,
    NormFactor,
    Sample,
    Workspace,
    flatten,
    from_pyhf,
)
from gpuhiggs.inference.batch import expected as evaluate
from gpuhiggs.inference.flat_model import FloatArray

Somewhere = Callable[[FlatModel, float, int], FloatArray]


@pytest.mark.parametrize("width", [0.0, 0.3, 3.0])
def test_expected_yields_are_pyhfs(
    three_channels: Workspace,
    model: FlatModel,
    pyhf_twin: Callable[[Workspace], Any],
    somewhere: Somewhere,
    width: float,
) -> None:
    twin, theta = pyhf_twin(three_channels), somewhere(model, width, 5)
    expected = twin.model.expected_data(twin.parameters(theta), include_auxdata=False)
    ours = [evaluate(model, theta)[0][model.channels[name]] for name in twin.model.config.channels]
    np.testing.assert_allclose(np.concatenate(ours), expected, rtol=1e-12)


@pytest.mark.parametrize(("norm_code", "shape_code"), [("code1", "code0"), ("code4", "code4p")])
def test_every_code_and_overlap_is_pyhfs(
    pyhf_twin: Callable[[Workspace], Any], somewhere: Somewhere, norm_code: Any, shape_code: Any
) -> None:
    """Two shapes and two factors on one sample, a shape and a factor of the same parameter, a bin with two factors."""
    spec = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {
                        "name": "s",
                        "data": [5.0, 3.0],
                        "modifiers": [
                            {"name": "mu", "type": "normfactor", "data": None},
                            {"name": "k", "type": "normfactor", "data": None},
                            {"name": "a", "type": "normsys", "data": {"hi": 1.2, "lo": 0.7}},
                            {"name": "a", "type": "histosys", "data": {"hi_data": [6.0, 3.5], "lo_data": [4.5, 2.0]}},
                            {"name": "b", "type": "histosys", "data": {"hi_data": [5.5, 2.5], "lo_data": [4.0, 3.3]}},
                            {"name": "t", "type": "staterror", "data": [0.5, 0.4]},
                            {"name": "u", "type": "shapesys", "data": [0.6, 0.0]},
                        ],
                    },
                    {
                        "name": "z",
                        "data": [50.0, 60.0],
                        "modifiers": [{"name": "t", "type": "staterror", "data": [3.0, 4.0]}],
                    },
                ],
            }
        ],
        "observations": [{"name": "c", "data": [50.0, 60.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    workspace = from_pyhf(spec, norm_code=norm_code, shape_code=shape_code)
    twin, ours = pyhf_twin(workspace), flatten(workspace)
    for seed in range(5):
        theta = somewhere(ours, 1.0, seed)
        expected = twin.model.expected_data(twin.parameters(theta), include_auxdata=False)
        np.testing.assert_allclose(evaluate(ours, theta)[0], expected, rtol=1e-12)
        assert_slopes(ours, theta)


def assert_slopes(model: FlatModel, theta: FloatArray) -> None:
    """Compare the gradient, less that of the constraints, with central differences of a random sum of bins."""
    counts = np.random.default_rng(0).poisson(5.0, size=model.n_bins).astype(float)
    constraints = model.constraints
    results = [theta[constraints.gaussian], theta[constraints.poisson] * constraints.events]
    data = Data(counts, np.concatenate(results))
    weights = 1.0 - counts / evaluate(model, theta)[0]
    differences = [
        weights @ (evaluate(model, theta + step)[0] - evaluate(model, theta - step)[0]) / 2e-6
        for step in 1e-6 * np.eye(len(theta))
    ]
    slopes = Likelihood(model, data).gradient(theta)
    np.testing.assert_allclose(slopes, differences, rtol=1e-6, atol=1e-6 * np.abs(slopes).max())


@pytest.mark.parametrize("width", [0.3, 3.0])
def test_slopes_are_those_of_the_yields(model: FlatModel, somewhere: Somewhere, width: float) -> None:
    assert_slopes(model, somewhere(model, width, 6))


def test_slopes_are_exact_where_factors_are_zero() -> None:
    """Two signal strengths on one sample: at 0 and 2 the slopes by them are 2 and 0 times the yield."""
    factors = (NormFactor(parameter="mu"), NormFactor(parameter="nu"))
    signal = Sample(name="s", yields=(3.0,), modifiers=factors)
    model = flatten(
        Workspace(poi="mu", channels=(Channel(name="c", samples=(signal, Sample(name="b", yields=(5.0,)))),))
    )
    for theta, slopes in (([0.0, 2.0], [6.0, 0.0]), ([0.0, 0.0], [0.0, 0.0])):
        assert evaluate(model, np.array(theta))[0] == [5.0]
        gradient = Likelihood(model, Data(np.zeros(1), np.zeros(0))).gradient(np.array(theta))
        np.testing.assert_array_equal(gradient, slopes)
