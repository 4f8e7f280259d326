"""Tables of the interpretation: ratios, strengths, couplings, fit parameters, goodness of fit, posteriors."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from ...errors import GpuhiggsError
from ...interpret import Combination, Estimate, posterior
from ...interpret.tables import load
from ..figure import Table
from ..numbers import Column, Errors, Numbers, symmetric
from ..strength import BOUND
from . import differential
from .branching import branching_numbers, measured_branching
from .coupling_modifiers import MASSES, VACUUM, interval_numbers
from .fits import Fits

MODELS = (
    "mu", "mu-production", "mu-decay", "kappa-vf", "kappa-loops", "kappa-resolved", "kappa-effective",
    "kappa-bsm-decays", "lambda-ratios",
)  # fmt: skip
"""Of the tables of fit parameters and of goodness of fit."""


def strengths(fits: Fits) -> Table:
    """Return signal strengths by production and by decay."""
    rows = [
        (fits.plain(which), name, one)
        for which in fits.sets
        for model in ("mu", "mu-production", "mu-decay")
        for name, one in fits.fit(which, model).parameters.items()
    ]
    caption = "Signal strengths with 68 % intervals: global, by production (SM decays), by decay (SM production). "
    return Table("signal_strength_table", "Signal strengths", caption + fits.sources(), _estimates(rows, "mu"))


def _estimates(rows: Sequence[tuple[str, str, Estimate]], quantity: str) -> Numbers:
    plus = [one.plus or one.error for *_, one in rows]
    minus = [one.minus or -one.error for *_, one in rows]
    remarks = [BOUND if one.at_bound else "" if one.error else "(held)" for *_, one in rows]
    return Numbers(
        (
            Column("data", [title for title, *_ in rows], independent=True),
            Column("parameter", [name for _, name, _ in rows], independent=True),
            Column(quantity, [one.value for *_, one in rows], errors=(Errors(plus, minus),), remarks=remarks),
        )
    )


def branching(fits: Fits) -> Table:
    """Return measured and predicted branching ratios."""
    caption = "Branching ratios at m_H = 125.09 GeV, measured with SM cross sections, and of Yellow Report 4. "
    return Table("branching_ratio_table", "Branching ratios", caption + fits.sources(),
                 branching_numbers(measured_branching(fits)))  # fmt: skip


def couplings(fits: Fits) -> Table:
    """Return the couplings of fermions and bosons in absolute terms."""
    resolved = fits.intervals(fits.best, "kappa-resolved")
    particles = [p for p in MASSES if f"kappa_{p}" in resolved]
    kappa = [resolved[f"kappa_{p}"] for p in particles]
    bosons = [p in "WZ" for p in particles]
    standard = np.array(
        [2 * MASSES[p] ** 2 / VACUUM if b else MASSES[p] / VACUUM for p, b in zip(particles, bosons, strict=True)]
    )
    value = np.array([k.value for k in kappa])
    low = np.array([k.value if k.low_68 is None else k.low_68 for k in kappa])
    high = np.array([k.value if k.high_68 is None else k.high_68 for k in kappa])
    return Table(
        "coupling_table",
        "Couplings of fermions and bosons",
        "Couplings of the Higgs boson: Yukawa couplings m_f/v of fermions and 2 m_V²/v in GeV of W and Z, times κ of"
        " the fit"
        " with resolved loops; 68 % intervals. Masses: Particle Data Group 2022. " + fits.sources(fits.best),
        Numbers(
            (
                Column("particle", particles, independent=True),
                Column("unit", ["GeV" if b else "1" for b in bosons]),
                Column("SM", standard),
                Column(
                    "coupling", value * standard, errors=(Errors((high - value) * standard, (low - value) * standard),)
                ),
                Column("kappa", value, errors=(Errors(high - value, low - value),)),
            )
        ),
    )


def kappas(fits: Fits) -> list[Table]:
    """Return the coupling modifiers with effective loops, and their correlations."""
    values = Table(
        "kappa_table",
        "Coupling modifiers with effective loops",
        f"Best fit ({fits.of_kappas()}) with 68 % and 95 % intervals. " + fits.sources(),
        interval_numbers(fits, {which: fits.intervals(which, fits.kappas) for which in fits.sets}),
    )
    found = fits.fit(fits.best, fits.kappas)
    correlation = Table(
        "kappa_correlation_table",
        "Correlations of the coupling modifiers",
        f"From the curvature of -2 ln L at the best fit ({fits.of_kappas()}). " + fits.sources(fits.best),
        Numbers(
            (
                Column("parameter", list(found.free), independent=True),
                *(Column(name, found.correlation[:, j].round(3), format=".2f") for j, name in enumerate(found.free)),
            )
        ),
    )
    return [values, correlation]


def spectrum(fits: Fits) -> Table:
    """Return the differential cross section, predicted and measured."""
    value, up, down = differential.total_spectrum()
    edges = np.array(load("higgs_pt")["edges"], dtype=float)
    rows: list[tuple[str, float, float, float, float, float]] = [
        ("simulated", *span) for span in zip(edges[:-1], edges[1:], value, up, down, strict=True)
    ]
    for item in load("differential")["pt"]:
        for span in zip(
            item["edges"][:-1], item["edges"][1:], item["value"], item["error"], item["error"], strict=True
        ):
            rows.append((f"{item['experiment']}, {item['luminosity']} fb⁻¹", *span))
    low, high = (np.array([row[i] for row in rows]) for i in (1, 2))
    caption = (
        "dσ/dpT of pp → H at 13 TeV, simulated (errors: scales) and published (errors: total). " + differential.MADE_BY
    )
    return Table(
        "differential_table",
        "Differential cross section",
        caption + ".",
        Numbers(
            (
                Column("data", [row[0] for row in rows], independent=True),
                Column("pT from", low, "GeV", independent=True),
                Column("pT to", high, "GeV", independent=True),
                Column("dsigma/dpT", [row[3] for row in rows], "pb/GeV",
                       errors=(Errors([row[4] for row in rows], [-row[5] for row in rows]),)),
            )
        ),
    )  # fmt: skip


def _all(fits: Fits) -> list[tuple[str, Combination]]:
    """Return every fit that the data determine."""
    found = []
    for which in fits.sets:
        for model in MODELS:
            with contextlib.suppress(GpuhiggsError):
                found.append((fits.plain(which), fits.fit(which, model)))
    return found


def parameters(fits: Fits) -> Table:
    """Return every fitted parameter of the models of this report."""
    rows = [(title, f"{one.model}: {name}", est) for title, one in _all(fits) for name, est in one.parameters.items()]
    caption = (
        "Fitted parameters with 68 % intervals, by data and model; a parameter that the data do not measure is held. "
    )
    return Table("fit_parameters", "Fit parameters", caption + fits.sources(), _estimates(rows, "value"))


def goodness(fits: Fits) -> Table:
    """Return χ², degrees of freedom and p-values of each fit."""
    rows = _all(fits)
    caption = (
        "Goodness of fit: χ² = -2 ln L at the minimum, with its p-value, and p of the SM against the model, from the"
        " difference of their χ². " + fits.sources()
    )
    return Table(
        "goodness_of_fit_table",
        "Goodness of fit",
        caption,
        Numbers(
            (
                Column("data", [title for title, _ in rows], independent=True),
                Column("model", [one.model for _, one in rows], independent=True),
                Column("chi2", [one.chi2 for _, one in rows], format=".1f"),
                Column("ndof", [one.ndof for _, one in rows]),
                Column("p-value", [one.p_value for _, one in rows], format=".3f"),
                Column("chi2 of the SM", [one.chi2_sm for _, one in rows], format=".1f"),
                Column("p of the SM", [one.p_sm for _, one in rows], format=".3f"),
            )
        ),
    )


def posteriors(fits: Fits) -> Table:
    """Return summaries of the posteriors beside the profile likelihood."""
    rows = []
    for model in ("mu", "kappa-vf", *dict.fromkeys(("kappa-resolved", fits.kappas))):
        with contextlib.suppress(GpuhiggsError):  # the data may not determine all of a model's parameters
            drawn = posterior.weighted(fits.problem(fits.best, model), draws=10_000)
            fitted = fits.fit(fits.best, model).parameters
            rows += [(model, name, one, fitted[name], drawn.priors[name]) for name, one in drawn.marginals.items()]
    caption = (
        "Marginal posteriors with flat priors within bounds and a unit Gaussian for each theory nuisance, sampled by"
        " weighted points around the best fit (effective number given), beside the profile likelihood (68 %). "
        + fits.sources(fits.best)
    )
    return Table(
        "posterior_table",
        "Posterior summaries",
        caption,
        Numbers(
            (
                Column("model", [row[0] for row in rows], independent=True),
                Column("parameter", [row[1] for row in rows], independent=True),
                Column("mean", [row[2].mean for row in rows], errors=(symmetric((row[2].sd for row in rows), "sd"),)),
                Column("median", [row[2].median for row in rows],
                       errors=(Errors([row[2].high_68 - row[2].median for row in rows],
                                      [row[2].low_68 - row[2].median for row in rows], "68 %"),)),
                Column("95 % from", [row[2].low_95 for row in rows]),
                Column("95 % to", [row[2].high_95 for row in rows]),
                Column("profile likelihood", [row[3].value for row in rows],
                       errors=(symmetric((row[3].error for row in rows), "68 %"),)),
                Column("effective samples", [round(row[2].ess) for row in rows]),
                Column("prior", [row[4] for row in rows]),
            )
        ),
    )  # fmt: skip
