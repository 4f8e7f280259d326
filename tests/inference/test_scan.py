from __future__ import annotations

import json

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import FlatModel, Workspace, fit, observed, profile_scan


def test_a_scan_is_the_profile_around_the_best_fit(two_channels: Workspace, small_model: FlatModel) -> None:
    data = observed(small_model, two_channels)
    best = fit(small_model, data, minos=["mu"])
    mu = best.parameters["mu"]
    assert mu.minus is not None
    assert mu.plus is not None
    values = [mu.value + mu.minus, mu.value, mu.value + mu.plus]
    scan = profile_scan(small_model, data, "mu", values, best=best)
    np.testing.assert_allclose(scan.twice_nll, [1.0, 0.0, 1.0], atol=4e-3)  # MINOS' own tolerance
    assert all(scan.converged)
    alone = [2.0 * (fit(small_model, data, fixed={"mu": value}).nll - best.nll) for value in values]
    np.testing.assert_allclose(scan.twice_nll, alone, atol=1e-6)


def test_a_scan_holds_what_it_is_told_to(two_channels: Workspace, small_model: FlatModel) -> None:
    data = observed(small_model, two_channels)
    nuisances = {p.name: p.initial for p in small_model.parameters[1:]}
    values = np.linspace(0.2, 2.0, 5)
    profiled = profile_scan(small_model, data, "mu", values)
    frozen = profile_scan(small_model, data, "mu", values, fixed=nuisances)
    assert frozen.best.free == ("mu",)
    curvature = [np.polyfit(scan.values, scan.twice_nll, 2)[0] for scan in (profiled, frozen)]
    assert curvature[1] > curvature[0]  # without systematics the measurement is better


def test_json_form(two_channels: Workspace, small_model: FlatModel) -> None:
    scan = profile_scan(small_model, observed(small_model, two_channels), "mu", [0.5, 1.0])
    form = json.loads(json.dumps(scan.to_json()))
    assert form["parameter"] == "mu"
    assert form["values"] == [0.5, 1.0]
    assert len(form["twice_nll"]) == len(form["converged"]) == 2


@pytest.mark.parametrize("values", [[], [0.0, np.nan]])
def test_values_are_checked(two_channels: Workspace, small_model: FlatModel, values: list[float]) -> None:
    with pytest.raises(InputError, match=r"scan of 'mu': values .*expected at least one, all finite"):
        profile_scan(small_model, observed(small_model, two_channels), "mu", values)
