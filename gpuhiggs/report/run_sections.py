"""The sections of one run's report: what its page has at once, and what ``gpuhiggs report`` adds."""

from __future__ import annotations

from . import cutflow, n_minus_one, performance, provenance, stack, strength, workflow
from .figure import Block, Missing, Section
from .record import Record


def sections(run: Record) -> list[Section]:
    """Return what can be said at the end of a run, without any further fit."""
    selection = cutflow.blocks(run)
    if (others := n_minus_one.figure(run)) is not None:
        selection.append(others)
    return [
        Section("overview", "Overview", [workflow.figure(run), *provenance.cautions(run)]),
        Section("strength", "Signal strength", strength.blocks(run)),
        Section("distributions", "Distributions", _distributions(run)),
        Section("selection", "Selection", selection),
        Section("performance", "Performance", performance.blocks(run)),
        Section("provenance", "Data and provenance", [provenance.datasets(run), provenance.again(run)]),
    ]


def _distributions(run: Record) -> list[Block]:
    names = [name for name, parts in run.histograms.items() if parts and not name.startswith(n_minus_one.PREFIX)]
    return [stack.figure(run, name) for name in names] or [Missing("Distributions", "No dataset could be processed.")]
