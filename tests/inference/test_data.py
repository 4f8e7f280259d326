from __future__ import annotations

import math

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    FlatModel,
    NormFactor,
    Sample,
    ShapeSys,
    Workspace,
    asimov,
    batch,
    counted,
    draw_toys,
    flatten,
    observed,
)


def test_observed_counts_are_those_of_the_channels(three_channels: Workspace, model: FlatModel) -> None:
    data = observed(model, three_channels)
    for channel in three_channels.channels:
        np.testing.assert_array_equal(data.counts[model.channels[channel.name]], channel.observed)
    np.testing.assert_array_equal(data.auxiliary, model.constraints.nominal)


def test_a_channel_without_counts_is_named(three_channels: Workspace) -> None:
    channel = three_channels.channels[1].model_copy(update={"observed": None})
    workspace = three_channels.model_copy(update={"channels": (three_channels.channels[0], channel)})
    with pytest.raises(InputError, match="channel '4e' has no observed counts"):
        observed(flatten(workspace), workspace)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1.0], r"counts of shape \(1,\), expected \(14,\): 7 of '4mu', 7 of '2e2mu'"),
        ([1.0] * 13 + [math.nan], r"channel '2e2mu', bin 6: nan observed events, expected a finite number >= 0"),
        ([1.0] * 13 + [-1.0], r"channel '2e2mu', bin 6: -1.0 observed events"),
        ([1.0, 2.5] + [1.0] * 12, r"channel '4mu', bin 1: 2.5 observed events, expected an integer; .*integers=False"),
    ],
)
def test_counts_are_checked(small_model: FlatModel, counts: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        counted(small_model, counts)


def test_expected_events_are_taken_as_data_when_said_so(small_model: FlatModel) -> None:
    counts = np.full(14, 2.5)
    np.testing.assert_array_equal(counted(small_model, counts, integers=False).counts, counts)


def test_asimov_is_what_is_expected(small_model: FlatModel) -> None:
    data = asimov(small_model, {"mu": 0.5, "ZX": 1.0})
    expected = batch.expected(small_model, small_model.values({"mu": 0.5, "ZX": 1.0}))[0]
    np.testing.assert_array_equal(data.counts, expected)
    nuisances = [small_model.parameters[i].name for i in small_model.constraints.gaussian]
    assert dict(zip(nuisances, data.auxiliary, strict=True))["ZX"] == 1.0


def test_no_data_are_made_where_yields_are_negative(small_model: FlatModel) -> None:
    with pytest.raises(InputError, match=r"channel '4mu', bin 3: -.* events expected at these parameters"):
        asimov(small_model, {"mu": -5.0})


def test_toys_have_the_mean_and_variance_of_their_distributions() -> None:
    shape = ShapeSys(parameter="shape", errors=(0.5,))
    samples = (
        Sample(name="s", yields=(2.0,), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=(3.0,), modifiers=(shape,)),
    )
    model = flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))
    toys = draw_toys(model, 4000, np.random.default_rng(5), {"mu": 1.5, "shape[0]": 0.5})
    for values, mean in (([t.counts[0] for t in toys], 4.5), ([t.auxiliary[0] for t in toys], 18.0)):
        assert np.mean(values) == pytest.approx(mean, abs=4 * math.sqrt(mean / 4000))
        assert np.var(values) == pytest.approx(mean, rel=4 * math.sqrt(2.5 / 4000))
        np.testing.assert_array_equal(values, np.rint(values))


def test_auxiliary_measurements_fluctuate_around_the_parameters(small_model: FlatModel) -> None:
    toys = draw_toys(small_model, 2000, np.random.default_rng(6), {"ZX": 1.0})
    pulls = np.array([toy.auxiliary - small_model.constraints.nominal for toy in toys]) / small_model.constraints.width
    names = [small_model.parameters[i].name for i in small_model.constraints.gaussian]
    means = np.where(np.array(names) == "ZX", 1.0, 0.0)
    np.testing.assert_allclose(pulls.mean(axis=0), means, atol=4 / math.sqrt(2000))
    np.testing.assert_allclose(pulls.std(axis=0), 1.0, atol=4 / math.sqrt(4000))


def test_a_toy_does_not_depend_on_how_many_are_drawn(small_model: FlatModel) -> None:
    few, many = (draw_toys(small_model, n, np.random.default_rng(7)) for n in (2, 5))
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(one.auxiliary, other.auxiliary)
    assert not np.array_equal(many[0].counts, many[1].counts)
