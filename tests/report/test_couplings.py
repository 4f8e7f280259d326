"""The figures and tables of the interpretation: all there, with captions and numbers that are those of the world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.interpret import sm
from gpuhiggs.interpret.tables import load
from gpuhiggs.report import couplings
from gpuhiggs.report.couplings import differential, fits, labels, marks
from gpuhiggs.report.figure import Block, Figure, Missing, Section, Table, Words
from gpuhiggs.report.numbers import Numbers, to_hepdata, to_json
from gpuhiggs.report.style import style

mpl.use("agg")


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    return couplings.sections(["atlas-run2"], [])


def blocks(found: list[Section]) -> list[Block]:
    return [block for section in found for block in section.blocks]


def named(found: list[Section], name: str) -> tuple[Numbers, ...]:
    (block,) = (b for b in blocks(found) if isinstance(b, Figure | Table) and b.name == name)
    return block.numbers if isinstance(block, Figure) else (block.numbers,)


def column(numbers: Numbers, name: str) -> np.ndarray:
    return np.array(next(c.values for c in numbers.columns if c.name == name))


def test_all_that_a_reader_looks_for_is_there(sections: list[Section]) -> None:
    found = blocks(sections)
    names = [b.name for b in found if isinstance(b, Figure | Table)]
    assert len(names) == len(set(names)) == len(found), [b for b in found if isinstance(b, Missing | Words)]
    assert {
        "signal_strengths", "strengths_by_channel", "values_kappa_effective", "kappa_V_kappa_F", "cross_section_energy",
        "branching_ratios", "production_shares", "coupling_against_mass", "mass_precision", "correlations_kappa",
        "width_lifetime", "deviations", "smeft_coefficients", "smeft_directions", "benchmarks", "partial_widths",
        "higgs_pt", "higgs_pt_energies", "perturbative_orders", "planes_2hdm", "plane_hmssm", "projections",
        "branching_ratio_table", "signal_strength_table", "differential_table", "coupling_table", "fit_parameters",
        "kappa_correlation_table", "goodness_of_fit_table", "posterior_table",
    } <= set(names)  # fmt: skip
    for block in found:
        assert isinstance(block, Figure | Table)
        assert block.caption.endswith("."), block.name
        numbers = block.numbers if isinstance(block, Figure) else (block.numbers,)
        assert all(part.rows for part in numbers), block.name
        json.dumps(to_json(numbers), allow_nan=False)
        assert to_hepdata(numbers, block.name, block.caption)


def test_every_figure_draws(sections: list[Section]) -> None:
    """Each is drawn, has something in it and names its axes; no text is left without a glyph (a warning)."""
    for block in blocks(sections):
        if not isinstance(block, Figure):
            continue
        with style():
            figure = block.draw()
            figure.draw_without_rendering()
            assert any(axes.has_data() for axes in figure.axes), block.name
            assert any(axes.get_xlabel() or axes.get_xticklabels() for axes in figure.axes), block.name
            plt.close(figure)


def test_numbers_are_those_of_the_world(sections: list[Section]) -> None:
    # Nature 607 (2022) 52, figure 5 (κ with resolved loops) and m/v of the top quark.
    mass = named(sections, "coupling_against_mass")[0]
    by_particle = dict(zip(column(mass, "particle"), column(mass, "kappa"), strict=True))
    for particle, value, error in (("t", 0.948, 0.067), ("b", 0.897, 0.11), ("tau", 0.936, 0.073), ("Z", 0.990, 0.057)):
        assert abs(by_particle[particle] - value) < 0.35 * error
    assert column(mass, "SM")[-1] == pytest.approx(172.69 / 246.22, rel=1e-4)
    # Yellow Report 4: 48.52 pb at 13 TeV; the shares of the modes add up.
    shares = named(sections, "production_shares")[0]
    assert column(shares, "share at 13 TeV").sum() == pytest.approx(100.0)
    assert column(shares, "share at 13 TeV")[0] == pytest.approx(87.2, abs=0.1)
    # arXiv:1602.00695: 16.00, 34.79 and 48.58 pb.
    assert column(named(sections, "perturbative_orders")[0], "sigma")[[0, 1, 3]] == pytest.approx([16.0, 34.79, 48.58])
    # Γ = 4.10 MeV and 1.6e-22 s in the SM; the fit lies below, with κ_b = 0.9.
    width = named(sections, "width_lifetime")[0]
    assert column(width, "lifetime") * column(width, "width") == pytest.approx(np.full(width.rows, 6.582), rel=1e-3)


def test_contour_of_kappa_v_and_kappa_f(sections: list[Section]) -> None:
    """Figure 4 of Nature 607 (2022) 52: the box around its 95 % contour, to a third of a standard deviation."""
    (contour,) = named(sections, "kappa_V_kappa_F")
    outer = column(contour, "contour") == "95 %"
    for name, low, high, sigma in (("kappa_V", 0.9612, 1.1118, 0.031), ("kappa_F", 0.8353, 1.0797, 0.050)):
        values = column(contour, name)[outer]
        assert values.min() == pytest.approx(low, abs=0.35 * sigma)
        assert values.max() == pytest.approx(high, abs=0.35 * sigma)


def test_spectrum_has_the_cross_section() -> None:
    """The bins below 450 GeV have all but a permille of the cross section; gluon fusion peaks near 10 GeV."""
    value, up, down = differential.total_spectrum()
    edges = np.array(load("higgs_pt")["edges"])
    modes = ("ggH", "VBF", "WH", "ZH", "ttH")
    total = sum(sm.cross_section(mode, 13.0).value for mode in modes)
    assert (value * np.diff(edges)).sum() == pytest.approx(total, rel=5e-3)
    assert 5 <= edges[np.argmax(value)] <= 20
    assert np.all(up > 0)
    assert np.all(down > 0)


def test_published_spectra_have_their_totals() -> None:
    """57.0 pb (arXiv:1805.10197) and 61.1 pb (arXiv:1812.06504): the edges, which the source lacks, are right."""
    for item, total in zip(load("differential")["pt"], (57.0, 61.1), strict=True):
        integral = (np.array(item["value"]) * np.diff(item["edges"])).sum()
        assert integral == pytest.approx(total, rel=0.03)


def test_without_measurements_predictions_remain() -> None:
    found = blocks(couplings.sections([], []))
    assert {b.name for b in found if isinstance(b, Figure)} == {
        "cross_section_energy", "production_shares", "mass_precision", "higgs_pt", "higgs_pt_energies", "projections",
    }  # fmt: skip
    missing = [b for b in found if isinstance(b, Missing)]
    assert missing
    assert all("No measurements were given" in b.reason for b in missing)


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown data 'atlas'"):
        couplings.sections(["atlas"], [])
    found = blocks(couplings.sections([], [tmp_path]))
    assert any(isinstance(b, Words) and "not the folder of a finished run" in b.lines[0] for b in found)
    assert any(isinstance(b, Missing) and "not the folder" in b.reason for b in found)


def test_what_the_data_do_not_determine_is_said_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """γγ alone has four rates: neither five coupling modifiers nor nine, but those of the loops."""
    found = fits.Fits(["atlas-run2"], [])
    whole = found._inputs(("atlas-run2",), "strengths")[0]
    rows = [i for i, entry in enumerate(whole.entries) if entry.decay == "gammagamma"][:4]
    few = replace(
        whole, entries=tuple(whole.entries[i] for i in rows), correlation=whole.correlation[np.ix_(rows, rows)],
        supplements=(), theory=None,
    )  # fmt: skip
    monkeypatch.setattr(found, "_inputs", lambda names, view: (few,))
    with pytest.raises(RunError, match=r"4 measured rates do not determine the \d parameters of kappa-effective"):
        found.fit("atlas-run2", "kappa-effective")
    assert found.kappas == "kappa-loops"
    assert 0.8 < found.fit("atlas-run2", "kappa-loops").parameters["kappa_gamma"].value < 1.2


def test_labels() -> None:
    assert labels.parameter("kappa_Zgamma") == r"$\kappa_{Z\gamma}$"
    assert labels.parameter("mu_ttH") == r"$\mu_{t\bar{t}H}$"
    assert labels.operator("chg") == "$c_{HG}$"
    assert labels.operator("chj3") == "$c_{Hj}^{(3)}$"
    figure, axes = plt.subplots()
    axes.set(yscale="log", ylim=(0.01, 100))
    marks.end_labels(axes, {"a": (1.0, "black"), "b": (1.01, "black"), "c": (0.5, "red")})
    heights = sorted(text.get_position()[1] for text in axes.texts)
    assert min(np.diff(heights)) == pytest.approx(0.045, abs=1e-3)
    plt.close(figure)
