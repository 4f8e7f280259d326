from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    HistoSys,
    NormFactor,
    NormSys,
    Sample,
    ShapeSys,
    StatError,
    Workspace,
    load_workspace,
)

MU = NormFactor(parameter="mu")


def channel(*modifiers: Any, yields: tuple[float, ...] = (1.0, 2.0), **other: Any) -> Channel:
    return Channel(name="4mu", samples=(Sample(name="H", yields=yields, modifiers=(MU, *modifiers)),), **other)


def test_json_comes_back_the_same(three_channels: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "workspace.json"
    path.write_text(three_channels.model_dump_json())
    assert load_workspace(path) == three_channels


@pytest.mark.parametrize(
    ("modifiers", "other", "words"),
    [
        ((), {"yields": (1.0, math.nan)}, r"channel '4mu', sample 'H', yields, bin 1: nan, expected a finite number"),
        ((), {"yields": (1.0, -2.0)}, r"expected events of all samples, bin 1: -2.0, expected a finite number >= 0"),
        ((), {"yields": ()}, r"no samples, or a first sample without bins"),
        ((), {"yields": (1.0, 0.0), "observed": (1.0, 3.0)}, r"bin 1: 3 events observed, but no sample expects any"),
        ((), {"observed": (1.0,)}, r"observed events: 1 values for 2 bins"),
        ((), {"observed": (1.0, -1.0)}, r"observed events, bin 1: -1.0"),
        ((), {"observed": (1.0, math.inf)}, r"observed events, bin 1: inf"),
        ((), {"edges": (0.0, 1.0)}, r"edges must rise and be 3 for 2 bins"),
        ((), {"edges": (0.0, 2.0, 1.0)}, r"edges must rise"),
        ((MU,), {}, r"modifier 'normfactor mu' is given 2 times"),
        ((NormSys(parameter="eff", up=0.0, down=1.0),), {}, r"normsys 'eff': up must be a positive factor.*: 0.0"),
        ((NormSys(parameter="eff", up=1.1, down=math.nan),), {}, r"normsys 'eff': down must be a positive factor"),
        ((HistoSys(parameter="jes", up=(1.0,), down=(1.0, 2.0)),), {}, r"histosys 'jes', up: 1 values for 2 bins"),
        ((StatError(parameter="stat", errors=(0.1, -0.1)),), {}, r"staterror 'stat', errors, bin 1: -0.1"),
    ],
)
def test_a_channel_refuses(modifiers: tuple[Any, ...], other: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        channel(*modifiers, **other)


def test_an_empty_bin_without_data_is_no_error() -> None:
    assert channel(yields=(1.0, 0.0), observed=(2.0, 0.0)).n_bins == 2


def test_a_poi_that_nothing_depends_on_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"parameter of interest 'kappa'; normfactors of samples with events: \['mu'\]"
    ):
        Workspace(poi="kappa", channels=(channel(),))
    empty = Channel(
        name="4e",
        samples=(Sample(name="H", yields=(0.0,), modifiers=(MU,)), Sample(name="ZZ", yields=(1.0,))),
    )
    with pytest.raises(InputError, match=r"parameter of interest 'mu'; normfactors of samples with events: \[\]"):
        Workspace(poi="mu", channels=(empty,))


def test_names_are_given_once() -> None:
    with pytest.raises(InputError, match=r"channel '4mu' is given 2 times"):
        Workspace(poi="mu", channels=(channel(), channel()))
    stat = StatError(parameter="stat", errors=(0.1, 0.1))
    other = channel(stat).model_copy(update={"name": "4e"})
    with pytest.raises(InputError, match=r"per-bin factors are of one channel.*'stat' is given 2 times"):
        Workspace(poi="mu", channels=(channel(stat), other))
    shape = ShapeSys(parameter="shape", errors=(0.1, 0.1))
    samples = tuple(Sample(name=name, yields=(1.0, 1.0), modifiers=(MU, shape)) for name in ("H", "ZZ"))
    with pytest.raises(InputError, match=r"'shape' is given 2 times"):
        Workspace(poi="mu", channels=(Channel(name="4mu", samples=samples),))


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="yelds"):
        Sample(name="H", yields=(1.0,), yelds=(1.0,))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, r"workspace.json: cannot be read"),
        ("{", r"workspace.json: not a gpuhiggs workspace: .*Invalid JSON"),
        ('{"poi": "mu", "channels": [], "pio": 1}', r"channels: .*at least 1 item.*; pio: Extra inputs"),
        (
            '{"poi": "mu", "channels": [{"name": "4e", "samples": [{"name": "H", "yields": [null]}]}]}',
            r"channels\.0\.samples\.0\.yields\.0: Input should be a valid number",
        ),
        (
            '{"poi": "mu", "channels": [{"name": "4e", "samples": [{"name": "H", "yields": [-1]}]}]}',
            r"workspace.json: channel '4e', expected events of all samples, bin 0: -1",
        ),
    ],
)
def test_a_bad_file_is_named_with_the_place(text: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "workspace.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_workspace(path)
