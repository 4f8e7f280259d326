from __future__ import annotations

import json
from typing import Any

import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    NormFactor,
    NormSys,
    Sample,
    Workspace,
    from_pyhf,
    pyhf_settings,
    to_pyhf,
)


def spec(modifier: dict[str, Any] | None = None, *settings: dict[str, Any]) -> dict[str, Any]:
    modifiers = [{"name": "mu", "type": "normfactor", "data": None}, *([modifier] if modifier else [])]
    return {
        "channels": [{"name": "c", "samples": [{"name": "s", "data": [5.0], "modifiers": modifiers}]}],
        "observations": [{"name": "c", "data": [5.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": list(settings)}}],
        "version": "1.0.0",
    }


def test_a_workspace_comes_back_the_same(three_channels: Workspace) -> None:
    """But for the edges, which pyhf does not know, and the luminosity's range and start, which it wants."""
    back = from_pyhf(json.loads(json.dumps(to_pyhf(three_channels))))
    for ours, theirs in zip(three_channels.channels, back.channels, strict=True):
        assert ours.model_copy(update={"edges": None}) == theirs
    (lumi,) = back.parameters
    assert (lumi.name, lumi.center, lumi.width, lumi.initial) == ("lumi", 1.0, 0.016, 1.0)


def test_settings_go_both_ways() -> None:
    settings = {"name": "mu", "inits": [2.0], "bounds": [[0.0, 20.0]], "fixed": True}
    workspace = from_pyhf(spec(None, settings))
    assert workspace.parameters[0].bounds == (0.0, 20.0)
    assert to_pyhf(workspace, "m")["measurements"][0]["config"]["parameters"] == [settings]


def test_interpolation_codes_are_one_of_a_kind() -> None:
    norms = [NormSys(parameter=code, up=1.1, down=0.9, interpolation=code) for code in ("code1", "code4")]
    samples = [Sample(name="s", yields=(1.0,), modifiers=(NormFactor(parameter="mu"), *norms[:n])) for n in (0, 1, 2)]
    made = [Workspace(poi="mu", channels=(Channel(name="c", samples=(s,), observed=(1.0,)),)) for s in samples]
    assert pyhf_settings(made[0]) == {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    assert pyhf_settings(made[1])["normsys"] == {"interpcode": "code1"}
    with pytest.raises(InputError, match=r"interpolations \['code1', 'code4'\]: pyhf has one for all"):
        to_pyhf(made[2])


def test_a_workspace_without_counts_is_refused() -> None:
    samples = (Sample(name="s", yields=(1.0,), modifiers=(NormFactor(parameter="mu"),)),)
    with pytest.raises(InputError, match="channel 'c' has no observed counts, which a pyhf workspace must have"):
        to_pyhf(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            spec({"name": "f", "type": "shapefunction", "data": None}),
            r"channel 'c', modifier 'f': type 'shapefunction' is not",
        ),
        (
            spec({"name": "f", "type": "histosys", "data": {"hi_data": [6.0]}}),
            "channel 'c', sample 's': histosys 'f' has no lo_data; it needs both sides",
        ),
        (
            spec(None, {"name": "mu", "factors": [2.0]}),
            r"setting of parameter 'mu': factors = \[2.0\] is not known here",
        ),
        (
            spec(None, {"name": "mu", "inits": [2.0, 3.0]}),
            r"inits = \[2.0, 3.0\] is not known here, or not of 1 numbers",
        ),
        ({**spec(), "observations": []}, r"not a pyhf workspace: 'c' is missing"),
        ({k: v for k, v in spec().items() if k != "measurements"}, r"not a pyhf workspace: 'measurements' is missing"),
    ],
)
def test_what_is_not_understood_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_pyhf(changed)


def test_the_measurement_is_chosen_by_name() -> None:
    assert from_pyhf(spec(), "m").poi == "mu"
    with pytest.raises(InputError, match=r"no measurement 'n'; known: \['m'\]"):
        from_pyhf(spec(), "n")
