"""The examples with systematic variations, as shipped, over real simulated events.

Corrections of muons, electrons, photons and pile-up are those of CMS; the files of jets, which are large, are replaced
by small ones of their shape, with their names.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs import config, engine, examples, normalisation
from gpuhiggs.config import RunConfig
from gpuhiggs.engine.tally import Tally

from . import payloads

FOLDER = Path(examples.__file__).parent
TAGS = ("lf", "hf", "lfstats1", "lfstats2", "hfstats1", "hfstats2", "cferr1", "cferr2")

LOOSE: dict[str, dict[str, dict[str, Any]]] = {
    "hgg": {},
    "hww": {
        "muon": {"iso_max": 100, "loose_iso_max": 100, "low_pt_dxy_max": 9, "high_pt_dxy_max": 9, "dz_max": 9},
        "electron": {"iso_max": 100, "barrel_dxy_max": 9, "endcap_dxy_max": 9, "barrel_dz_max": 9, "endcap_dz_max": 9},
        "event": {"leading_pt_min": 15, "pt_ll_min": 0, "met_min": 0},
        "region": {"m_t_min": 0, "m_t2_min": 0, "top_m_ll_min": 0},
    },
    "hzz4l": {
        "muon": {"iso_max": 1000, "sip3d_max": 1000, "dxy_max": 9, "dz_max": 9},
        "electron": {"sip3d_max": 1000, "dxy_max": 9, "dz_max": 9}
        | {f"bdt_{pt}_pt_{where}": -2 for pt in ("low", "high") for where in ("inner", "middle", "outer")},
        "zz": {"z_mass_min": 0, "z1_mass_min": 0, "z_mass_max": 1000, "m4l_min": 0, "m_ll_min": 0},
    },
}
"""What lets a few of a hundred events of another final state pass."""


@pytest.fixture(scope="module")
def pog(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that in which CMS publishes its corrections."""
    folder = tmp_path_factory.mktemp("POG")
    for part in ("JME/2018_UL", "BTV/2018_UL", "EGM/2018_UL", "MUO/2018_UL", "LUM/2018_UL"):
        (folder / part).mkdir(parents=True)
    kept = {"EGM": ("electron", "photon"), "MUO": ("muon_Z",), "LUM": ("puWeights",)}
    for part, names in kept.items():
        for name in names:
            content = (shared / "data" / "corrections" / "2018_UL" / f"{name}.json").read_bytes()
            (folder / part / "2018_UL" / f"{name}.json.gz").write_bytes(gzip.compress(content, 1))
    payloads.published_jets(folder / "JME")
    payloads.b_tag(folder / "BTV" / "2018_UL" / "btagging.json.gz", TAGS)
    return folder


def load(name: str, shared: Path, pog: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> RunConfig:
    """The example with its datasets replaced by one file that is signal."""
    monkeypatch.setenv("POG", str(pog))
    raw = config.read_yaml(FOLDER / f"cms-{name}-systematics.yaml")
    path = shared / "data" / "cms" / "ttH_HToGG_M125_2017_100ev.root"
    raw["datasets"] = [
        {"name": "H", "process": "ggH", "kind": "simulation", "cross_section": 1.0, "files": [str(path)]}
    ]
    raw["lumi_mask"] = None
    raw["overrides"] = {"triggers": {}, "filters": [], "cuts": LOOSE[name]}
    raw["variations"]["shifts"].pop("CMS_scale_met_2018", None)  # this file has no such PUPPI momentum
    for name in ("ps_isr", "ps_fsr"):  # of 2017 before its ultra-legacy simulation: no weights of the shower
        raw["variations"]["weights"].pop(name)
    raw["variations"]["sets"]["pdf"] |= {"members": "1-30"}
    return config.build(raw, folder / "run.yaml")


def templates(made: RunConfig, tally: Tally, histogram: str) -> dict[str, np.ndarray]:
    found: Any = normalisation.varied(made, tally)[histogram]["ggH"]
    return dict(zip(found.axes["variation"], found.values(flow=True), strict=True))


@pytest.mark.parametrize(
    ("name", "histogram"), [("hgg", "m_gg"), ("hww", "m_ll"), ("hzz4l", "m4l")], ids=["hgg", "hww", "hzz4l"]
)
def test_over_real_events(
    name: str, histogram: str, shared: Path, pog: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = load(name, shared, pog, monkeypatch, tmp_path)
    tally = engine.run(made)
    assert not tally.failures
    digest = tally.counts.digest()
    assert engine.run(made.model_copy(update={"chunk_size": 30})).counts.digest() == digest
    found = templates(made, tally, histogram)
    nominal = found.pop("nominal")
    assert nominal.any()
    same = {variation for variation, one in found.items() if (one == nominal).all()}
    weights = {variation for variation in found if "pileup" in variation or "QCDscale" in variation}
    assert not same & weights
    assert all(np.isfinite(one).all() for one in found.values())
    if name == "hgg":  # with enough events for everything to matter
        assert not same & {
            v for v in found if any(part in v for part in ("scale_j", "res_j", "scale_g", "btag_hf", "eff_g"))
        }
    else:
        assert not same & {v for v in found if "eff_m" in v or "eff_e" in v}


def test_over_real_data(shared: Path, pog: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data have neither generated jets nor weights, and need none."""
    monkeypatch.setenv("POG", str(pog))
    raw = config.read_yaml(FOLDER / "cms-hzz4l-systematics.yaml")
    path = shared / "data" / "cms" / "DoubleMuon_Run2018A_data_40ev.root"
    data = {"name": "data", "process": "data", "kind": "data", "primary_dataset": "DoubleMuon", "files": [str(path)]}
    raw |= {"datasets": [data], "lumi_mask": None, "overrides": {"filters": []}}
    tally = engine.run(config.build(raw, tmp_path / "run.yaml"))
    assert not tally.failures
    assert tally.counts.sums["data", "cutflow"].low[0, 0] == 40
