"""Declarations of variations that are refused, and values that no correction has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpuhiggs.config import RunConfig
from gpuhiggs.engine import processing
from gpuhiggs.errors import ConfigError, InputError, RunError
from gpuhiggs.kernels import four_lepton
from gpuhiggs.report import process
from tests.variations.declared import (
    SHIFTS,
    N,
    prepared,
    scale_factors,
)


def test_what_is_in_no_bin_is_refused(tmp_path: Path, columns: four_lepton.Inputs) -> None:
    """Muons above the last bin of a binning with ``flow: error``."""
    declared = scale_factors(tmp_path / "sf.json")
    (tmp_path / "sf.json").write_text((tmp_path / "sf.json").read_text().replace('"clamp"', '"error"'))
    made = prepared({"weights": {"muon_id": {"object": "muon", "correction": declared}}})
    with pytest.raises(RunError, match=r"events: variations: 0 shifts and \d+ weights of objects are in no bin"):
        processing.run_kernel(made, columns, N)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"shifts": {"a": {"object": "muon", "size": 0.0}}}, "up and down are equal"),
    ({"shifts": {"a": {"object": "tau", "size": 0.1}}}, "unknown object 'tau'; known: muon, electron"),
    (
        {"shifts": {"a": {"object": "photon", "size": 0.1}}},
        "variations.shifts.a: the channel moves no photon; it moves",
    ),
    ({"shifts": {"a": {"object": "muon"}}}, "give one of size, correction, branches"),
    ({"shifts": {"a b": {"object": "muon", "size": 0.1}}}, "cannot be named 'a b'"),
    (
        {"shifts": {"a": {"object": "muon", "size": 0.1}}, "weights": {"a": {"branches": {"up": "u", "down": "d"}}}},
        "variations named twice: a",
    ),
    ({"weights": {"a": {"branches": {"up": "w", "down": "w"}}}}, "up and down are equal: w"),
    ({"weights": {"a": {"branches": {"up": "w[x]", "down": "w"}}}}, "expected a branch, or BRANCH[k], got 'w[x]'"),
    ({"weights": {"a": {"object": "jet", "correction": {"variation": {}}}}}, "scale factors of jets are steps"),
    ({"weigths": {}}, "unknown key 'weigths' in variations; known: shifts, weights, sets"),
    (
        {"sets": {"a": {"branch": "w", "members": "1-600", "combine": "hessian", "sums": None}}},
        "600 variations of the weight, at most 512",
    ),
    ({"sets": {"a": {"branch": "w", "members": [1, 1], "combine": "hessian", "sums": None}}}, "members named twice: 1"),
    ({"histograms": ["m5l"], "shifts": SHIFTS}, "variations.histograms: unknown 'm5l'"),
]


@pytest.mark.parametrize(("declared", "message"), WRONG)
def test_wrong_declarations(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        prepared(declared)
    assert message in str(error.value)


def test_a_payload_that_cannot_be_used_leaves_no_folder(
    four_muon_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    """It is known before the first file is opened."""
    declared = scale_factors(tmp_path / "sf.json")
    text = (tmp_path / "sf.json").read_text()
    (tmp_path / "sf.json").write_text(text.replace('"binning"', '"spline"'))
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "files": ["mc.root"], "cross_section": None}
    loaded = four_muon_config(dataset, variations={"weights": {"a": {"object": "muon", "correction": declared}}})
    with pytest.raises(InputError, match="unknown nodetype 'spline'"):
        process.run(loaded, tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()
