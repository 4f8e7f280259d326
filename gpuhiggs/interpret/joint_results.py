"""The results of several runs of the project's own, as one set of measurements: what is uncertain in common is so once.

The runs' workspaces are joined to one likelihood, in which nuisances of one name are one parameter: the luminosity, the
uncertainties of theory, the efficiencies. Its fit gives a signal strength for each production and decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import inference
from ..errors import InputError, RunError
from ..inference.joining import join, with_strengths
from . import own_results
from .measurements import Measurements
from .own_results import Run


class Joint(NamedTuple):
    """The likelihood of several runs.

    Attributes
    ----------
    runs
        The runs.
    workspace
        With a strength for each production and decay.
    shares
        Strength → expected signal events by production mode.
    decays
        Strength → decay.
    """

    runs: tuple[Run, ...]
    workspace: inference.Workspace
    shares: dict[str, dict[str, float]]
    decays: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the strengths."""
        return (self.workspace.poi, *self.workspace.pois)


def joint(folders: Sequence[Path]) -> Joint:
    """Join the likelihoods of finished runs.

    Raises
    ------
    InputError
        As `own_results.read_run`; if some runs have data and others none, or two folders have one name.
    """
    runs = tuple(own_results.read_run(folder) for folder in folders)
    if len({run.part for run in runs}) > 1:
        without = ", ".join(str(run.folder) for run in runs if run.part == "expected")
        msg = f"runs with data and without cannot be joined; there are no data in {without}"
        raise InputError(msg)
    names = [run.folder.resolve().name for run in runs]
    if twice := {name for name in names if names.count(name) > 1}:
        msg = f"runs are told apart by the names of their folders; {', '.join(sorted(twice))} is there twice"
        raise InputError(msg)
    shares: dict[str, dict[str, float]] = {}
    decays: dict[str, str] = {}
    parts = {}
    for name, run in zip(names, runs, strict=True):
        strengths = {strength: f"{strength}_{run.decay}" for strength in run.groups}
        for strength, new in strengths.items():
            decays[new] = run.decay
            of_strength = shares.setdefault(new, {})
            for mode, events in run.yields(strength).items():
                of_strength[mode] = of_strength.get(mode, 0.0) + events
        scaled = {process: strengths[strength] for strength, group in run.groups.items() for process in group}
        parts[name] = with_strengths(inference.load_workspace(run.folder / "workspace.json"), scaled)
    return Joint(runs, join(parts), shares, decays)


def fit(found: Joint, held: Sequence[str] = ()) -> inference.FitResult:
    """Fit all strengths of a joint likelihood to its data, or to what is expected; nuisances in *held* stay at 0.

    Raises
    ------
    RunError
        If the fit does not converge.
    """
    flat = inference.flatten(found.workspace)
    has_data = found.runs[0].part == "observed"
    data = inference.observed(flat, found.workspace) if has_data else inference.asimov(flat)
    fitted = inference.fit(flat, data, fixed=dict.fromkeys(held, 0.0), minos=found.names)
    if not fitted.converged:
        folders = ", ".join(str(run.folder) for run in found.runs)
        msg = f"the joint fit of {folders} did not converge: {' '.join(fitted.notes)}"
        raise RunError(msg)
    return fitted


def load(folders: Sequence[Path], *, without_prediction: bool = False) -> Measurements:
    """Return the strengths of runs with their correlation, as a set to combine.

    Parameters
    ----------
    folders
        Of finished runs.
    without_prediction
        Hold the uncertainties of the SM's prediction (`Run.prediction`): in a combination with measurements that do
        not contain them, nuisance parameters in common stand for them, and they would count twice.

    Raises
    ------
    InputError, RunError
        As `joint` and `fit`.
    """
    runs = [own_results.read_run(folder) for folder in folders]
    held = list(dict.fromkeys(name for run in runs for name in run.prediction)) if without_prediction else []
    if len(runs) == 1 and not held:
        return own_results.load(folders[0])
    found = joint(folders)
    return as_measurements(found, fit(found, held), held)


def as_measurements(found: Joint, fitted: inference.FitResult, held: Sequence[str] = ()) -> Measurements:
    """Return the fitted strengths of a joint likelihood as a set to combine; one that is not determined is left out.

    *held* are the nuisance parameters of the SM's prediction that were held in the fit.
    """
    names = [name for name in found.names if name in fitted.free]
    entries = []
    for name in names:
        estimate, total = fitted.parameters[name], sum(found.shares[name].values())
        entries.append(
            {
                "name": name,
                "decay": found.decays[name],
                "production": {mode: events / total for mode, events in found.shares[name].items()},
                "value": estimate.value,
                "minus": -estimate.minus if estimate.minus else estimate.error,
                "plus": estimate.plus if estimate.plus else estimate.error,
            }
        )
    places = [fitted.free.index(name) for name in names]
    covariance = fitted.covariance[np.ix_(places, places)]
    errors = np.sqrt(np.diag(covariance))
    correlation = (covariance / np.outer(errors, errors)).tolist()
    return own_results.measurements(found.runs, entries, correlation, held)
