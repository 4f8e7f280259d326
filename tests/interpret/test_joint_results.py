"""Several runs of one's own, fitted together: couplings that were put in come out, common uncertainties count once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hist import Hist

from gpuhiggs import inference
from gpuhiggs.errors import InputError
from gpuhiggs.inference.joining import join
from gpuhiggs.interpret import combine, command, joint_results, kappa_models, own_results
from gpuhiggs.interpret.measurements import Measurements, read

EVENTS = {"ggH": (900.0, 60.0), "VBF": (80.0, 120.0)}
"""Events of each process in a channel where gluon fusion dominates, and in one where VBF does."""
PRODUCTIONS = {"mu_ggH": ["ggH"], "mu_VBF": ["VBF"]}
NORMALISATIONS = [inference.Normalisation(parameter="theory_ggH", up=1.056, down=0.926, samples=("ggH",))]


def histogram(values: Sequence[float] | np.ndarray) -> Hist[Any]:
    made: Any = Hist.new.Reg(len(values), 0, 1, name="x", flow=False).Weight()
    made.view().value, made.view().variance = values, 1e-6 * np.asarray(values)
    return made  # type: ignore[no-any-return]


def make_workspace(strengths: dict[str, float], luminosity: float, scale: float) -> inference.Workspace:
    templates = {
        channel: {
            **{name: histogram([0.3 * scale * n[i], 0.7 * scale * n[i]]) for name, n in EVENTS.items()},
            "rest": histogram([2000.0 * scale, 400.0 * scale]),
        }
        for i, channel in enumerate(("ggF", "VBF"))
    }
    observed = {
        channel: histogram(np.rint(sum((strengths.get(n, 1.0) * h.values() for n, h in found.items()), np.zeros(2))))
        for channel, found in templates.items()
    }
    return inference.build_workspace(
        templates, signals=["ggH", "VBF"], normalisations=NORMALISATIONS, observed=observed,
        luminosity=inference.Luminosity(uncertainty=luminosity, samples=("ggH", "VBF")),
    )  # fmt: skip


def run_folder(
    folder: Path, channel: str, strengths: dict[str, float], *, luminosity: float = 0.016, scale: float = 10.0
) -> Path:
    """Write what a finished run with two productions leaves behind."""
    folder.mkdir()
    workspace = make_workspace(strengths, luminosity, scale)
    (folder / "workspace.json").write_text(workspace.model_dump_json())
    flat = inference.flatten(workspace)
    fit = inference.fit(flat, inference.observed(flat, workspace), minos=["mu"]).to_json()
    productions = {"converged": True, "names": list(PRODUCTIONS), "correlation": [[1.0, -0.2], [-0.2, 1.0]]}
    productions["parameters"] = {name: {"value": 1.0, "error": 0.1, "minus": -0.1, "plus": 0.1} for name in PRODUCTIONS}
    yields = {name: {"all": {"value": sum(n)}} for name, n in EVENTS.items()}
    results = {
        "selection": channel,
        "luminosity": 36.0,
        "yields": yields,
        "fit": {"observed": fit | {"productions": productions}},
    }
    normalisations = [{"parameter": "theory_ggH", "processes": ["ggH"], "up": 1.056, "down": 0.926}]
    config = {
        "selection": {"schema": "nanoaod"},
        "datasets": [{"kind": "data", "files": ["data.root"]}],
        "model": {"signals": ["ggH", "VBF"], "productions": PRODUCTIONS, "normalisations": normalisations},
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def predicted(point: tuple[float, float], folders: list[Path]) -> dict[str, dict[str, float]]:
    """Return the strength of each process at (κ_V, κ_F), by decay."""
    inputs: Measurements = joint_results.load(folders)
    rates = kappa_models.kappa_vf([inputs]).predict(np.array(point), inputs).strength
    found: dict[str, dict[str, float]] = {}
    for entry, rate in zip(inputs.entries, rates, strict=True):
        found.setdefault(entry.decay, {})[next(iter(entry.production))] = float(rate)
    return found


CHANNELS = {"four_lepton": "ZZ", "diphoton": "gammagamma", "dilepton": "WW"}


@pytest.mark.parametrize("point", [(1.0, 1.0), (0.9, 1.2)])
def test_couplings_that_were_put_in_come_out(tmp_path: Path, point: tuple[float, float]) -> None:
    at_sm = [run_folder(tmp_path / f"{name}_sm", name, {}) for name in CHANNELS]
    strengths = predicted(point, at_sm)
    folders = [run_folder(tmp_path / name, name, strengths[decay]) for name, decay in CHANNELS.items()]
    file = tmp_path / "kappa.json"
    command.run([str(folder) for folder in folders], "kappa-vf", json_file=file)
    found = json.loads(file.read_text())["parameters"]
    for name, true in zip(("kappa_V", "kappa_F"), point, strict=True):
        assert found[name]["value"] == pytest.approx(true, abs=0.01)
        assert 0.005 < found[name]["error"] < 0.1


def test_a_common_uncertainty_counts_once(tmp_path: Path) -> None:
    """With many events the luminosity, 10 %, is all that is left of the error of μ: two runs do not make it smaller."""
    folders = [run_folder(tmp_path / n, n, {}, luminosity=0.1, scale=1e4) for n in ("four_lepton", "diphoton")]
    together = joint_results.joint(folders)
    fitted = joint_results.fit(together)
    assert set(together.names) == {"mu_ggH_ZZ", "mu_VBF_ZZ", "mu_ggH_gammagamma", "mu_VBF_gammagamma"}
    places = [fitted.free.index(name) for name in ("mu_VBF_ZZ", "mu_VBF_gammagamma")]
    covariance = fitted.covariance[np.ix_(places, places)]
    assert covariance[0, 1] / covariance[0, 0] > 0.9
    assert len([name for name in fitted.parameters if "lumi" in name]) == 1
    combined = command.run([str(folder) for folder in folders], "mu")["parameters"]["mu"]
    assert combined["error"] == pytest.approx(fitted.parameters["mu_VBF_ZZ"].error, rel=0.15)


def test_joint_likelihood_is_the_product() -> None:
    """-ln L of the whole is the sum of the parts', the constraint of what they share counted once."""
    parts = {name: make_workspace({}, 0.016, scale) for name, scale in (("a", 1.0), ("b", 2.0))}
    whole = join(parts)
    model = inference.flatten(whole)
    likelihood = inference.Likelihood(model, inference.observed(model, whole))
    random = np.random.default_rng(3)
    theta = {p.name: p.initial + 0.01 * random.standard_normal() for p in model.parameters}
    total = 0.0
    for name, part in parts.items():
        flat = inference.flatten(part)
        point = [theta.get(p.name, theta.get(f"{name}_{p.name}", np.nan)) for p in flat.parameters]
        total += inference.Likelihood(flat, inference.observed(flat, part)).nll(np.array(point))
    shared = [(theta["lumi"], 1.0, 0.016), (theta["theory_ggH"], 0.0, 1.0)]
    total -= sum(0.5 * ((t - c) / w) ** 2 + np.log(w * np.sqrt(2 * np.pi)) for t, c, w in shared)
    assert likelihood.nll(np.array([theta[p.name] for p in model.parameters])) == pytest.approx(total, rel=1e-12)


def test_other_luminosity_uncertainties_are_kept_apart() -> None:
    parts = {"a": make_workspace({}, 0.016, 1.0), "b": make_workspace({}, 0.025, 1.0)}
    names = {p.name for p in inference.flatten(join(parts)).parameters}
    assert {"a_lumi", "b_lumi", "theory_ggH", "mu"} <= names


def test_one_run_gives_a_strength_for_each_production(tmp_path: Path) -> None:
    found = own_results.load(run_folder(tmp_path / "run", "diphoton", {}))
    assert [entry.production for entry in found.entries] == [{"ggH": 1.0}, {"VBF": 1.0}]
    assert found.correlation[0, 1] == -0.2
    assert found.theory_in_errors


def test_theory_counts_once_beside_a_publication(tmp_path: Path) -> None:
    """With endless data on both sides gluon fusion's theory is all that is left of μ_ggH: in common, not averaged."""
    folder = run_folder(tmp_path / "run", "diphoton", {}, luminosity=1e-4, scale=1e4)
    run = own_results.read_run(folder)
    assert run.prediction == ("theory_ggH",)
    alone = joint_results.load([folder])
    beside = joint_results.load([folder], without_prediction=True)
    assert alone.theory_in_errors
    assert not beside.theory_in_errors
    assert beside.entries[0].plus < 0.02 < 0.05
    entry = {"name": "ggH_ZZ", "decay": "ZZ", "production": {"ggH": 1.0}, "value": 1.0, "minus": 1e-3, "plus": 1e-3}
    content = {
        "title": "", "source": "", "sqrt_s": 13, "m_h": 125.09, "theory_in_errors": False, "events": ["ATLAS 2018"],
        "strengths": [entry], "correlation": [[1.0]],
    }  # fmt: skip
    other = read("other", content)
    ggh = replace(beside, entries=beside.entries[:1], correlation=np.eye(1))
    both = combine("mu", [ggh, other])
    assert both.parameters["mu"].error == pytest.approx(combine("mu", [other]).parameters["mu"].error, rel=0.1)
    assert any("theory_ggH held" in note for note in both.notes)


def test_own_theory_is_held_beside_a_publication_only(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", "diphoton", {})
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["datasets"] = [{"kind": "data", "files": ["root://x/Run2016B/file.root"]}]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    beside = command.run([str(folder), "atlas-run2"], "mu")
    assert any("theory_ggH held" in note for note in beside["notes"])
    alone = command.run([str(folder)], "mu")
    assert not alone["notes"]
    assert not alone["pulls"]


def test_which_uncertainties_are_of_the_prediction(tmp_path: Path) -> None:
    """Named as such, on signal alone, in all channels; migration between channels is a part of the measurement."""
    folder = run_folder(tmp_path / "run", "diphoton", {})
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["normalisations"] = [
        {"parameter": "QCDscale_ggH", "processes": ["ggH"]},
        {"parameter": "theory_migration", "processes": ["ggH"], "channels": ["ggF"]},
        {"parameter": "theory_rest", "processes": ["rest"]},
        {"parameter": "efficiency", "processes": ["ggH", "VBF"]},
        {"parameter": "pdf_all", "processes": None},
    ]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert own_results.read_run(folder).prediction == ("QCDscale_ggH",)


def test_runs_that_cannot_be_joined(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    one, other = run_folder(tmp_path / "a", "dilepton", {}), run_folder(tmp_path / "x" / "a", "diphoton", {})
    with pytest.raises(InputError, match="a is there twice"):
        joint_results.load([one, other])
    results = json.loads((other / "results.json").read_text())
    results["fit"]["expected"] = results["fit"].pop("observed")
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match="there are no data in"):
        joint_results.load([one, other])
