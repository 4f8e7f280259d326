"""Fixtures that every test may use.

``GPUHIGGS_SHARED`` names a folder with real event files, correction files and statistical problems; where it is unset,
a folder ``shared`` beside the checkout is taken, and tests that need it are skipped where there is none.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs import config
from gpuhiggs.config import RunConfig

_BESIDE = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real files, or a skip that says why."""
    folder = Path(os.environ.get("GPUHIGGS_SHARED", _BESIDE))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real files: {folder / 'data'} is absent; set GPUHIGGS_SHARED")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile kernels once a checkout, not into the user's own cache."""
    os.environ.setdefault("GPUHIGGS_CACHE", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "gpuhiggs"))


Branches = dict[str, Any]
"""NumPy arrays by branch, or Awkward records by collection."""


def _four_muon_events(n: int, seed: int = 0) -> Branches:
    """Events with a Z1 and a Z2 of two muons each, every fourth of them with one muon missing: NanoAOD's branches."""
    random = np.random.default_rng(seed)
    pt = np.repeat(random.uniform((35, 12), (55, 18), (n, 2)), 2, axis=1)
    phi = np.repeat(random.uniform((-3, -1.5), (-2, -0.5), (n, 2)), 2, axis=1) + np.pi * np.array([0, 1, 0, 1])
    columns = {"pt": pt, "phi": phi, "eta": random.uniform(-0.3, 0.3, (n, 4)), "mass": np.full((n, 4), 0.10566)}
    columns |= {name: np.zeros((n, 4)) for name in ("dxy", "dz", "sip3d", "pfRelIso03_all")}
    kept = np.full(n, 4)
    kept[3::4] = 3

    def jagged(values: np.ndarray) -> ak.Array:
        return ak.unflatten(values[np.arange(4) < kept[:, None]], kept)

    muons = {name: jagged(values.astype(np.float32)) for name, values in columns.items()}
    muons["charge"] = jagged(np.tile(np.array([1, -1, 1, -1], np.int32), (n, 1)))
    muons |= {name: jagged(np.ones((n, 4), np.bool_)) for name in ("isGlobal", "isTracker", "isPFcand")}
    muons |= {name: jagged(np.ones((n, 4), np.uint8)) for name in ("nStations", "highPtId")}
    electrons = ("pt", "eta", "phi", "mass", "dxy", "dz", "sip3d", "deltaEtaSC", "mvaFall17V2Iso")
    return {
        "run": np.full(n, 1, np.uint32),
        "luminosityBlock": 1 + np.arange(n, dtype=np.uint32),
        "genWeight": np.ones(n, np.float32),
        "MET_pt": random.uniform(0, 150, n).astype(np.float32),
        "MET_phi": random.uniform(-3, 3, n).astype(np.float32),
        "HLT_A": np.ones(n, np.bool_),
        "HLT_B": np.ones(n, np.bool_),
        "Flag_good": np.ones(n, np.bool_),
        "Muon": ak.zip(muons),
        "Electron": _empty(n, electrons, ("charge",)),
        "FsrPhoton": _empty(n, ("pt", "eta", "phi", "relIso03"), ()),
        "Jet": _empty(n, ("pt", "eta", "phi", "mass", "btagDeepFlavB"), ("jetId", "puId")),
    }


def _empty(n: int, floats: Sequence[str], integers: Sequence[str]) -> ak.Array:
    """Collections without objects in *n* events."""
    types = dict.fromkeys(floats, np.float32) | dict.fromkeys(integers, np.int32)
    return ak.zip({name: ak.unflatten(np.zeros(0, kind), np.zeros(n, np.int64)) for name, kind in types.items()})


def _write_nanoaod(
    path: Path,
    *parts: Branches,
    tree: str = "Events",
    runs: Mapping[str, Any] | None = None,
    sections: Mapping[str, Any] | None = None,
) -> Path:
    """Write a file as NanoAOD has it; each part becomes a basket of every branch."""
    with uproot.recreate(path) as file:
        types = {name: ak.Array(values).type.content for name, values in parts[0].items()}
        events = file.mktree(tree, types)
        for part in parts:
            if len(next(iter(part.values()))):
                events.extend(part)
        if runs is not None:
            sums = {name: np.asarray(values, np.float64) for name, values in runs.items()}
            file.mktree("Runs", {name: values.dtype for name, values in sums.items()}).extend(sums)
        if sections is not None:
            pairs = {name: np.asarray(values, np.uint32) for name, values in sections.items()}
            file.mktree("LuminosityBlocks", {name: values.dtype for name, values in pairs.items()}).extend(pairs)
    return path


@pytest.fixture(scope="session")
def four_muon_events() -> Callable[..., Branches]:
    """A function from a number of events and a seed to the branches of four-muon events."""
    return _four_muon_events


@pytest.fixture(scope="session")
def write_nanoaod() -> Callable[..., Path]:
    """A function that writes branches to a file, with the trees ``Runs`` and ``LuminosityBlocks`` if they are given."""
    return _write_nanoaod


@functools.cache
def _cms_selection() -> dict[str, Any]:
    return config.shipped_selection("cms-hzz4l-run2-ul")


def _four_muon_config(*datasets: Mapping[str, Any], **settings: Any) -> RunConfig:
    """A configuration of the CMS channel for files of four-muon events, with two primary datasets of one path each."""
    selection = _cms_selection() | {"triggers": {"First": ["HLT_A"], "Second": ["HLT_B"]}, "filters": ["Flag_good"]}
    selection |= settings.pop("selection", {})
    fixed = {"lumi_mask": None, "unblind": True, "execution": {"back_off": 0.0}}
    return config.validate(RunConfig, {"selection": selection, "datasets": list(datasets), **fixed, **settings}, "test")


@pytest.fixture(scope="session")
def four_muon_config() -> Callable[..., RunConfig]:
    """A function from datasets and other settings to a configuration that processes four-muon events."""
    return _four_muon_config


@pytest.fixture(scope="session")
def damage_second_basket() -> Callable[[Path, str], None]:
    """A function that overwrites half of a branch's second basket with zeros."""

    def damage(path: Path, branch: str) -> None:
        with uproot.open(path) as file:
            start = file["Events"][branch].member("fBasketSeek")[1]
            length = file["Events"][branch].member("fBasketBytes")[1]
        content = bytearray(path.read_bytes())
        content[start + length // 2 : start + length] = bytes(length - length // 2)
        path.write_bytes(content)

    return damage
