"""A mass model as fine-binned templates: what goes to pyhf and Combine without a RooWorkspace."""

from __future__ import annotations

import numpy as np

from gpuhiggs.errors import RunError
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import HistoSys, Modifier, NormFactor
from gpuhiggs.inference.parametric.model import MassFit, MassModel


def to_workspace(model: MassModel, best: MassFit) -> Workspace:
    """Return templates at the best fit, strength 1, nuisances 0; these and each background's eigenvectors morph them.

    The eigenvectors, of the covariance of a background's parameters, are free: within ±5 of their errors the
    background is what the function is, to first order.

    Raises
    ------
    RunError
        The fit did not converge, or its covariance is not known.
    """
    if not best.converged or not np.all(np.isfinite(best.covariance)):
        msg = "templates of a mass model: its fit did not converge"
        raise RunError(msg)
    center = np.array([best.values[name] for name in model.names])
    center[0] = 1.0
    center[2 : 2 + len(model.nuisances)] = 0.0  # where their constraints are
    nominal, channels, settings = model.rates(center), [], []
    for k, category in enumerate(model.categories):
        signal, background = nominal[k]
        peak: list[Modifier] = [NormFactor(parameter="mu")]
        for j, nuisance in enumerate(model.nuisances):
            sides = []
            for step in (1.0, -1.0):
                moved = center.copy()
                moved[2 + j] = center[2 + j] + step
                sides.append(tuple(model.rates(moved)[k][0].tolist()))
            peak.append(HistoSys(parameter=nuisance.name, up=sides[0], down=sides[1]))
        places = [model.names.index(name) for name in model.background(category.name)]
        values, vectors = np.linalg.eigh(best.covariance[np.ix_(places, places)])
        smooth: list[Modifier] = []
        for j in range(len(places)):
            along = np.zeros(len(center))
            along[places] = np.sqrt(max(values[j], 0.0)) * vectors[:, j]
            shift = (model.rates(center + 1e-3 * along)[k][1] - model.rates(center - 1e-3 * along)[k][1]) / 2e-3
            if not np.any(shift):
                continue
            name = f"{category.name}_shape{j}"
            up, down = tuple((background + shift).tolist()), tuple((background - shift).tolist())
            smooth.append(HistoSys(parameter=name, up=up, down=down, interpolation="code0"))
            settings.append(ParameterSetting(name=name, bounds=(-5.0, 5.0), flat=True))
        samples = (
            Sample(name="signal", yields=tuple(signal.tolist()), modifiers=tuple(peak)),
            Sample(name="background", yields=tuple(background.tolist()), modifiers=tuple(smooth)),
        )
        counts = tuple(np.asarray(category.counts, dtype=np.float64).tolist())
        edges = tuple(np.asarray(category.edges, dtype=np.float64).tolist())
        channels.append(Channel(name=category.name, samples=samples, observed=counts, edges=edges))
    return Workspace(poi="mu", channels=tuple(channels), parameters=tuple(settings))
