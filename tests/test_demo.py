"""The demo on a small scale: from Pythia to the report, and again from what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs import config, demo, inference
from gpuhiggs.demo import analysis, samples
from gpuhiggs.errors import InputError
from gpuhiggs.report import process

pytest.importorskip("pythia8mc", reason="the simulation needs gpuhiggs[demo]")
pytestmark = pytest.mark.timeout(900)  # of three channels, compilation included, on a machine that others use too

N_EVENTS = 2000
LUMINOSITY = 10.0


COARSE: dict[str, dict[str, Any]] = {
    "four_lepton": {"channels": {"4l": "*"}, "edges": [106, 118, 130, 140]},
    "diphoton": {
        "channels": {"0j": "ggF 0j *", "rest": "ggF 1j * | ggF 2j * | ggF boosted * | VBF * | ttH-* | ?H-*"},
        "edges": [105, 115, 120, 122, 124, 126, 128, 130, 135, 145, 160],
        "productions": {"mu_ggH": ["ggH"], "mu_other": ["VBF", "VH", "ttH"]},
    },
    "dilepton": {
        "histogram": "m_ll",
        "edges": [12, 55, 210],
        "channels": {"SR": "SR *", "top": "top *", "other": "DYtautau * | WW *"},
        "free": [{"parameter": "top", "processes": ["top"]}],
        "productions": {},
    },
}
"""Models for few events."""


def coarse(name: str) -> analysis.Analysis:
    """Return an analysis with few bins, and the uncertainties that need no name of a channel."""
    raw = load(name).model_dump(exclude_unset=True)
    kept = [entry for entry in raw["model"]["normalisations"] if "channels" not in entry]
    raw["model"] |= {**COARSE[name], "normalisations": kept}
    return analysis.Analysis.model_validate(raw)


load = analysis.load


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished demo of all channels; its simulation was asked for again."""
    place = tmp_path_factory.mktemp("demo") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "load", coarse)
        patch.setattr(demo.combination, "MODELS", ("mu", "kappa-vf"))
        patch.setattr(demo.combination, "PLANE_POINTS", 5)
        patch.chdir(place.parent)
        assert demo.run(Path("out"), n_events=N_EVENTS, workers=1, luminosity=LUMINOSITY) == 0
        made = {path: path.stat().st_mtime_ns for path in (place / "simulation").glob("*.root")}
        analyses = {name: coarse(name) for name in analysis.NAMES}
        samples.make(analyses, place / "simulation", n_events=N_EVENTS, workers=2, luminosity=LUMINOSITY)
    assert {path: path.stat().st_mtime_ns for path in made} == made, "the simulation was made again"
    return place


@pytest.fixture(scope="module")
def folder(whole: Path) -> Path:
    return whole / "four_lepton"


@pytest.fixture(scope="module")
def results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("channel", analysis.NAMES)
def test_every_channel_is_a_run(whole: Path, channel: str) -> None:
    found = json.loads((whole / channel / "results.json").read_text())["fit"]
    assert found["expected"]["parameters"]["mu"]["value"] == pytest.approx(1.0, abs=1e-3)
    mu = found["observed"]["parameters"]["mu"]
    assert found["observed"]["converged"]
    assert abs(mu["value"] - 1.0) < 4 * mu["error"]
    assert (whole / channel / "report.html").exists()


def test_channels_are_combined(whole: Path) -> None:
    found = json.loads((whole / "combination" / "results.json").read_text())
    assert set(found["channels"]) == set(analysis.NAMES)
    assert found["fit"]["expected"]["parameters"]["mu"]["value"] == pytest.approx(1.0, abs=1e-3)
    errors = [channel["mu"]["error"] for channel in found["channels"].values()]
    assert found["fit"]["observed"]["parameters"]["mu"]["error"] < min(errors)
    wanted = {"mu_ZZ", "mu_WW", "mu_ggH_gammagamma", "mu_other_gammagamma"}
    assert set(found["strengths"]["names"]) == wanted
    assert np.shape(found["strengths"]["correlation"]) == (len(wanted), len(wanted))
    kappa = found["models"]["kappa-vf"]["parameters"]
    assert abs(kappa["kappa_V"]["value"] - 1.0) < 4 * kappa["kappa_V"]["error"]
    assert np.shape(found["plane"]["rise"]) == (5, 5)
    assert not found["warnings"]


def test_what_the_pseudo_data_are_made_of(whole: Path) -> None:
    truth = json.loads((whole / "simulation" / "diphoton-pseudo-data.root.truth.json").read_text())["processes"]
    assert truth["ggH_gamgam"]["recorded"] < truth["ggH_gamgam"]["expected"]
    assert truth["qq_gamgam"]["drawn"] > int(0.8 * N_EVENTS), "more than were simulated"


def test_asimov_fit_gives_one(results: Any) -> None:
    mu = results["fit"]["expected"]["parameters"]["mu"]
    assert mu["value"] == pytest.approx(1.0, abs=1e-4)
    assert mu["minus"] < 0 < mu["plus"]


def test_observed_signal_strength_agrees_with_what_was_put_in(results: Any) -> None:
    observed = results["fit"]["observed"]
    mu = observed["parameters"]["mu"]
    assert observed["converged"]
    assert abs(mu["value"] - 1.0) < 4 * mu["error"]


def test_higgs_yield_is_that_of_the_parametrised_detector(results: Any) -> None:
    """226 of ggH in 118 to 130 GeV at 138 fb⁻¹, without triggers and identification: a prototype's number.

    Here both are simulated and VBF is added: 216 + 20 in the full demo; 25 % covers the choice of working points,
    10 % the statistics of 440 generated ggH events.
    """
    higgs = sum(results["cutflow"][process][-1]["events"] for process in ("ggH", "VBF"))
    assert higgs == pytest.approx(226 * 1.078 * LUMINOSITY / 138, rel=0.35)


def test_every_file_of_a_run_is_there(folder: Path) -> None:
    for name in (
        "config.yaml",
        "workspace.json",
        "histograms.root",
        "histograms.json",
        "figures/scan_mu.pdf",
        "numbers/m4l.yaml",
    ):
        assert (folder / name).stat().st_size > 0, name
    assert not list(folder.glob(".*")), "temporary files are left"


def test_page_needs_nothing_beside_itself(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<img") == page.count('src="data:image/png;base64,') >= 5
    assert page.count("<figure") == page.count("<img")
    assert len(page) < 5_000_000


def test_kept_configuration_is_the_one_that_ran(folder: Path) -> None:
    kept = config.load(folder / "config.yaml")
    assert kept.model is not None
    assert kept.luminosity == LUMINOSITY
    files = [Path(path) for dataset in kept.datasets for path in dataset.files]
    assert all(path.is_absolute() and path.exists() for path in files), "wherever it is run from"


def test_pulls_of_toys(folder: Path) -> None:
    model = inference.flatten(inference.load_workspace(folder / "workspace.json"))
    toys = inference.draw_toys(model, 10, np.random.default_rng(1))
    fits = [inference.fit(model, toy).parameters["mu"] for toy in toys]
    pulls = [(mu.value - 1) / mu.error for mu in fits]
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))


@pytest.mark.nightly
def test_pulls_of_many_toys(folder: Path) -> None:
    model = inference.flatten(inference.load_workspace(folder / "workspace.json"))
    toys = inference.draw_toys(model, 200, np.random.default_rng(2))
    fits = [inference.fit(model, toy).parameters["mu"] for toy in toys]
    values = np.array([mu.value for mu in fits])
    pulls = np.array([(mu.value - 1) / mu.error for mu in fits])
    assert abs(values.mean() - 1) < 3 * values.std() / np.sqrt(200) + 0.05  # with few events the estimate is skewed
    assert pulls.std() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("channels", [["bb"], [], ["4l", "4l"]])
def test_channels_that_are_not_there(tmp_path: Path, channels: list[str]) -> None:
    with pytest.raises(InputError, match="expected some of 4l, gg, ww, each once"):
        demo.run(tmp_path / "out", n_events=2000, workers=1, channels=channels)


@pytest.mark.parametrize(
    ("n_events", "luminosity", "message"),
    [(10, 138.0, "at least 1000"), (2000, 0.0, "luminosity"), (2000, -1.0, "luminosity")],
)
def test_numbers_that_cannot_be_used(tmp_path: Path, n_events: int, luminosity: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        demo.run(tmp_path / "out", n_events=n_events, workers=1, luminosity=luminosity)
    assert not (tmp_path / "out").exists()


def test_no_permission(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        demo.run(tmp_path / "file" / "out", n_events=2000, workers=1)


def test_a_fit_that_cannot_be_made_leaves_the_rest(folder: Path, tmp_path: Path) -> None:
    """With these few events the fine bins of the default model have no background somewhere."""
    kept = config.load(folder / "config.yaml")
    assert kept.model is not None
    fine = kept.model.model_copy(update={"edges": tuple(float(edge) for edge in range(106, 142, 2))})
    assert process.run(kept.model_copy(update={"model": fine}), tmp_path / "out", workers=0, overwrite=False) == 1
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert "no sample expects any there" in written["fit_error"]
    assert written["digest"] == (folder / "digest.txt").read_text().strip()
    assert "There is no fit" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
