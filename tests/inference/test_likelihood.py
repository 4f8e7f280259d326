from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, poisson

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    Data,
    FlatModel,
    HistoSys,
    Likelihood,
    Lumi,
    NormFactor,
    NormSys,
    Sample,
    StatError,
    Workspace,
    asimov,
    counted,
    draw_toys,
    flatten,
    observed,
)
from gpuhiggs.inference.flat_model import FloatArray

Somewhere = Callable[[FlatModel, float, int], FloatArray]


@pytest.mark.parametrize("width", [0.0, 0.3, 3.0])
def test_values_are_pyhfs(
    three_channels: Workspace,
    model: FlatModel,
    pyhf_twin: Callable[[Workspace], Any],
    somewhere: Somewhere,
    width: float,
) -> None:
    """Both the values and their differences, at 1e-8 relative; ours keep every constant too."""
    twin, likelihood = pyhf_twin(three_channels), Likelihood(model, observed(model, three_channels))
    points = [somewhere(model, width, seed) for seed in range(5)]
    ours, theirs = [likelihood.nll(theta) for theta in points], [twin.nll(theta) for theta in points]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-8, atol=1e-11)


def plain_nll(workspace: Workspace, values: dict[str, float], data: Data) -> float:
    """-ln L written a second time, channel by channel and bin by bin, with scipy's distributions."""
    total, position = 0.0, 0
    for channel in workspace.channels:
        for index in range(channel.n_bins):
            expected = sum(plain_yield(sample, index, values) for sample in channel.samples)
            total += expected - data.counts[position] * math.log(expected) + math.lgamma(data.counts[position] + 1.0)
            position += 1
    widths = plain_widths(workspace)
    for (name, (center, width)), result in zip(widths.items(), data.auxiliary, strict=True):
        assert center in (0.0, 1.0)
        total -= float(norm.logpdf(result, values[name], width))
    return total


def plain_yield(sample: Sample, index: int, values: dict[str, float]) -> float:
    template, factor = sample.yields[index], 1.0
    for modifier in sample.modifiers:
        name = modifier.parameter
        theta = values[f"{name}[{index}]"] if isinstance(modifier, StatError) else values[name]
        if isinstance(modifier, NormFactor | Lumi | StatError):
            factor *= theta
        elif isinstance(modifier, NormSys):
            factor *= plain_code4(theta, modifier.up, modifier.down)
        elif isinstance(modifier, HistoSys):
            template += plain_code4p(
                theta, modifier.up[index] - sample.yields[index], modifier.down[index] - sample.yields[index]
            )
    return float(factor * template)


def plain_code4(theta: float, up: float, down: float) -> float:
    if abs(theta) >= 1.0:
        return math.pow(up, theta) if theta > 0.0 else math.pow(down, -theta)
    rows, wanted = [], []
    for sign, base in ((1.0, up), (-1.0, down)):
        log = sign * math.log(base)
        rows += [[sign**k for k in range(1, 7)], [k * sign ** (k - 1) for k in range(1, 7)]]
        rows += [[k * (k - 1) * sign**k for k in range(1, 7)]]
        wanted += [base - 1.0, log * base, log * log * base]
    coefficients = np.linalg.solve(rows, wanted)
    return float(1.0 + sum(a * theta ** (k + 1) for k, a in enumerate(coefficients)))


def plain_code4p(theta: float, up: float, down: float) -> float:
    if abs(theta) >= 1.0:
        return theta * up if theta > 0.0 else -theta * down
    return theta * (up - down) / 2 + (up + down) / 16 * (15 * theta**2 - 10 * theta**4 + 3 * theta**6)


def plain_widths(workspace: Workspace) -> dict[str, tuple[float, float]]:
    """Center and width of every constraint, in the order in which names appear."""
    settings = {s.name: (s.center or 0.0, s.width or 0.0) for s in workspace.parameters}
    found: dict[str, tuple[float, float]] = {}
    for channel in workspace.channels:
        for sample in channel.samples:
            for modifier in sample.modifiers:
                if isinstance(modifier, NormSys | HistoSys):
                    found.setdefault(modifier.parameter, (0.0, 1.0))
                elif isinstance(modifier, Lumi):
                    found.setdefault(modifier.parameter, settings[modifier.parameter])
        for index in range(channel.n_bins):
            parts = [(s.yields[index], m) for s in channel.samples for m in s.modifiers if isinstance(m, StatError)]
            error = math.sqrt(sum(stat.errors[index] ** 2 for _, stat in parts))
            found[f"{parts[0][1].parameter}[{index}]"] = (1.0, error / sum(value for value, _ in parts))
    return found


@pytest.mark.parametrize("width", [0.3, 3.0])
def test_value_and_gradient_are_those_of_the_plain_version(
    two_channels: Workspace, small_model: FlatModel, somewhere: Somewhere, width: float
) -> None:
    (toy,) = draw_toys(small_model, 1, np.random.default_rng(3))
    likelihood, theta = Likelihood(small_model, toy), somewhere(small_model, width, 4)
    names = [parameter.name for parameter in small_model.parameters]

    def plain(point: FloatArray) -> float:
        return plain_nll(two_channels, dict(zip(names, point.tolist(), strict=True)), toy)

    nll, gradient = likelihood.nll_and_gradient(theta)
    assert nll == pytest.approx(plain(theta), rel=1e-12)
    assert nll == pytest.approx(likelihood.nll(theta), rel=1e-15)
    steps = 1e-4 * np.eye(len(theta))  # five points: the error is of the order of step⁴
    differences = [
        (8.0 * (plain(theta + h) - plain(theta - h)) - plain(theta + 2 * h) + plain(theta - 2 * h)) / 12e-4
        for h in steps
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-7, atol=1e-7 * np.abs(gradient).max())


@pytest.mark.parametrize("width", [0.3, 3.0])
def test_gradient_is_that_of_the_value(
    model: FlatModel, three_channels: Workspace, somewhere: Somewhere, width: float
) -> None:
    likelihood, theta = Likelihood(model, observed(model, three_channels)), somewhere(model, width, 6)
    gradient = likelihood.gradient(theta)
    steps = 1e-4 * np.eye(len(theta))
    value = likelihood.nll
    differences = [
        (8.0 * (value(theta + h) - value(theta - h)) - value(theta + 2 * h) + value(theta - 2 * h)) / 12e-4
        for h in steps
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8 * np.abs(gradient).max())


def test_gradient_vanishes_at_the_truth_of_an_asimov_data_set(model: FlatModel) -> None:
    truth = {"mu": 1.3, "theory_ZZ": -0.4, "staterror_4mu[3]": 1.02}
    gradient = Likelihood(model, asimov(model, truth)).gradient(model.values(truth))
    np.testing.assert_allclose(gradient, 0.0, atol=1e-11)


def counting(signal: tuple[float, ...], background: tuple[float, ...]) -> FlatModel:
    samples = (
        Sample(name="s", yields=signal, modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=background),
    )
    return flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))


def test_a_counting_experiment_is_a_poisson() -> None:
    model = counting((10.0,), (3.0,))
    likelihood = Likelihood(model, counted(model, [9.0]))
    for mu in (0.0, 0.5, 2.0):
        assert likelihood.nll(np.array([mu])) == pytest.approx(-poisson.logpmf(9, 3.0 + 10.0 * mu), rel=1e-13)


def test_a_bin_that_nothing_reaches_adds_nothing() -> None:
    model, bare = counting((10.0, 0.0), (3.0, 0.0)), counting((10.0,), (3.0,))
    with_bin, without = Likelihood(model, counted(model, [9.0, 0.0])), Likelihood(bare, counted(bare, [9.0]))
    theta = np.array([0.7])
    assert with_bin.nll_and_gradient(theta) == without.nll_and_gradient(theta)
    assert not len(with_bin.below_floor(theta))


@pytest.mark.parametrize("count", [0.0, 4.0])
def test_beyond_the_physical_region_the_value_rises_and_stays_finite(count: float) -> None:
    model = counting((10.0,), (3.0,))
    likelihood = Likelihood(model, counted(model, [count]))
    edge = -0.3
    points = [np.array([edge - distance]) for distance in (0.0, 1e-9, 1e-6, 1e-3, 1.0)]
    values = [likelihood.nll(point) for point in points]
    assert all(math.isfinite(value) for value in values)
    assert np.all(np.diff(values[1:]) > 0.0)
    assert all(likelihood.gradient(point)[0] < 0.0 for point in points[1:])
    assert all(list(likelihood.below_floor(point)) == [0] for point in points[1:])
    assert not len(likelihood.below_floor(np.array([edge + 1e-6])))


def test_data_of_another_model_are_refused(model: FlatModel, small_model: FlatModel) -> None:
    with pytest.raises(InputError, match=r"shapes \(\(14,\), \(20,\)\), the model has \(\(105,\), \(111,\)\)"):
        Likelihood(model, asimov(small_model))
    data = asimov(model)
    with pytest.raises(InputError, match="the model has"):
        Likelihood(model, replace(data, auxiliary=data.auxiliary[:-1]))
