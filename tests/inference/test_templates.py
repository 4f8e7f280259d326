from __future__ import annotations

from typing import Any

import hist
import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    HistoSys,
    Lumi,
    Luminosity,
    Normalisation,
    NormFactor,
    NormSys,
    StatError,
    Workspace,
    build_workspace,
    flatten,
)

EDGES = [100.0, 120.0, 130.0, 160.0]


def histogram(*values: float, variances: tuple[float, ...] | None = None, edges: list[float] = EDGES) -> hist.Hist[Any]:
    filled = hist.Hist(hist.axis.Variable(edges, name="m4l"), storage=hist.storage.Weight())
    filled[...] = np.stack([values, variances or 0.01 * np.abs(values)], axis=-1)
    return filled


def counts(*values: int) -> hist.Hist[Any]:
    filled = hist.Hist(hist.axis.Variable(EDGES), storage=hist.storage.Int64())
    filled[...] = values
    return filled


TEMPLATES = {
    "4mu": {"H": histogram(0.5, 4.0, 0.2, variances=(0.01, 0.04, 0.0025)), "ZZ": histogram(3.0, 2.0, 5.0)},
    "4e": {"H": histogram(0.2, 2.0, 0.1), "ZZ": histogram(1.0, 1.0, 2.0)},
}


def build(templates: Any = None, **options: Any) -> Workspace:
    return build_workspace(TEMPLATES if templates is None else templates, **{"signals": ["H"], **options})


def test_templates_become_samples_with_their_mc_errors() -> None:
    workspace = build(observed={"4mu": counts(3, 7, 4), "4e": counts(1, 2, 3)})
    assert [channel.name for channel in workspace.channels] == ["4mu", "4e"]
    channel = workspace.channels[0]
    assert channel.edges == tuple(EDGES)
    assert channel.observed == (3.0, 7.0, 4.0)
    signal, background = channel.samples
    assert signal.yields == (0.5, 4.0, 0.2)
    assert signal.modifiers == (
        NormFactor(parameter="mu"),
        StatError(parameter="staterror_4mu", errors=(0.1, 0.2, 0.05)),
    )
    assert not [modifier for modifier in background.modifiers if isinstance(modifier, NormFactor)]


def test_uncertainties_reach_the_samples_and_channels_that_they_name() -> None:
    workspace = build(
        normalisations=[
            Normalisation(parameter="theory_H", up=1.1, samples=("H",)),
            Normalisation(parameter="eff_e", up=1.05, down=0.93, channels=("4e",), interpolation="code1"),
        ],
        luminosity=Luminosity(uncertainty=0.016, samples=("ZZ",)),
        mc_statistics=False,
    )
    found = {(c.name, s.name): s.modifiers for c, s in workspace.blocks()}
    theory = NormSys(parameter="theory_H", up=1.1, down=1.0 / 1.1)
    eff = NormSys(parameter="eff_e", up=1.05, down=0.93, interpolation="code1")
    assert found["4mu", "H"] == (NormFactor(parameter="mu"), theory)
    assert found["4mu", "ZZ"] == (Lumi(),)
    assert found["4e", "H"] == (NormFactor(parameter="mu"), theory, eff)
    assert found["4e", "ZZ"] == (Lumi(), eff)
    assert {p.name for p in flatten(workspace).parameters} == {"mu", "theory_H", "eff_e", "lumi"}


def test_shapes_reach_the_templates_that_have_a_variation() -> None:
    sides = ({"4mu": {"H": histogram(0.4, 4.1, 0.3)}}, {"4mu": {"H": histogram(0.6, 3.9, 0.1)}})
    workspace = build(shapes={"scale": sides}, mc_statistics=False)
    shape = HistoSys(parameter="scale", up=(0.4, 4.1, 0.3), down=(0.6, 3.9, 0.1))
    assert workspace.channels[0].samples[0].modifiers == (NormFactor(parameter="mu"), shape)
    assert [m for _, s in workspace.blocks() for m in s.modifiers].count(shape) == 1


def changed(channel: str, sample: str, new: hist.Hist[Any]) -> dict[str, dict[str, hist.Hist[Any]]]:
    return {c: {s: new if (c, s) == (channel, sample) else h for s, h in each.items()} for c, each in TEMPLATES.items()}


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ({"4mu": {}}, r"channel '4mu': no samples"),
        (changed("4e", "ZZ", histogram(0.0, 0.0, 0.0)), r"channel '4e', sample 'ZZ': the template is empty"),
        (changed("4e", "ZZ", histogram(1.0, np.nan, 0.0)), r"channel '4e', sample 'ZZ', yields, bin 1: nan"),
        (changed("4e", "ZZ", histogram(1.0, -5.0, 0.0)), r"channel '4e', expected events of all samples, bin 1: -3.0"),
        (
            changed("4e", "ZZ", histogram(1, 2, 3, edges=[0, 1, 2, 3])),
            r"'ZZ': its axis is not the channel's, 3 bins from 100",
        ),
        (changed("4e", "ZZ", counts(1, 2, 3)), r"channel '4e', sample 'ZZ': storage Int64, expected Weight"),
        (
            changed("4e", "H", hist.Hist.new.Reg(2, 0, 1).Reg(2, 0, 1).Weight()),
            r"'H': a histogram with 2 axes, expected one",
        ),
    ],
)
def test_histograms_are_checked(templates: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build({**templates} if "4e" in templates else templates, **({} if "4e" in templates else {"signals": []}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"signals": ["ggH"]}, r"signals: unknown 'ggH'; known: 'H', 'ZZ'"),
        ({"signals": []}, r"parameter of interest 'mu'"),
        ({"normalisations": [Normalisation(parameter="x", up=1.1, samples=("Z",))]}, r"'x', samples: unknown 'Z'"),
        (
            {"normalisations": [Normalisation(parameter="x", up=1.1, channels=("2e2mu",))]},
            r"'x', channels: unknown '2e2mu'",
        ),
        ({"normalisations": [Normalisation(parameter="x", up=-0.1)]}, r"normsys 'x': up must be a positive factor"),
        ({"normalisations": [Normalisation(parameter="x", up=1.1, down=0.0)]}, r"normsys 'x': down must be a positive"),
        ({"luminosity": Luminosity(uncertainty=0.01, samples=("Z",))}, r"luminosity, samples: unknown 'Z'"),
        (
            {"shapes": {"jes": ({"4mu": {"H": histogram(1, 2, 3)}}, {})}},
            r"shape 'jes' .*'4mu', sample 'H': there is no down",
        ),
        ({"shapes": {"jes": ({"4l": {}}, {})}}, r"shape 'jes', channels: unknown '4l'"),
        ({"shapes": {"jes": ({"4mu": {"Z": histogram(1, 2, 3)}}, {})}}, r"shape 'jes', channel '4mu': unknown 'Z'"),
        ({"observed": {"4mu": counts(1, 2, 3)}}, r"observed channels: unknown '4e'"),
        ({"observed": {"4mu": counts(1, 2, 3), "4e": counts(1, 2, -3)}}, r"channel '4e', observed events, bin 2: -3.0"),
    ],
)
def test_descriptions_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(**options)
