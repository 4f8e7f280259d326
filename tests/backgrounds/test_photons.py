"""γγ, γ+jet and jet+jet: closure on pairs whose origin is known, and samples that cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench import generate_fakes as fakes
from bench.nonprompt_runs import Run
from gpuhiggs import backgrounds
from gpuhiggs.backgrounds import photons
from gpuhiggs.backgrounds.cells import Cells
from gpuhiggs.backgrounds.photons import Chances
from gpuhiggs.errors import InputError

from .conftest import emptied

PUT_IN = {"gamma_gamma": 30_000, "gamma_jet": 12_000, "jet_gamma": 6_000, "jet_jet": 4_000}
KINDS = ((True, True), (True, False), (False, True), (False, False))


@pytest.fixture(scope="module")
def sample(run: Callable[..., Run]) -> Run:
    data = [
        fakes.photon_pair_fakes(n, genuine, seed)
        for seed, (n, genuine) in enumerate(zip(PUT_IN.values(), KINDS, strict=True))
    ]
    simulation = {"diphoton": (fakes.photon_pair_fakes(60_000, (True, True), 9), 0.5)}
    nonprompt = {"process": "jets", "prompt": ["diphoton"], "systematic": 0.03}
    return run("cms-hgg-run2-ul", "EGamma", data, simulation, nonprompt=nonprompt, unblind=True)


def shares(run: Run) -> dict[str, tuple[float, float]]:
    estimate = backgrounds.estimate(run.config, run.tally)
    assert estimate is not None
    assert estimate.templates == {}
    return {origin: (n["share"], n["share_error"]) for origin, n in estimate.summary["pairs"].items()}


def test_closure(sample: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the stated error; not so where the rate of jets is scaled by 1.5."""
    total = sum(PUT_IN.values())
    found = shares(sample)
    for origin, n in PUT_IN.items():
        value, error = found[origin]
        assert abs(value - n / total) < 3 * error, origin  # pairs pass the selection alike, whatever they are
        assert error < 0.05
    chances = photons.chances

    def scaled(*arguments: Any) -> Chances:
        measured = chances(*arguments)
        return measured._replace(value=1.5 * measured.value) if "jets" in arguments[2] else measured

    monkeypatch.setattr(photons, "chances", scaled)
    value, error = shares(sample)["gamma_gamma"]
    assert abs(value - PUT_IN["gamma_gamma"] / total) > 3 * error


def test_chances_are_those_that_were_put_in(sample: Run) -> None:
    estimate = backgrounds.estimate(sample.config, sample.tally)
    assert estimate is not None
    for name, values in (("photon_efficiency", (0.8, 0.7)), ("jet_rate", (0.25, 0.35))):
        for place, value in zip(("barrel", "endcap"), values, strict=True):
            found = estimate.summary[name][place]
            assert abs(found["value"] - value) < 4 * found["error"], (name, place)


def test_blind_bins_are_left_out(sample: Run) -> None:
    blind = Run(sample.config.model_copy(update={"unblind": False}), sample.tally)
    seen, shown = (backgrounds.estimate(one.config, one.tally) for one in (sample, blind))
    assert seen is not None
    assert shown is not None
    all_pairs, outside = (sum(n["value"] for n in one.summary["pairs"].values()) for one in (seen, shown))
    assert 0.5 * all_pairs < outside < 0.85 * all_pairs


def test_one_pair_of_each_class() -> None:
    """With chances of 1 and 0 a loose photon is a jet."""
    certain = Chances(np.ones(2), np.zeros(2)), Chances(np.zeros(2), np.zeros(2))
    counts = np.arange(16.0).reshape(2, 2, 2, 2, 1)
    found = photons.solve(Cells(counts, counts), *certain).value[:, 0]
    assert found.tolist() == [counts[:, i, :, j].sum() for i in range(2) for j in range(2)]


def test_photons_and_jets_that_are_alike() -> None:
    alike = Chances(np.full(2, 0.6), np.zeros(2))
    with pytest.raises(InputError, match="cannot be told apart"):
        photons.solve(Cells(*(np.ones((2, 2, 2, 2, 1)),) * 2), alike, Chances(np.full(2, 0.55), np.zeros(2)))


def test_no_data(sample: Run) -> None:
    with pytest.raises(InputError, match="no pair of photons in data"):
        backgrounds.estimate(sample.config, emptied(sample, ("m_gg_by_class",)))
    with pytest.raises(InputError, match="photons in the barrel cannot be measured"):
        photons.chances(*(Cells(np.zeros(2), np.zeros(2)),) * 2, "photons")
