"""Closure, coverage and unfolding."""

from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    HistoSys,
    NormFactor,
    NormSys,
    ParameterSetting,
    Sample,
    Workspace,
    asimov,
    counted,
    flatten,
)
from gpuhiggs.inference.closure import Closure, closure
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.smoothing import Treatment, treat
from gpuhiggs.inference.unfolding import Response, unfold, unfolding_workspace


def assert_closes(found: Closure, n: int) -> None:
    assert found.n == n
    assert found.n_failed == 0
    assert abs(found.mean) < 0.07
    assert abs(found.width - 1.0) < 0.05
    assert abs(found.coverage - 0.683) < 0.03


def test_2000_toys_of_25_signal_events_close(model: FlatModel) -> None:
    assert_closes(closure(model, 2000, np.random.default_rng(7)), 2000)


@pytest.mark.nightly
@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
def test_20000_toys_close(model: FlatModel, small_model: FlatModel, mu: float) -> None:
    for chosen in (model, small_model):
        found = closure(chosen, 20_000, np.random.default_rng(11), truth={"mu": mu})
        assert_closes(found, 20_000)
        assert abs(found.bias) < 0.05


MATRIX = np.array([[80.0, 15.0, 0.0], [10.0, 60.0, 12.0], [0.0, 8.0, 40.0]])


def test_a_square_response_is_inverted() -> None:
    """As many strengths as bins: the best fit is the inverse of the response, errors propagate the Poissons'."""
    background, counts = np.array([30.0, 40.0, 20.0]), np.array([130.0, 118.0, 81.0])
    workspace = unfolding_workspace({"c": Response(MATRIX, {"b": background}, counts)}, ["0", "1", "2"])
    model = flatten(workspace)
    found = unfold(model, counted(model, counts), [10.0, 8.0, 5.0])
    strengths = np.linalg.solve(MATRIX.T, counts - background)
    np.testing.assert_allclose(found.values, strengths * [10.0, 8.0, 5.0], rtol=1e-5)
    inverse = np.linalg.inv(MATRIX.T)
    covariance = inverse @ np.diag(counts) @ inverse.T
    size = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found.correlation, covariance / np.outer(size, size), atol=1e-4)
    assert np.all(found.minus < 0.0)
    np.testing.assert_allclose((found.plus - found.minus) / 2.0, size * [10.0, 8.0, 5.0], rtol=0.02)
    with pytest.raises(InputError, match="generator bin 2: nothing of it is reconstructed"):
        unfolding_workspace({"c": Response(MATRIX * [[1], [1], [0]], {"b": background})}, ["0", "1", "2"])
    with pytest.raises(InputError, match="response of shape \\(3, 3\\), expected 2"):
        unfolding_workspace({"c": Response(MATRIX, {})}, ["0", "1"])


def test_an_unfolding_closes_with_two_channels_and_uncertainties() -> None:
    more = {
        "signal": [NormSys(parameter="lumi", up=1.02, down=1 / 1.02)],
        "b": [NormSys(parameter="b", up=1.1, down=0.9)],
    }
    responses = {
        name: Response(k * MATRIX, {"b": k * np.full(3, 50.0)}, None, more) for name, k in (("x", 1), ("y", 2))
    }
    model = flatten(unfolding_workspace(responses, ["0", "1", "2"]))
    found = unfold(model, asimov(model, {"mu_0": 1.2, "mu_2": 0.7}))
    np.testing.assert_allclose(found.values, [1.2, 1.0, 0.7], atol=1e-4)


def noisy() -> Workspace:
    nominal = np.full(20, 100.0)
    change = 0.05 * np.linspace(-1, 1, 20) + 0.02 * np.random.default_rng(1).normal(size=20)
    shape = HistoSys(parameter="a", up=tuple(nominal * (1 + change)), down=tuple(nominal * (1 - 0.5 * change)))
    tiny = HistoSys(parameter="t", up=tuple(nominal * 1.0001), down=tuple(nominal * 0.9999))
    small = NormSys(parameter="n", up=1.0005, down=0.9995)
    sample = Sample(name="s", yields=tuple(nominal), modifiers=(NormFactor(parameter="mu"), shape, tiny, small))
    settings = (ParameterSetting(name="t", bounds=(-5.0, 5.0)),)
    return Workspace(poi="mu", channels=(Channel(name="c", samples=(sample,)),), parameters=settings)


def test_templates_are_treated_and_it_is_said() -> None:
    workspace = noisy()
    same, nothing = treat(workspace, Treatment())
    assert same == workspace
    assert nothing == ()
    treatment = Treatment(symmetrise="mean", smooth=2, prune_norm=0.001, prune_shape=0.001)
    treated, report = treat(workspace, treatment)
    assert [(entry.parameter, entry.action) for entry in report] == [
        ("a", "symmetrised and smoothed"), ("t", "pruned"), ("n", "pruned"),
    ]  # fmt: skip
    (shape,) = [m for m in treated.channels[0].samples[0].modifiers if isinstance(m, HistoSys)]
    up, down = np.asarray(shape.up) / 100.0 - 1.0, np.asarray(shape.down) / 100.0 - 1.0
    np.testing.assert_allclose(up, -down, atol=1e-12)
    truth = 0.75 * 0.05 * np.linspace(-1, 1, 20)
    before = np.asarray(noisy().channels[0].samples[0].modifiers[1].up) / 100.0 - 1.0  # type: ignore[union-attr]
    assert np.abs(up - truth).mean() < np.abs(0.75 * before - truth).mean()
    assert flatten(treated).names == ("mu", "a")
