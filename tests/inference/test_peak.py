"""A peak on a smooth background from its declaration: the choice of functions, intervals, templates, bad input."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import uproot

from gpuhiggs import __main__ as program
from gpuhiggs.errors import InputError
from gpuhiggs.inference import fit, flatten, observed
from gpuhiggs.inference.inputs import load
from gpuhiggs.inference.parametric import CrystalBall
from gpuhiggs.inference.parametric.choice import Spectra
from gpuhiggs.inference.parametric.command import run
from gpuhiggs.inference.parametric.declaration import read
from gpuhiggs.inference.parametric.envelope import PENALTY

EDGES = np.linspace(105.0, 160.0, 111)
PEAK = CrystalBall(124.8, 1.6, 1.4, 5.0, 1.8, 12.0)
DECLARED = """peak:
  file: gg.root
  data: m_gg/data/{category}
  signal:
    - m_gg/ggH/{category}
    - m_gg/VBF/{category}
  categories: {untagged: [low, high], vbf: vbf}
  window: [110, 160]
  mass: 125.0
  families: [bernstein, exponential]
  highest_order: 3
  nuisances:
    scale: {scale: 0.001}
    resolution: {resolution: {untagged: 0.1}}
    lumi: {rate: 0.016}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fine-binned histograms of data and simulation as a run leaves them; signal of strength 1 at 125 GeV."""
    path = tmp_path_factory.mktemp("peak")
    random = np.random.default_rng(5)
    peak = np.diff(PEAK.cumulative(EDGES, 125.0))
    smooth = np.diff(np.exp(-0.03 * (EDGES - EDGES[0]))) / (np.exp(-0.03 * 55.0) - 1.0)
    with uproot.recreate(path / "gg.root") as file:
        for name, background, signal in (("low", 9000, 80.0), ("high", 3000, 60.0), ("vbf", 700, 40.0)):
            data = random.poisson(background * smooth + signal * peak).astype(float)
            made = {"data": (data, data)}
            for process, share in (("ggH", 0.75), ("VBF", 0.25)):
                weight = signal * share / 40_000
                events = random.poisson(40_000 * peak)
                made[process] = events * weight, events * weight**2
            for process, (values, variances) in made.items():
                filled: hist.Hist[Any] = hist.Hist(hist.axis.Variable(EDGES), storage=hist.storage.Weight())
                view: Any = filled.view()
                view["value"], view["variance"] = values, variances
                file[f"m_gg/{process}/{name}"] = filled
    (path / "peak.yaml").write_text(DECLARED)
    return path


def test_the_choice_is_the_best_of_all(folder: Path) -> None:
    """By turns, one category after the other: as good as every combination of functions tried."""
    model = read(folder / "peak.yaml")
    assert [c.name for c in model.categories] == ["untagged", "vbf"]
    assert model.categories[0].signal == pytest.approx(140.0, rel=0.02)
    assert model.categories[0].edges[0] == 110.0
    spectra = Spectra(model.categories, model.candidates, model.nuisances)
    for fixed in ({"mass": 125.0, "mu": 0.0}, {"mass": 125.0}):
        heights = []
        for functions in itertools.product(*model.candidates.values()):
            found = spectra.model(dict(zip(model.candidates, functions, strict=True))).fit(fixed=fixed)
            heights.append(found.nll + PENALTY * sum(f.n_parameters for f in functions))
        assert spectra.choose(fixed=fixed).penalised == pytest.approx(min(heights), abs=2e-3)


def test_strength_mass_and_their_intervals(folder: Path) -> None:
    answer = run(folder / "peak.yaml", scan=["mu=0.6:1.6:11"], settings={}, freeze=[])
    values, errors = answer.best.fit.values, answer.best.fit.errors
    for name, truth in (("mu", 1.0), ("mass", 125.0)):
        assert abs(values[name] - truth) < 3.0 * errors[name]
        minus, plus = answer.intervals[name]
        assert minus == pytest.approx(-errors[name], rel=0.2)
        assert plus == pytest.approx(errors[name], rel=0.2)
    scan = answer.scans["mu=0.6:1.6:11"]
    assert np.all(scan.twice_nll > -0.01)
    plus = answer.intervals["mu"][1]
    assert plus is not None
    assert np.interp(values["mu"] + plus, scan.values, np.sqrt(scan.twice_nll)) == pytest.approx(1.0, abs=0.1)
    form = answer.to_json()
    assert form["functions"]["vbf"]["tests"]["bernstein"]["chosen"].startswith("bernstein")
    assert form["significance"] > 3.0
    assert answer.goodness.p_value is not None
    assert 0.001 < answer.goodness.p_value < 0.999


def test_an_injected_signal_is_found_in_a_background_of_either_family(folder: Path) -> None:
    answer = run(folder / "peak.yaml", settings={"mu": 1.5}, freeze=[], closure=12)
    assert answer.closure is not None
    assert list(answer.closure) == ["bernstein", "exponential"]
    for one in answer.closure.values():
        assert (one.truth, one.n_failed) == (1.5, 0)
        assert abs(one.mean) < 4.0 * one.mean_error
        assert 0.5 < one.width < 1.6


def test_its_templates_give_the_same_strength(folder: Path) -> None:
    """Fine-binned templates, nuisances included, against the functions themselves."""
    answer = run(folder / "peak.yaml", settings={}, freeze=["mass"])
    workspace = load([folder / "peak.yaml"])
    model = flatten(workspace)
    result = fit(model, observed(model, workspace), minos=["mu"])
    error = answer.best.fit.errors["mu"]
    assert result.parameters["mu"].value == pytest.approx(answer.best.fit.values["mu"], abs=0.02 * error)
    assert result.parameters["mu"].error == pytest.approx(error, rel=0.06)
    assert result.nll == pytest.approx(answer.best.fit.nll, abs=0.02)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["gpuhiggs", *arguments])
    with pytest.raises(SystemExit) as left:
        program.main()
    return int(left.value.code or 0)


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = str(folder / "peak.yaml"), tmp_path / "fit.json"
    asked = ("--freeze", "mass", "--scan", "mu=0.8:1.2:3", "--json", str(output), "--plots", str(tmp_path))
    assert command(monkeypatch, "fit", path, *asked) == 0
    assert "mass = 125 GeV (held)" in capsys.readouterr().out
    form = json.loads(output.read_text())
    assert form["parameters"]["mu"]["minus"] < 0.0 < form["parameters"]["mu"]["plus"]
    assert len(form["scans"]["mu=0.8:1.2:3"]["twice_nll"]) == 3
    names = {path.stem for path in (tmp_path / "figures").glob("*.pdf")}
    assert names == {"spectrum_untagged", "spectrum_vbf", "scan_mu"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--toys", "5"), "of a peak --scan, --set, --freeze, --closure, --json and --plots can be asked, not --toys"),
        (("--postfit-asimov",), "can be asked, not --postfit-asimov"),
        (("--scan", "width"), "scan 'width', expected mu or mass"),
        (("--freeze", "mas"), "no parameter mas; known: mu, mass, scale, resolution, lumi"),
        (("--set", "mass=124"), "--set mass: of a peak it says where parameters are held"),
    ],
)
def test_options_that_are_not_for_a_peak(
    monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
    words: str,
) -> None:  # fmt: skip
    assert command(monkeypatch, "fit", str(folder / "peak.yaml"), *arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("families: [bernstein", "families: [bernstien", "families: unknown bernstien; known: bernstein, exponential"),
        ("window", "windw", "peak: unknown key 'windw'; known: file, data, signal"),
        ("window: [110", "window: [110.1", "window: 110.1 is no edge of the histograms; the nearest is 110"),
        ("window: [110", "window: [126", "the mass 125 is not within"),
        ("/VBF/", "/VBH/", "no histogram 'm_gg/VBH/low' in gg.root; near: m_gg/VBF/low"),
        ("file: gg.root", "file: gh.root", "gh.root: cannot be read as a ROOT file"),
        ("{untagged: 0.1}", "{tagged: 0.1}", "nuisances.resolution: unknown category tagged; known: untagged, vbf"),
        ("peak:", "peek:", "expected the one key peak"),
        ("  mass: 125.0\n", "", "peak: mass: Field required"),
        ("  mass: 125.0", "  mass: [125.0", "not YAML: while parsing a flow sequence"),
    ],
)
def test_what_is_wrong_with_a_declaration(folder: Path, tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "peak.yaml"
    assert old in DECLARED
    text = DECLARED.replace("file: gg.root", f"file: {folder / 'gg.root'}") if "gg" not in old else DECLARED
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words.replace("gg.root", ".*gg.root")) as caught:
        read(path)
    assert str(path) in str(caught.value)
