"""The figures of ``gpuhiggs fit --plots``: those of the report, of a model without a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import RunConfig
from ..inference import Data, FitResult, FlatModel, NormFactor
from ..inference.answer import Answer
from ..inference.model import modifiers_of
from ..inference.parametric.command import PeakAnswer
from ..inference.scan import Scan2DResult
from . import (
    after_fit,
    budget,
    correlation,
    cross_sections,
    files,
    goodness,
    likelihood_plane,
    likelihood_scan,
    peak_figures,
    posterior,
    pulls,
)
from .figure import Block, Figure, Missing, Section
from .record import Record
from .statistics import Statistics


@dataclass(frozen=True)
class _Bare(Record):
    """What stands for a run where there is none: no title, no luminosity, the samples of a model."""

    of_interest: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()

    @property
    def conditions(self) -> str:
        """What was fitted."""
        return self.name

    @property
    def signals(self) -> list[str]:
        """The samples that a parameter of interest scales."""
        return list(self.of_interest)

    def of_kind(self, kind: str) -> list[str]:
        """Return the samples, which are simulation."""
        return list(self.samples) if kind == "simulation" else []


@dataclass(frozen=True)
class _Fitted(Statistics):
    """A model whose fit is known already."""

    answer: Answer

    @property
    def model(self) -> FlatModel:
        """The model."""
        return self.answer.model

    @property
    def data(self) -> Data:
        """The data set."""
        return self.answer.data

    @property
    def best(self) -> FitResult:
        """The fit."""
        return self.answer.best

    @property
    def is_observed(self) -> bool:
        """Whether the data set is what was observed."""
        return self.answer.is_observed

    @property
    def what(self) -> str:
        """What is fitted, in words."""
        return f"Fit to {'data' if self.is_observed else 'what is expected (Asimov)'}; {self.run.conditions}"


def figures(answer: Answer) -> list[Block]:
    """Return the figures of everything that was asked for, the correlations and the distributions after the fit."""
    found = _Fitted(_run(answer), answer.workspace, answer)
    blocks: list[Block] = [after_fit.figure(found), correlation.figure(found)]
    for scan in answer.scans.values():
        if isinstance(scan, Scan2DResult):
            blocks.append(likelihood_plane.figure(found, scan))
        else:
            blocks.append(likelihood_scan.figure(found, scan))
    if answer.impacts:
        blocks.append(pulls.figure(found, answer.impacts[answer.model.poi]))
    if answer.budgets:
        blocks.append(budget.figure(found, answer.budgets[answer.model.poi]))
    if answer.goodness is not None and len(answer.goodness.toys):
        blocks.append(goodness.figure(found, answer.goodness))
    if answer.posterior is not None:
        names = [name for name in (*answer.model.pois, *answer.posterior.names) if name in answer.posterior.names]
        blocks.append(posterior.figure(found, answer.posterior, list(dict.fromkeys(names))[: posterior.PANELS]))
    if answer.unfolded is not None:
        what = "Correlations of the unfolded cross sections."
        blocks.append(cross_sections.figure(found, answer.unfolded))
        matrix = answer.unfolded.correlation
        blocks.append(correlation.matrix_of(found, answer.unfolded.names, matrix, "cross_sections_correlation", what))
    return blocks


def write(answer: Answer | PeakAnswer, folder: Path) -> list[str]:
    """Draw the figures into a folder, with the numbers behind them; return the words of those that are not there.

    Of a fit that did not converge there are none.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    if isinstance(answer, Answer) and not answer.best.converged:
        return ["the fit did not converge"]
    blocks = _distinct(figures(answer) if isinstance(answer, Answer) else peak_figures.figures(answer))
    (shown,) = files.write_all([Section("fit", "Fit", blocks)], folder)
    return [f"{block.title}: {block.reason}" for block in shown.blocks if isinstance(block, Missing)]


def _distinct(blocks: Sequence[Block]) -> list[Block]:
    """Give a number to figures that are called as one before them: two scans of one parameter."""
    seen: Counter[str] = Counter()
    made: list[Block] = []
    for block in blocks:
        if isinstance(block, Figure):
            seen[block.name] += 1
            if seen[block.name] > 1:
                block = replace(block, name=f"{block.name}_{seen[block.name]}")
        made.append(block)
    return made


def _run(answer: Answer) -> _Bare:
    samples = {sample.name: sample for _, sample in answer.workspace.blocks()}
    scaled = {
        sample.name
        for _, sample in answer.workspace.blocks()
        if {m.parameter for m in modifiers_of(sample, NormFactor)} & set(answer.model.pois)
    }
    config: Any = RunConfig.model_construct(
        title="", sqrt_s=None, datasets=(), nonprompt=None, processes={}, model=None
    )
    channels = f"{len(answer.workspace.channels)} channel{'s' * (len(answer.workspace.channels) > 1)}"
    return _Bare(
        f"{channels}, {len(answer.model.names)} parameters", Path(), config, {}, {}, {}, {},
        tuple(name for name in samples if name in scaled), tuple(samples),
    )  # fmt: skip
