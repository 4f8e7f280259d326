"""Datacards: published answers of Combine's own tests and tutorials, and bad cards."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import Estimate, FitResult, asimov, combine, compatibility, fit, flatten, observed

WITHIN = 0.005
"""Of the uncertainty that is quoted: what the issue asks for."""


@pytest.fixture
def cards(shared: Path) -> Path:
    return shared / "problems" / "combine"


def assert_estimate(found: Estimate, value: float, minus: float, plus: float) -> None:
    assert found.minus is not None
    assert found.plus is not None
    assert abs(found.value - value) < WITHIN * min(-minus, plus)
    assert found.minus == pytest.approx(minus, rel=WITHIN)
    assert found.plus == pytest.approx(plus, rel=WITHIN)


def test_two_signals(cards: Path) -> None:
    workspace = combine.read(cards / "datacard-5-multi-signal.txt", pois=("r_ggH", "r_qqH"))
    model = flatten(workspace)
    result = fit(model, observed(model, workspace), minos=model.pois)
    assert result.converged
    assert_estimate(result.parameters["r_ggH"], 0.882, -0.749, 0.795)
    assert_estimate(result.parameters["r_qqH"], 4.683, -2.746, 3.464)


def test_one_signal_and_compatibility(cards: Path) -> None:
    workspace = combine.read(cards / "datacard-5-multi-signal.txt")
    model = flatten(workspace)
    data = observed(model, workspace)
    result = fit(model, data, minos=["r"])
    assert_estimate(result.parameters["r"], 1.4812, -0.5987, 0.6644)
    found = compatibility(workspace, data)
    assert found.statistic == pytest.approx(1.5417, abs=2e-4)
    assert found.separate.parameters["r_dijet"].value == pytest.approx(3.5554, abs=1e-3)
    assert found.separate.parameters["r_incl"].value == pytest.approx(1.1506, abs=1e-3)


PART3 = ("datacard_part3.txt", "datacard_part3_DY_cr.txt", "datacard_part3_ttbar_cr.txt")


def fit_part3(folder: Path, names: tuple[str, ...]) -> FitResult:
    model = flatten(combine.read(*(folder / name for name in names)))
    return fit(model, asimov(model), minos=["r"])


def test_templates_with_control_regions(cards: Path) -> None:
    assert_estimate(fit_part3(cards, PART3).parameters["r"], 1.0, -0.417238, 0.450593)


def edited(cards: Path, folder: Path, added: dict[str, tuple[str, ...]]) -> Path:
    for path in cards.glob("datacard_part3*"):
        shutil.copy(path, folder)
    for name, lines in added.items():
        with (folder / name).open("a") as file:
            file.write("\n".join(["", *lines, ""]))
    return folder


def test_rates_from_control_regions(cards: Path, tmp_path: Path) -> None:
    """With the rateParams that the tutorial adds, the answer comes back to 1e-4."""
    top, z = "rate_ttbar rateParam * ttbar 1 [0,5]", "rate_Zll rateParam * {} 1 [0,5]"
    added = {PART3[0]: (top, z.format("Ztautau")), PART3[1]: (top, z.format("Zmumu")), PART3[2]: (top,)}
    r = fit_part3(edited(cards, tmp_path, added), PART3).parameters["r"]
    assert r.minus == pytest.approx(-0.417238, rel=2e-4)
    assert r.plus == pytest.approx(0.450593, rel=2e-4)


def test_signal_region_with_uncertain_rates(cards: Path, tmp_path: Path) -> None:
    """The tutorial's card without control regions has these four more uncertainties."""
    lines = (
        "xsec_ttbar lnN 1.06 - - - -",
        "xsec_Z lnN - - 1.04 - -",
        "acceptance_ttbar lnN 1.005 - - - -",
        "acceptance_Z lnN - - 1.08 - -",
    )
    r = fit_part3(edited(cards, tmp_path, {PART3[0]: lines}), PART3[:1]).parameters["r"]
    assert r.minus == pytest.approx(-0.465799, rel=2e-4)
    assert r.plus == pytest.approx(0.502088, rel=2e-4)


def test_a_large_model_converges_from_anywhere(cards: Path) -> None:
    """171 parameters; the templates of some end at zero near the minimum, where MIGRAD does not converge."""
    workspace = combine.read(cards / "htt" / "combined.txt", mass="200")
    model = flatten(workspace)
    data = observed(model, workspace)
    first = fit(model, data)
    assert first.converged
    start = {"r": 1.0, "lumi_13TeV": 1.0, "rate_TT": 1.3, "CMS_eff_t_13TeV": -1.0}
    second = fit(model, data, start=start)
    assert second.nll == pytest.approx(first.nll, abs=1e-6)
    r = first.parameters["r"]
    assert abs(second.parameters["r"].value - r.value) < 1e-3 * r.error
    with pytest.raises(InputError, match="choose one with mass="):
        combine.read(cards / "htt" / "combined.txt")


CARD = """imax 1
observation 5
bin b b
process s z
process 0 1
rate 2.0 3.0
lumi lnN 1.02 -
"""


def card(folder: Path, text: str) -> Path:
    path = folder / "card.txt"
    path.write_text(text.replace("observation", "bin b\nobservation", 1))
    return path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x lnX 1.1 -", r"line 9: unknown directive 'lnX' of 'x'; known: lnN, lnU, gmN"),
        ("x shapeN 1 -", "shapeN is not supported"),
        ("pdfindex discrete", "discrete is not supported: a discrete choice of functions lives in a RooWorkspace"),
        ("x lnN 1.1", "1 values for 2 columns"),
        ("x lnN -1.1 -", "'-1.1', expected a positive number"),
        ("x lnN nan/1.1 -", "expected a positive number"),
        ("x rateParam b z file.root:w", "needs the RooWorkspace"),
        ("lonely", "unknown directive 'lonely'"),
        ("nuisance edit merge * * a b", "nuisance edit merge: known are add PROCESS"),
    ],
)
def test_bad_lines_are_refused_by_name(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        combine.read(card(tmp_path, CARD + line + "\n"))


def test_a_workspace_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "w.root").touch()
    with pytest.raises(InputError, match="'w:data_obs' of 'data_obs' in 'b' is in a RooWorkspace: refused"):
        combine.read(card(tmp_path, "shapes * * w.root w:$PROCESS\n" + CARD))


def test_a_poi_that_scales_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="signal 's' in 'b' is scaled by no parameter of interest"):
        combine.read(card(tmp_path, CARD), pois=("nope",))
    with pytest.raises(InputError, match="no expected yield depends on the parameter of interest 'r_z'"):
        combine.read(card(tmp_path, CARD), pois=("r", "r_z"))


def test_gamma_uniform_and_formula(tmp_path: Path) -> None:
    lines = "side gmN 30 - 0.1\nflat lnU - 1.5\nk rateParam b z 1 [0.5,2]\nl rateParam b s (1+@0)/2 k\n"
    workspace = combine.read(card(tmp_path, CARD + lines))
    model = flatten(workspace)
    assert dict(zip(model.names, [p.kind for p in model.parameters], strict=True)) == {
        "r": "free", "k": "free", "lumi": "nuisance", "side": "gamma", "flat": "nuisance",
    }  # fmt: skip
    assert model.parameters[model.index("flat")].constraint is None
    from gpuhiggs.inference.batch import expected

    theta = model.values({"r": 2.0, "k": 1.4, "lumi": 0.5, "side": 0.9, "flat": -0.5})
    signal, background = 2.0 * 2.0 * (1 + 1.4) / 2 * 1.02**0.5, 3.0 * 1.4 * 0.9 * 1.5**-0.5
    assert expected(model, theta)[0][0] == pytest.approx(signal + background, rel=1e-13)


def test_a_card_written_is_read_back(cards: Path, tmp_path: Path) -> None:
    workspace = combine.read(*(cards / name for name in PART3))
    combine.write(workspace, tmp_path / "out.txt")
    again = combine.read(tmp_path / "out.txt")
    one, two = flatten(workspace), flatten(again)
    assert set(one.names) == set(two.names)
    results = [fit(model, asimov(model), minos=["r"]) for model in (one, two)]
    r, s = (result.parameters["r"] for result in results)
    assert s.minus == pytest.approx(r.minus, rel=1e-5)
    assert s.plus == pytest.approx(r.plus, rel=1e-5)


def test_thin_bins_have_a_factor_a_process(cards: Path, tmp_path: Path) -> None:
    folder = edited(cards, tmp_path, {})
    text = (folder / PART3[0]).read_text().replace("autoMCStats 0", "autoMCStats 100000")
    (folder / PART3[0]).write_text(text)
    model = flatten(combine.read(folder / PART3[0]))
    kinds = [parameter.kind for parameter in model.parameters]
    assert "shapesys" in kinds
    assert np.isfinite(fit(model, asimov(model)).parameters["r"].error)
