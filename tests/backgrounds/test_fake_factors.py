"""Fakes in the eμ channel: closure on events whose fakes are known, the same-sign region, and what is subtracted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench import generate_fakes as fakes
from bench import nonprompt_runs as runs
from bench.nonprompt_runs import Run
from gpuhiggs import backgrounds, measurement, normalisation
from gpuhiggs.backgrounds import cells, fake_factors
from gpuhiggs.backgrounds.cells import Cells
from gpuhiggs.backgrounds.rates import Rates
from gpuhiggs.engine.tally import Tally
from gpuhiggs.errors import ConfigError, InputError

from .conftest import emptied, total

SELECTION, PRIMARY = "cms-hww-run2-ul", "MuonEG"
NONPROMPT = {"process": "fakes", "prompt": ["WW"], "electroweak": ["W"], "systematic": 0.05}


@pytest.fixture(scope="module")
def only_fakes() -> list[Any]:
    return runs.ww_fakes()


@pytest.fixture(scope="module")
def sample(run: Callable[..., Run], only_fakes: list[Any]) -> Run:
    genuine = [fakes.lepton_pair_fakes(20_000, fakes.WW, 4), fakes.lepton_pair_fakes(40_000, fakes.W_AND_JET, 5)]
    simulation = {
        "WW": (fakes.lepton_pair_fakes(60_000, fakes.WW, 6), 1 / 3),
        "W": (fakes.lepton_pair_fakes(80_000, fakes.W_AND_JET, 7), 0.5),
    }
    return run(SELECTION, PRIMARY, [*only_fakes, *genuine], simulation, nonprompt=NONPROMPT)


@pytest.fixture(scope="module")
def truth(run: Callable[..., Run], only_fakes: list[Any]) -> np.ndarray:
    """m_ll of events with fakes in the regions of the channel: by category."""
    found = run(SELECTION, PRIMARY, only_fakes, {}, unblind=True)
    return np.asarray(total(found.tally.counts, "data", "m_ll"))


def predicted(sample: Run, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the yields of all categories and their errors, with the rates scaled."""
    nonprompt = sample.config.nonprompt
    assert nonprompt is not None
    factors, _ = fake_factors.measure(sample.config, nonprompt, sample.tally)
    spec = next(spec for spec in _regions(sample) if spec.name == "loose_m_ll")
    loose = cells.read(sample.config, nonprompt, sample.tally, spec, 11)
    found = fake_factors.predict(loose.fakes, factors.scaled(scale))
    value = found.events.value.sum(axis=1)
    variance = found.events.variance.sum(axis=1) + (found.by_flavour**2).sum(axis=0)
    return value, np.sqrt(variance + (0.05 * value) ** 2)


def _regions(sample: Run) -> Any:
    from gpuhiggs import channels

    return channels.find("dilepton").regions(sample.config.selection)


def test_closure(sample: Run, truth: np.ndarray) -> None:
    """Within the stated error; not so where the rates are scaled by 1.5."""
    seen = truth.sum(axis=1)
    filled = seen > 20
    assert filled.sum() >= 5

    def chi2(scale: float) -> float:
        value, error = predicted(sample, scale)
        return float(((value - seen)[filled] ** 2 / (error**2 + seen)[filled]).sum())

    assert chi2(1.0) < 2.2 * filled.sum()
    assert chi2(1.5) > 4 * filled.sum()


def test_rates_are_those_that_were_put_in(sample: Run) -> None:
    """With W bosons subtracted, whose leptons are tight."""
    assert sample.config.nonprompt is not None
    factors, _ = fake_factors.measure(sample.config, sample.config.nonprompt, sample.tally)
    for flavour, kind in enumerate((13, 11)):
        for region, eta in enumerate((0.5, 2.0)):
            put_in = fakes.fake_rate(np.full(3, kind), np.array([17.0, 25.0, 40.0]), np.full(3, eta))
            found = slice(4 * region + 1, 4 * region + 4)
            assert np.all(abs(factors.value[flavour, found] - put_in) < 3.5 * factors.error[flavour, found])
    untouched = sample.config.nonprompt.model_copy(update={"electroweak": ()})
    config = sample.config.model_copy(update={"nonprompt": untouched})
    biased, _ = fake_factors.measure(config, untouched, sample.tally)
    assert np.all(biased.value[:, 2] > factors.value[:, 2] + 3 * factors.error[:, 2]), "W bosons are in the region"


def test_templates_of_every_histogram(sample: Run, truth: np.ndarray) -> None:
    estimate = backgrounds.estimate(sample.config, sample.tally)
    assert estimate is not None
    assert set(estimate.templates) == {"m_ll", "m_t", "plane", "plane_coarse"}
    for template in estimate.templates.values():
        whole = np.asarray(template.values(flow=True))[:16].sum()
        assert whole == pytest.approx(truth.sum(), rel=0.1), template.name
    assert {one.parameter for one in estimate.uncertainties} == {"fakes_muon", "fakes_electron", "fakes_method"}
    assert abs(estimate.summary["same_sign"]["deviation"]) < 3
    assert estimate.notes == () or all("likes" not in note for note in estimate.notes)
    assert "W" in backgrounds.left_out(sample.config)


def test_same_sign_region_sees_wrong_rates(sample: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = fake_factors.measure

    def scaled(*arguments: Any) -> Any:
        found, edges = measure(*arguments)
        return found.scaled(1.5), edges

    monkeypatch.setattr(fake_factors, "measure", scaled)
    estimate = backgrounds.estimate(sample.config, sample.tally)
    assert estimate is not None
    assert estimate.summary["same_sign"]["deviation"] < -3
    assert any("pairs of like charges" in note for note in estimate.notes)


def test_one_event_of_each_kind() -> None:
    """Two cells a flavour, F = 1/4 and 1/9 (muon), 1 and 1/4 (electron)."""
    factors = Rates(np.array([[0.2, 0.1], [0.5, 0.2]]), np.zeros((2, 2)), ())
    events = np.zeros((1, 8, 1))
    for combination, weight in ((0, 1 / 4), (1, 1 / 9), (2, 1.0), (3, 1 / 4), (4, -1 / 4), (5, -1 / 16), (7, -1 / 36)):
        events[...] = 0.0
        events[0, combination, 0] = 1.0
        assert fake_factors.predict(Cells(events, events), factors).events.value[0, 0] == pytest.approx(weight)


def test_empty_regions(sample: Run) -> None:
    with pytest.raises(InputError, match="hold no data at all"):
        backgrounds.estimate(sample.config, emptied(sample, ("loose_",)))
    with pytest.raises(InputError, match="no rate of muons"):
        backgrounds.estimate(sample.config, emptied(sample, ("probe_pt",)))


def test_prescaled_triggers(sample: Run) -> None:
    """Simulation is scaled to the luminosity in which rates are measured."""
    assert sample.config.nonprompt is not None
    tenth = sample.config.nonprompt.model_copy(update={"measured_luminosity": 0.1})
    config = sample.config.model_copy(update={"nonprompt": tenth})
    spec = _regions(sample)[0]
    whole = cells.read_probes(sample.config, sample.config.nonprompt, sample.tally, spec)
    found = cells.read_probes(config, tenth, sample.tally, spec)
    assert found.prompt.value == pytest.approx(0.1 * whole.prompt.value)
    assert np.array_equal(found.data.value, whole.data.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"electroweak": ("Z",)}, "nonprompt.electroweak: no simulation of Z"),
        ({"electroweak": ("WW",)}, "WW is in prompt and in electroweak"),
        ({"measured_in": "data"}, "measured_in: data is no process of data beside which"),
    ],
)
def test_configuration_that_does_not_fit(sample: Run, changes: dict[str, Any], message: str) -> None:
    assert sample.config.nonprompt is not None
    nonprompt = sample.config.nonprompt.model_copy(update=changes)
    with pytest.raises(ConfigError, match=message):
        backgrounds.check(sample.config.model_copy(update={"nonprompt": nonprompt}))


def test_a_missing_dataset_is_named(sample: Run) -> None:
    tally = Tally()
    tally.restore([info for info in sample.tally.complete if info.dataset != "W"], sample.tally.counts)
    with pytest.raises(InputError, match="W could not be processed"):
        backgrounds.estimate(sample.config, tally)


# --- the fit -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def injected(only_fakes: list[Any]) -> Run:
    """Data of fakes alone; signal and background are put into m_ll by hand."""
    return runs.ww_run(only_fakes)


def test_strength_is_unbiased_with_the_method_and_biased_without(injected: Run) -> None:
    """At the expectation of everything; WW is what its control region says."""
    right, wrong = (runs.ww_fit(injected, None, with_fakes=method) for method in (True, False))
    assert abs(right["mu"].value - 1.0) < 0.1 * right["mu"].error, right["mu"]
    assert right["norm_WW"].value == pytest.approx(1.2, abs=0.02)
    assert abs(wrong["mu"].value - 1.0) > 0.5 * wrong["mu"].error, wrong["mu"]


def test_a_blind_run_is_fitted_in_its_control_regions(injected: Run) -> None:
    """The normalisation of WW is seen, the signal strength is not."""
    blind = injected.config.model_copy(update={"unblind": False})
    histograms = normalisation.histograms(blind, injected.tally)
    estimated = backgrounds.estimate(blind, injected.tally)
    assert estimated is not None
    by_process = histograms["m_ll"]
    for process, sr, ww in (("H", 20.0, 0.0), ("WW", 75.0, 800.0)):
        view: Any = by_process[process].view(flow=True)
        view.value[:], view.variance[:] = 0.0, 0.0
        view.value[0, 1:9], view.value[13, 9] = sr, ww
        view.variance[:16] = 1e-4 * view.value[:16]
    data: Any = by_process["data"].view(flow=True)
    assert np.isnan(data.value[0, 1:9]).all(), "the signal region is withheld"
    data.value[13, 9] += 960
    histograms["m_ll"] = {"fakes": estimated.templates["m_ll"], **by_process}
    found = measurement.measure(blind, histograms, None, estimated)
    assert set(found.parts) == {"expected", "control"}
    assert all(channel.observed is None for channel in found.workspace.channels)
    control = found.parts["control"].fit
    assert control.converged
    assert control.parameters["norm_WW"].value == pytest.approx(1.2, abs=0.3)
    assert "mu" not in control.parameters or control.parameters["mu"].value == 1.0
