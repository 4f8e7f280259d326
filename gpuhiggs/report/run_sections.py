"""The sections of one run's report: what its page has at once, and what ``gpuhiggs report`` adds to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import GpuhiggsError
from . import (
    after_fit,
    budget,
    contours,
    correlation,
    cutflow,
    detection,
    event_display,
    goodness,
    n_minus_one,
    nonprompt,
    performance,
    posterior,
    provenance,
    pulls,
    stack,
    statistics,
    strength,
    strengths,
    workflow,
)
from .figure import Block, Figure, Missing, Section
from .record import Record
from .run_folder import WORKSPACE


def sections(run: Record) -> list[Section]:
    """Return what can be said at the end of a run, without any further fit."""
    return [
        Section("overview", "Overview", [workflow.figure(run), *provenance.cautions(run)]),
        Section("strength", "Signal strength", strength.blocks(run)),
        Section("distributions", "Distributions", _distributions(run)),
        Section("selection", "Selection", _selection(run)),
        Section("performance", "Performance", performance.blocks(run)),
        Section("provenance", "Data and provenance", [provenance.datasets(run), provenance.again(run)]),
    ]


def full(run: Record) -> list[Section]:
    """Return everything that a finished run has to show."""
    overview, answer, distributions, selection, speed, origin = sections(run)
    strengths_, behind = _fitted(run)
    display = _attempt("Event display", lambda: event_display.blocks(run))
    return [
        Section("overview", "Overview", [*overview.blocks, *detection.blocks(run)]),
        Section("strength", "Signal strength", [*answer.blocks, *strengths_]),
        Section("fit", "Behind the fit", behind),
        distributions,
        Section("event", "A selected event", display),
        selection,
        speed,
        origin,
    ]


def _fitted(run: Record) -> tuple[list[Block], list[Block]]:
    """Return what the statistical model says of the strength, and what is behind it; nothing where there is no fit."""
    if strength.no_fit(run) is not None:
        return [], []
    try:
        found = statistics.load(run)
    except GpuhiggsError as error:
        return [Missing("The statistical model", str(error))], []
    if found is None:
        return [Missing("The statistical model", f"The run left no {WORKSPACE}.")], []
    if not found.best.converged:
        return [Missing("The fit", " ".join(found.best.notes))], []
    return _of_strength(found), _of_fit(found)


def _of_strength(found: statistics.Statistics) -> list[Block]:
    return [
        *_attempt("Signal strengths side by side", lambda: strengths.blocks(found)),
        *_attempt("Contours", lambda: contours.blocks(found)),
        *_attempt("Uncertainty budget", lambda: budget.blocks(found)),
    ]


def _of_fit(found: statistics.Statistics) -> list[Block]:
    impacts = _attempt("Pulls and impacts", lambda: [pulls.figure(found)])
    important = [name for block in impacts if isinstance(block, Figure) for name in pulls.order(block)]
    return [
        *_attempt("Distributions after the fit", lambda: [after_fit.figure(found)]),
        *impacts,
        *_attempt("Correlations", lambda: [correlation.figure(found)]),
        *_attempt("Goodness of fit", lambda: goodness.blocks(found)),
        *_attempt("Posterior", lambda: posterior.blocks(found, [*found.model.pois, *important])),
    ]


def _attempt(title: str, make: Callable[[], Sequence[Block]]) -> list[Block]:
    """Return what is made, or the words why it cannot be."""
    try:
        return list(make())
    except (GpuhiggsError, ValueError, OSError) as error:
        return [Missing(title, str(error))]


def _distributions(run: Record) -> list[Block]:
    names = [name for name, parts in run.histograms.items() if parts and not name.startswith(n_minus_one.PREFIX)]
    names = [name for name in names if name.removesuffix("_coarse") not in set(names) - {name}]  # the same, wider bins
    return [stack.figure(run, name) for name in names] or [Missing("Distributions", "No dataset could be processed.")]


def _selection(run: Record) -> list[Block]:
    others = n_minus_one.figure(run)
    return cutflow.blocks(run) + ([] if others is None else [others]) + nonprompt.blocks(run)
