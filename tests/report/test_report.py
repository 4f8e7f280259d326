"""The full report of a finished run: what is shown is what the run's own files say, and what is missing is said."""

from __future__ import annotations

import gc
import io
import json
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import uproot
from PIL import Image

from gpuhiggs import inference
from gpuhiggs.config import RunConfig
from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference import batch
from gpuhiggs.report import command, couplings, files, posterior, process
from gpuhiggs.report.figure import Figure, Picture, Section, Table

FIGURES = {
    "workflow", "scan_mu", "strengths", "budget", "after_fit", "pulls", "correlation", "goodness_of_fit", "posterior",
    "m4l", "m_z1", "m_z2", "pt4l", "event_display", "cutflow", "n_minus_one", "detection", "performance",
}  # fmt: skip


def numbers(folder: Path, name: str, table: int = 0) -> dict[str, Any]:
    document = json.loads((folder / "numbers" / f"{name}.json").read_text(encoding="utf-8"))
    return {column["name"]: column for column in document["tables"][table]["columns"]}


def text_of(folder: Path) -> str:
    page_text = (folder / "report.html").read_text(encoding="utf-8")
    return re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page_text, flags=re.DOTALL))


def test_every_figure_is_there_in_every_format(reported: Path) -> None:
    for folder, suffixes in (("figures", ("pdf", "png")), ("numbers", ("json", "csv", "yaml"))):
        for suffix in suffixes:
            found = {path.stem for path in (reported / folder).glob(f"*.{suffix}") if path.stat().st_size > 100}
            assert found >= FIGURES, suffix
    assert not list(reported.glob("**/.*")), "temporary files are left"


def test_page_is_small_and_alone(reported: Path) -> None:
    page_text = (reported / "report.html").read_text(encoding="utf-8")
    assert len(page_text) < 5_000_000
    assert "http" not in page_text
    assert page_text.count("<figure") == page_text.count('src="data:image/png;base64,') >= len(FIGURES)


@pytest.mark.parametrize("width", [16.8, 9.0, 15.999])
def test_picture_is_not_sheared(tmp_path: Path, width: float) -> None:
    """Upright lines stay upright, also where the width is no whole number of dots (16.8 in are 1931.9999)."""

    def draw() -> Any:
        figure, axes = plt.subplots(figsize=(width, 3.0))
        axes.set_axis_off()
        axes.axvline(0.5, color="black", linewidth=6)
        return figure

    section = Section("a", "A", [Figure("line", "Line", "A line.", draw, ())])
    (shown,) = files.write_all([section], tmp_path)
    (picture,) = shown.blocks
    assert isinstance(picture, Picture)
    dark = np.asarray(Image.open(io.BytesIO(picture.image)).convert("L")) < 60
    columns = [np.flatnonzero(row) for row in dark if row.any()]
    assert len(columns) > 200
    assert {tuple(found) for found in columns} == {tuple(columns[0])}


def test_numbers_of_a_distribution_are_those_of_the_root_file(finished: Path, reported: Path) -> None:
    shown = numbers(reported, "m4l")
    with uproot.open(finished / "histograms.root") as file:
        keys = [key for key in file.keys(cycle=False) if re.fullmatch(r"m4l/H/.*", key)]
        expected = np.sum([file[key].values() for key in keys], axis=0)
        edges = file[keys[0]].axis().edges()
    np.testing.assert_allclose(shown["H"]["values"], expected, rtol=1e-12)
    np.testing.assert_allclose([*shown["m4ℓ"]["low"], shown["m4ℓ"]["high"][-1]], edges)
    np.testing.assert_allclose(shown["all simulation"]["values"], np.add(shown["H"]["values"], shown["ZZ"]["values"]))


def test_fit_behind_the_figures_is_the_run_s_own(finished: Path, reported: Path) -> None:
    kept = json.loads((finished / "results.json").read_text())["fit"]["observed"]["parameters"]["mu"]
    common = numbers(reported, "strengths")["mu"]
    assert common["values"][0] == pytest.approx(kept["value"], abs=1e-6)
    assert common["errors"][0]["plus"][0] == pytest.approx(kept["plus"], rel=1e-4)
    total = numbers(reported, "budget_table")
    assert total["up"]["values"][total["source"]["values"].index("total")] == pytest.approx(kept["plus"], rel=1e-4)
    parts = np.array([v for n, v in zip(total["source"]["values"], total["up"]["values"], strict=True) if n != "total"])
    assert np.sqrt(np.sum(parts**2)) == pytest.approx(kept["plus"], rel=0.02)


def test_after_the_fit_the_sum_is_what_the_model_expects(finished: Path, reported: Path) -> None:
    workspace = inference.load_workspace(finished / "workspace.json")
    model = inference.flatten(workspace)
    best = inference.fit(model, inference.observed(model, workspace))
    shown = {
        name: np.concatenate([numbers(reported, "after_fit", table)[name]["values"] for table in range(2)])
        for name in ("fit", "H", "ZZ", "data")
    }
    expected = batch.expected(model, model.values(best.values()))[0]
    np.testing.assert_allclose(shown["fit"], expected, rtol=1e-6)
    np.testing.assert_allclose(shown["H"] + shown["ZZ"], expected, rtol=1e-6)
    assert np.sum(shown["data"]) == pytest.approx(np.sum(expected), rel=0.02), "as in any fit of normalisations"


def test_event_display_shows_the_event_nearest_to_the_boson(finished_config: RunConfig, reported: Path) -> None:
    shown = numbers(reported, "event_display")
    assert shown["object"]["values"].count("muon") == 4
    event = dict(zip(*(c["values"] for c in numbers(reported, "event_display", 1).values()), strict=True))
    with uproot.open(finished_config.datasets[2].files[0]) as file:
        muons = file["Events"].arrays(["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"])
    four = muons[[len(pt) == 4 for pt in muons["Muon_pt"]]]
    pt, eta, phi, mass = (np.asarray(four[f"Muon_{name}"], np.float64) for name in ("pt", "eta", "phi", "mass"))
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2).sum(axis=1)
    px, py, pz = ((pt * f).sum(axis=1) for f in (np.cos(phi), np.sin(phi), np.sinh(eta)))
    m4l = np.sqrt(energy**2 - px**2 - py**2 - pz**2)
    assert event["m4l"] == pytest.approx(m4l[np.argmin(abs(m4l - 125))], abs=1e-3)


def test_hepdata_takes_the_numbers(reported: Path) -> None:
    """HEPData's own validator, on every file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what jsonschema gives up, and leaves files open
        from hepdata_validator.full_submission_validator import FullSubmissionValidator

        found = sorted((reported / "numbers").glob("*.yaml"))
        assert len(found) > 20
        for path in found:
            validator = FullSubmissionValidator()
            assert validator.validate(file=str(path)), [str(m) for m in validator.get_messages().get(str(path), [])]
        gc.collect()


def test_interpretation_has_names_of_its_own(reported: Path) -> None:
    assert numbers(reported, "couplings_parameters")["value"]["values"] == [1.04]
    assert "mu" in numbers(reported, "parameters")["parameter"]["values"]


def test_what_is_missing_is_said(reported: Path) -> None:
    text = text_of(reported)
    assert "Not here: Contours of two signal strengths" in text
    assert "The model has one production mode only." in text.split("What is missing")[-1]


def test_captions_say_at_which_luminosity_and_energy(sections: list[Section]) -> None:
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Figure) and block.name not in (
                "workflow",
                "performance",
                "detection",
                "event_display",
            ):
                assert "1 fb⁻¹, √s = 13 TeV" in block.caption, block.name
            if isinstance(block, Figure | Table):
                assert block.caption.endswith("."), block.name


# --- runs with missing pieces ----------------------------------------------------------------------------------------


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path], str]:
    """A function from a run's folder to the text of its report, whose figures are not drawn."""

    def undrawn(figure: Figure, stem: Path) -> bytes:
        return b""

    def report(folder: Path) -> str:
        command.run([folder], [], tmp_path / "report")
        return text_of(tmp_path / "report")

    def unsampled(*_: Any, **__: Any) -> Any:
        msg = "not sampled"
        raise RunError(msg)

    monkeypatch.setattr(files, "_draw", undrawn)
    monkeypatch.setattr(posterior, "sample_posterior", unsampled)  # is tested elsewhere, and takes long
    monkeypatch.setattr(couplings, "sections", lambda *_: [])  # so are these
    return report


def _run(config: RunConfig, folder: Path, status: int) -> Path:
    assert process.run(config, folder, workers=0) == status
    return folder


def test_run_without_a_model(finished_config: RunConfig, tmp_path: Path, words: Callable[[Path], str]) -> None:
    folder = _run(finished_config.model_copy(update={"model": None}), tmp_path / "run", 0)
    text = words(folder)
    assert "There is no fit: the configuration has no `model`." in text
    assert "Distributions" in text


def test_run_with_a_failed_file(finished_config: RunConfig, tmp_path: Path, words: Callable[[Path], str]) -> None:
    background = finished_config.datasets[1]
    more = background.model_copy(update={"files": (*background.files, str(tmp_path / "gone.root"))})
    datasets = (finished_config.datasets[0], more, finished_config.datasets[2])
    text = words(_run(finished_config.model_copy(update={"datasets": datasets}), tmp_path / "run", 1))
    assert "Not processed: no number here counts these files" in text
    assert "gone.root" in text
    assert "There is no fit: a part is missing: bkg: 1 of 2 files are processed" in text


def test_run_of_which_nothing_could_be_read(
    finished_config: RunConfig, tmp_path: Path, words: Callable[[Path], str]
) -> None:
    lost = [d.model_copy(update={"files": (str(tmp_path / f"{d.name}.root"),)}) for d in finished_config.datasets]
    text = words(_run(finished_config.model_copy(update={"datasets": tuple(lost)}), tmp_path / "run", 1))
    assert text.count("No dataset could be processed.") >= 2


def test_run_without_data(finished_config: RunConfig, tmp_path: Path, words: Callable[[Path], str]) -> None:
    folder = _run(finished_config.model_copy(update={"datasets": finished_config.datasets[:2]}), tmp_path / "run", 0)
    text = words(folder)
    assert "Not here: Posterior not sampled" in " ".join(text.split())
    assert "There are no data in this run: only expectations are shown." in text
    assert "There are no data that the fit could describe." in text
    assert ", observed" not in text


def test_several_runs_are_one_page(finished: Path, tmp_path: Path, words: Callable[[Path], str]) -> None:
    for name in ("one", "two"):
        shutil.copytree(finished, tmp_path / "runs" / name)
    (tmp_path / "runs" / "other").mkdir()
    text = words(tmp_path / "runs")
    assert "one: Signal strength" in text
    assert "All channels together" not in text
    assert "two: Signal strength" in text


def test_folder_without_a_run(tmp_path: Path, words: Callable[[Path], str]) -> None:
    with pytest.raises(InputError, match=r"is no folder"):
        words(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"has no results.json"):
        words(tmp_path / "empty")
    with pytest.raises(InputError, match="nothing to report on"):
        command.run([], [], None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", "{", "cannot be read"),
        ("results.json", "[]", "not the result of a run"),
        ("histograms.json", '{"m4l": {"H": {"uhi_schema": 1}}}', "cannot be read"),
        ("config.yaml", "title: x", "not what this version reads"),
        ("histograms.json", None, "no histograms.json"),
    ],
)
def test_damaged_folder(finished: Path, tmp_path: Path, name: str, content: str | None, message: str) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(InputError, match=message):
        command.run([folder], [], tmp_path / "report")
    assert not (tmp_path / "report").exists()
