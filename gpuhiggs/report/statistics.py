"""The statistical model of a finished run, with the fit that all figures of it share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from .. import inference
from ..inference import Data, FitResult, FlatModel, Workspace
from . import run_folder
from .record import Record

PULLED = 25
"""Nuisance parameters that a figure has room for."""


@dataclass(frozen=True)
class Statistics:
    """A model with one data set: what was observed, or what is expected where nothing was."""

    run: Record
    workspace: Workspace

    @cached_property
    def model(self) -> FlatModel:
        """The model, laid out."""
        return inference.flatten(self.workspace)

    @property
    def is_observed(self) -> bool:
        """Whether there are data."""
        return all(channel.observed is not None for channel in self.workspace.channels)

    @cached_property
    def data(self) -> Data:
        """The data set."""
        return self.data_of(self.workspace, self.model)

    def data_of(self, workspace: Workspace, model: FlatModel) -> Data:
        """Return the data set of a workspace with the same channels."""
        return inference.observed(model, workspace) if self.is_observed else inference.asimov(model)

    @cached_property
    def best(self) -> FitResult:
        """The fit."""
        return inference.fit(self.model, self.data, minos=self.model.pois)

    @property
    def what(self) -> str:
        """What is fitted, in words, for captions."""
        return f"Fit to {'data' if self.is_observed else 'what is expected (Asimov, μ = 1)'}; {self.run.conditions}"


def load(run: Record) -> Statistics | None:
    """Read the workspace of a run; None if it left none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    path = run.folder / run_folder.WORKSPACE
    return Statistics(run, inference.load_workspace(path)) if path.exists() else None


def readable(name: str) -> str:
    """Return a parameter's name as text."""
    return name.replace("_", " ")


def in_words(name: str) -> str:
    """Return a parameter's name as a caption has it: ``mu_ggH`` as μ ggH."""
    return readable("μ" + name.removeprefix("mu") if name == "mu" or name.startswith("mu_") else name)
