"""Z+X: closure of both methods on events whose fakes are known, and what becomes of regions that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench import generate_fakes as fakes
from bench import nonprompt_runs as runs
from bench.nonprompt_runs import Run
from gpuhiggs import backgrounds, config
from gpuhiggs.backgrounds import four_lepton, zx
from gpuhiggs.backgrounds.cells import Cells, Region
from gpuhiggs.backgrounds.rates import measure
from gpuhiggs.engine.tally import Tally
from gpuhiggs.errors import ConfigError, InputError
from gpuhiggs.histogram import Counts, Wide

from .conftest import emptied, total

SELECTION, PRIMARY = "cms-hzz4l-run2-ul", "EGamma"
NONPROMPT = {"process": "ZX", "prompt": ["ZZ"], "electroweak": ["WZ"], "systematic": 0.05}


@pytest.fixture(scope="module")
def simulation() -> dict[str, Any]:
    """Prompt simulation, of five times the data's events."""
    return {
        "WZ": (fakes.four_lepton_fakes(50_000, fakes.WZ, 5), 0.2),
        "ZZ": (fakes.four_lepton_fakes(50_000, fakes.ZZ, 6), 0.2),
    }


@pytest.fixture(scope="module")
def only_fakes() -> list[Any]:
    return runs.zx_fakes()


@pytest.fixture(scope="module")
def sample(run: Callable[..., Run], simulation: dict[str, Any], only_fakes: list[Any]) -> Run:
    """Data of which the part with fakes is known."""
    genuine = [fakes.four_lepton_fakes(10_000, fakes.WZ, 3), fakes.four_lepton_fakes(10_000, fakes.ZZ, 4)]
    return run(SELECTION, PRIMARY, [*only_fakes, *genuine], simulation, nonprompt=NONPROMPT)


@pytest.fixture(scope="module")
def truth(run: Callable[..., Run], only_fakes: list[Any]) -> np.ndarray:
    """Events with fakes in the signal region: by category and final state."""
    found = run(SELECTION, PRIMARY, only_fakes, {}, unblind=True)
    return np.asarray(total(found.tally.counts, "data", "m4l").reshape(7, 3, -1))


def chi2(value: np.ndarray, error: np.ndarray, truth: np.ndarray) -> float:
    """Return the χ² of predictions, with their errors and the fluctuation of what they are compared with."""
    return float(((value - truth) ** 2 / (error**2 + truth)).sum())


CHI2_OF_THREE = 11.34
"""Exceeded once in a hundred times."""


@pytest.mark.parametrize("method", ["opposite-sign", "same-sign", "combined"])
def test_closure(sample: Run, truth: np.ndarray, method: str) -> None:
    """Within the stated error; not so where the rates are scaled by 1.5."""
    nonprompt = sample.config.nonprompt
    assert nonprompt is not None
    believed = nonprompt.model_copy(update={"method": method})
    found = zx.measure(sample.config, believed, sample.tally)
    expected = truth.sum(axis=(0, 2))

    def yields(scale: float) -> zx.Yields:
        scaled = found.rates.scaled(scale)
        both = four_lepton.opposite_sign(found.regions, scaled), four_lepton.same_sign(found.regions, scaled)
        return zx.believed(*both, believed)

    right, wrong = yields(1.0), yields(1.5)
    assert chi2(right.value, right.error, expected) < CHI2_OF_THREE, right
    assert np.all(right.error / right.value < 0.2), "an error that says nothing proves nothing"
    assert chi2(wrong.value, wrong.error, expected) > CHI2_OF_THREE, wrong


def test_rates_are_those_that_were_put_in(sample: Run) -> None:
    assert sample.config.nonprompt is not None
    found = zx.measure(sample.config, sample.config.nonprompt, sample.tally)
    middle = np.array([8.0, 15.0, 25.0, 40.0, 65.0])  # of the bins of pt
    for flavour, kind in enumerate((13, 11)):
        for region, eta in enumerate((0.5, 2.0)):
            put_in = fakes.rate(np.full(5, kind), middle, np.full(5, eta))
            cells = slice(5 * region, 5 * region + 5)
            deviations = (found.rates.value[flavour, cells] - put_in) / found.rates.error[flavour, cells]
            assert np.all(abs(deviations) < 3.5), (kind, eta)
    assert found.rates.notes == ()


def test_shape_and_categories_of_the_template(sample: Run, truth: np.ndarray) -> None:
    estimate = backgrounds.estimate(sample.config, sample.tally)
    assert estimate is not None
    template = estimate.templates["m4l"]
    value, variance = (np.asarray(x)[:21] for x in (template.values(flow=True), template.variances(flow=True)))
    merged = value.sum(axis=0), variance.sum(axis=0)
    seen = truth.sum(axis=(0, 1))
    filled = seen > 5
    assert filled.sum() > 20
    distance = ((merged[0] - seen)[filled] ** 2 / (merged[1] + seen)[filled]).sum()
    assert distance < 1.7 * filled.sum()
    by_category, of_truth = value.reshape(7, 3, -1).sum(axis=(1, 2)), truth.sum(axis=(1, 2))
    assert np.all(abs(by_category - of_truth) < 4 * np.sqrt(of_truth) + 0.2 * of_truth + 1e-9)
    assert {one.parameter for one in estimate.uncertainties} == {"ZX_4mu", "ZX_4e", "ZX_2e2mu"}
    assert set(estimate.control) == {"m4l_3P1F", "m4l_2P2F", "m4l_SS", "m4l_SS_2F"}


# --- the fit -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def injected(only_fakes: list[Any]) -> Run:
    """Data of fakes alone; signal and background are put into m4l by hand."""
    return runs.zx_run(only_fakes)


def test_strength_is_unbiased_with_the_method_and_biased_without(injected: Run) -> None:
    """At the expectation of everything: what is left is the bias of the method."""
    right, wrong = (runs.zx_fit(injected, None, with_fakes=method)["mu"] for method in (True, False))
    assert abs(right.value - 1.0) < 0.1 * right.error, right
    assert wrong.value - 1.0 > 0.5 * wrong.error, wrong


# --- regions that say nothing --------------------------------------------------------------------------------------


def cells(*values: float) -> Cells:
    array = np.array(values, dtype=float)
    return Cells(array, abs(array))


EDGES = np.array([5.0, 20.0, 80.0])


def rates_of(selected: list[float], failing: list[float]) -> Any:
    """Measure rates of one flavour in two regions of two bins."""
    first, second = (Cells(*(x.reshape(1, 2, 2) for x in cells(*values))) for values in (selected, failing))
    return measure(first, second, ("muon",), EDGES)


def test_a_bin_without_failing_objects_takes_its_region() -> None:
    found = rates_of([10, 3, 20, 10], [90, 0, 80, 90])
    assert found.value[0] == pytest.approx([0.1, 13 / 103, 0.2, 0.1])
    assert found.notes == ("muon inner 20-80 GeV: no failing objects; the rate is that of its region of |η|",)
    whole = rates_of([10, 3, 0, 0], [90, 100, 0, 0])
    assert whole.value[0, 2:] == pytest.approx([13 / 203] * 2)
    assert "all of its flavour" in whole.notes[0]


def test_a_bin_without_selected_objects_has_an_error() -> None:
    found = rates_of([0, 10, 10, 10], [100, 90, 90, 90])
    assert found.value[0, 0] == 0.0
    assert found.error[0, 0] == pytest.approx(1.15 / 100)


def test_a_negative_rate_is_zero_and_said() -> None:
    found = rates_of([-4, 10, 10, 10], [100, 90, 90, 90])
    assert found.value[0, 0] == 0.0
    assert found.error[0, 0] == pytest.approx(4 / 96)
    assert "taken as 0" in found.notes[0]


def test_a_flavour_without_any_object_is_an_error() -> None:
    with pytest.raises(InputError, match="no rate of muons can be measured: 0 are selected and 0 fail"):
        rates_of([0, 0, 0, 0], [0, 0, 0, 0])


def test_empty_control_regions(sample: Run) -> None:
    with pytest.raises(InputError, match="hold no data at all"):
        backgrounds.estimate(sample.config, emptied(sample, ("loose_m4l",)))
    with pytest.raises(InputError, match="no rate of muons"):
        backgrounds.estimate(sample.config, emptied(sample, ("probe_pt",)))


def test_a_yield_below_zero_is_an_error(sample: Run) -> None:
    """Prompt simulation scaled up: more is subtracted than data have."""
    datasets = tuple(
        d if d.kind == "data" else d.model_copy(update={"cross_section": 60 * (d.cross_section or 0.0)})
        for d in sample.config.datasets
    )
    with pytest.raises(InputError, match=r"too much prompt simulation is subtracted|no rate of"):
        backgrounds.estimate(sample.config.model_copy(update={"datasets": datasets}), sample.tally)


def test_same_sign_without_pairs_has_no_weight(sample: Run) -> None:
    assert sample.config.nonprompt is not None
    found = zx.measure(sample.config, sample.config.nonprompt, sample.tally)
    nothing = Region(*(Cells(0 * part.value, 0 * part.variance) for part in found.regions["SS 2F"]))
    regions = found.regions | {"SS 2F": nothing}
    opposite, same = (m(regions, found.rates) for m in (four_lepton.opposite_sign, four_lepton.same_sign))
    both = zx.believed(opposite, same, sample.config.nonprompt)
    alone = zx.believed(opposite, same, sample.config.nonprompt.model_copy(update={"method": "opposite-sign"}))
    assert both.value == pytest.approx(alone.value)
    with pytest.raises(InputError, match="no pairs of failing leptons in 4mu, 4e"):
        zx.believed(opposite, same, sample.config.nonprompt.model_copy(update={"method": "same-sign"}))


def test_shape_of_the_same_sign_method_where_the_other_has_none(sample: Run) -> None:
    """Without 3P1F the opposite-sign method is negative everywhere."""
    assert sample.config.nonprompt is not None
    nonprompt = sample.config.nonprompt.model_copy(update={"method": "same-sign"})
    sums = dict(sample.tally.counts.sums)
    for name in ("loose_m4l/sumw", "loose_production/sumw"):
        for dataset in ("data", "ZZ"):
            high, low = (part.copy() for part in sums[dataset, name])
            high[:4], low[:4] = 0, 0
            sums[dataset, name] = Wide(high, low)
    tally = Tally()
    tally.restore(sample.tally.complete, Counts(sums))
    estimate = backgrounds.estimate(sample.config.model_copy(update={"nonprompt": nonprompt}), tally)
    assert estimate is not None
    assert all(found["value"] < 0 for found in estimate.summary["opposite_sign"].values())
    total = sum(found["value"] for found in estimate.summary["yields"].values())
    assert np.asarray(estimate.templates["m4l"].values(flow=True)).sum() == pytest.approx(total)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": ["WW"]}, "no simulation of WW; there is WZ, ZZ"),
        ({"prompt": ["data"]}, "no simulation of data"),
        ({"process": "ZZ"}, "ZZ is a process of simulation already"),
    ],
)
def test_configuration_that_does_not_fit(sample: Run, changes: dict[str, Any], message: str) -> None:
    assert sample.config.nonprompt is not None
    nonprompt = sample.config.nonprompt.model_copy(update=changes)
    with pytest.raises(ConfigError, match=message):
        backgrounds.check(sample.config.model_copy(update={"nonprompt": nonprompt}))


def test_channel_without_a_method(run: Callable[..., Run]) -> None:
    simulated = {"name": "a", "process": "a", "kind": "simulation", "files": ["a"], "cross_section": None}
    raw = {"selection": config.shipped_selection("atlas-hzz4l-open-data-2020"), "datasets": [simulated]}
    loaded = config.validate(config.RunConfig, raw | {"lumi_mask": None, "nonprompt": NONPROMPT}, "test")
    with pytest.raises(ConfigError, match="no method for the channel four_lepton_atlas; known: four_lepton"):
        backgrounds.check(loaded)
