"""What ``gpuhiggs simulate`` makes of a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import uproot
import yaml

from gpuhiggs.errors import ConfigError
from gpuhiggs.simulate import campaign


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.usefixtures("pythia")
def test_samples_and_data(tmp_path: Path) -> None:
    text = "seed: 3\nmass: 126.0\nsamples: {VBF_gamgam: 30, ttH_gamgam: 20}\ndata: {luminosity: 8, mu: 2}\n"
    config = campaign.load(write(tmp_path / "campaign.yaml", text))
    seen: list[tuple[str, int]] = []
    made = campaign.run(config, tmp_path / "out", progress=lambda step, done: seen.append((step.path.name, done)))
    assert made.samples["VBF_gamgam"].events == 30
    assert [name for name, _ in seen] == [
        "VBF_gamgam.root", "ttH_gamgam.root", "VBF_gamgam-pool.root", "ttH_gamgam-pool.root",
    ]  # fmt: skip
    assert made.data is not None
    with uproot.open(made.data.path) as file:
        names = file["Events"].keys()
    of_truth = ("Gen", "nGen", "gen", "HTXS", "Pileup")
    assert not [name for name in names if name.startswith(of_truth) or name.endswith(("genPartIdx", "genPartFlav"))]
    truth = json.loads(made.data.truth.read_text())
    assert truth["mass"] == 126.0
    assert truth["processes"]["VBF_gamgam"]["expected"] == pytest.approx(2 * 3.779 * 2.27e-3 * 8000)
    rows = yaml.safe_load((tmp_path / "out" / campaign.DATASETS).read_text())["datasets"]
    assert [row["name"] for row in rows] == ["VBF_gamgam", "ttH_gamgam", "pseudo-data"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("samples: {ggH_4l: 5}", "seed: Field required"),
        ("seed: 1\nsamples: {}", "samples"),
        ("seed: 1\nsamples: {ggH_4l: 0}", "greater than 0"),
        ("seed: 1\nsamples: {ggH_4q: 5}", "unknown process 'ggH_4q'; known: ggH_gamgam"),
        ("seed: 1\nsampels: {ggH_4l: 5}", "unknown key 'sampels'; known: samples"),
        ("seed: 1\nsamples: {ggH_4l: 5}\ndata: {luminosity: -1}", "luminosity"),
        ("seed: 1\nsamples: {ggH_4l: 5}\ndata: {luminosity: 1, processes: [x]}", "unknown process 'x'"),
        ("seed: 1\nsamples: {ggH_4l: 5}\nformat: csv", "format"),
    ],
)
def test_wrong_configurations(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        campaign.load(write(tmp_path / "campaign.yaml", text))
