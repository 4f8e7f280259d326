"""The sections of one run's report: what its page has at once, and what ``gpuhiggs report`` adds."""

from __future__ import annotations

from . import cutflow, performance, provenance, stack, strength, workflow
from .figure import Block, Missing, Section
from .record import Record

N_MINUS_ONE = "n_minus_one"


def sections(run: Record) -> list[Section]:
    """Return what can be said at the end of a run, without any further fit."""
    return [
        Section("overview", "Overview", [workflow.figure(run), *provenance.cautions(run)]),
        Section("strength", "Signal strength", strength.blocks(run)),
        Section("distributions", "Distributions", _stacks(run, n_minus_one=False)),
        Section("selection", "Selection", [*cutflow.blocks(run), *_stacks(run, n_minus_one=True)]),
        Section("performance", "Performance", performance.blocks(run)),
        Section("provenance", "Data and provenance", [provenance.datasets(run), provenance.again(run)]),
    ]


def _stacks(run: Record, *, n_minus_one: bool) -> list[Block]:
    names = [name for name, parts in run.histograms.items() if parts and name.startswith(N_MINUS_ONE) == n_minus_one]
    if not names and not n_minus_one:
        return [Missing("Distributions", "No dataset could be processed.")]
    return [stack.figure(run, name) for name in names]
