"""The part of a report that interprets: strengths, couplings and what they exclude, published and of own runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import GpuhiggsError
from ..figure import Block, Missing, Section, Words

Maker = Callable[[], Block | list[Block]]


def sections(data: Sequence[str], folders: Sequence[Path]) -> list[Section]:
    """Return what measurements say of the couplings.

    Parameters
    ----------
    data
        Names of published measurements, such as ``atlas-run2``.
    folders
        Finished runs.

    Raises
    ------
    InputError
        If a published measurement is unknown.
    """
    from . import (
        beyond,
        branching,
        coupling_modifiers,
        cross_sections,
        differential,
        eft,
        future,
        kappa_plane,
        strengths,
        tables,
        width_and_mass,
    )
    from .fits import Fits

    fits = Fits(data, folders)
    nothing = not fits.sets

    def made(title: str, maker: Maker, *, fitted: bool = True) -> list[Block]:
        if fitted and nothing:
            return [
                Missing(title, "No measurements were given: name some with --data, or a run that ended with a fit.")
            ]
        try:
            with np.errstate(divide="ignore", invalid="ignore"):  # a fit may try where a coupling is zero
                found = maker()
        except (GpuhiggsError, np.linalg.LinAlgError) as error:  # a fit that the data do not determine
            return [Missing(title, f"{error}.")]
        return found if isinstance(found, list) else [found]

    def kappa(model: str, title: str) -> list[Block]:
        return made(title, lambda: coupling_modifiers.values(fits, model, title))

    left_out: list[Block] = [Words(tuple(fits.left_out), "Not combined", "warning")] if fits.left_out else []
    found = [
        Section(
            "strengths",
            "Signal strengths",
            [
                *left_out,
                *made("Signal strengths", lambda: strengths.summary(fits)),
                *made("Signal strengths by channel", lambda: strengths.channels(fits)),
                *made("Correlations of the signal strengths", lambda: strengths.correlations(fits)),
                *made("Signal strengths", lambda: tables.strengths(fits)),
            ],
        ),
        Section(
            "couplings",
            "Couplings",
            [
                *made("Couplings against masses", lambda: coupling_modifiers.against_mass(fits)),
                *made("κ_V and κ_F", lambda: kappa_plane.contours(fits)),
                *made("κ_V and κ_F by decay mode", lambda: kappa_plane.contours_by_decay(fits)),
                *kappa("kappa-resolved", "Coupling modifiers, loops resolved"),
                *kappa("kappa-loops", "Effective couplings to gluons and photons, all others as in the SM"),
                *kappa("kappa-effective", "Coupling modifiers with effective loops"),
                *kappa("kappa-bsm-decays", "Coupling modifiers and decays beyond the SM, κ_W and κ_Z ≤ 1"),
                *made("Correlations of the couplings", lambda: coupling_modifiers.correlations(fits)),
                *made("Deviations from the SM", lambda: coupling_modifiers.deviations(fits)),
                *made("Couplings of fermions and bosons", lambda: tables.couplings(fits)),
                *made("Table of coupling modifiers", lambda: [*tables.kappas(fits)]),
            ],
        ),
        Section(
            "production_decay",
            "Cross sections, branching ratios, width and mass",
            [
                *made("Cross section against √s", lambda: cross_sections.against_energy(fits), fitted=False),
                *made("Production mechanisms", lambda: cross_sections.production_shares(fits), fitted=False),
                *made("Gluon fusion order by order", lambda: cross_sections.orders(fits)),
                *made("Branching ratios", lambda: branching.branching_ratios(fits)),
                *made("Branching ratios", lambda: tables.branching(fits)),
                *made("Width and lifetime", lambda: width_and_mass.total_width(fits)),
                *made("Partial widths", lambda: width_and_mass.partial_widths(fits)),
                *made("Precision of the mass", lambda: width_and_mass.mass_against_luminosity(folders), fitted=False),
            ],
        ),
        Section(
            "differential",
            "Transverse momentum",
            [
                *made("pT of the Higgs boson", lambda: differential.measured(fits), fitted=False),
                *made("dσ/dpT by √s", lambda: differential.predicted(fits), fitted=False),
                *(differential.own(folder) for folder in folders),
                *made("Differential cross section", lambda: tables.spectrum(fits), fitted=False),
            ],
        ),
        Section(
            "beyond",
            "Beyond the Standard Model",
            [
                *made("SMEFT coefficients", lambda: eft.coefficients(fits)),
                *made("SMEFT directions", lambda: eft.directions(fits)),
                *made("Two-Higgs-doublet models", lambda: beyond.doublets(fits)),
                *made("hMSSM", lambda: beyond.hmssm(fits)),
                *made("Benchmarks", lambda: beyond.points(fits)),
            ],
        ),
        Section("projections", "Precision to come", made("Projections", lambda: future.precision(fits), fitted=False)),
        Section(
            "fits",
            "Fits",
            [
                *made("Fit parameters", lambda: tables.parameters(fits)),
                *made("Goodness of fit", lambda: tables.goodness(fits)),
                *made("Posterior summaries", lambda: tables.posteriors(fits)),
            ],
        ),
    ]
    return [replace(section, blocks=once(section.blocks)) for section in found]


def once(blocks: Sequence[Block]) -> list[Block]:
    """Say once what several things are missing for."""
    titles: dict[str, list[str]] = {}
    for block in blocks:
        if isinstance(block, Missing):
            titles.setdefault(block.reason, []).append(block.title)
    kept = [b for b in blocks if not isinstance(b, Missing)]
    return [*kept, *(Missing("; ".join(dict.fromkeys(names)), reason) for reason, names in titles.items())]
