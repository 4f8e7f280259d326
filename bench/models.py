"""Statistical models of a given size, for benches and studies of the fit."""

from __future__ import annotations

import numpy as np

from gpuhiggs.inference import (
    Channel,
    HistoSys,
    NormFactor,
    NormSys,
    Sample,
    StatError,
    Workspace,
    draw_toys,
    flatten,
)
from gpuhiggs.inference.modifiers import Modifier


def peak_on_continuum(n_bins: int, n_nuisances: int, *, events: float = 50.0, seed: int = 1) -> Workspace:
    """Return one channel of a peak on a falling background: 1 + nuisances + bins parameters, with drawn counts.

    Half of the nuisances are normalisations, half shapes of both samples; every bin has its MC statistics.
    """
    return with_counts(Workspace(poi="mu", channels=(_channel("c", n_bins, n_nuisances, events, seed),)), seed)


def three_channels(n_bins: int = 200, n_nuisances: int = 200, *, seed: int = 1) -> Workspace:
    """Return three channels of n_bins each that share all nuisances; a strength for each of two production modes."""
    names = ("gamgam", "ZZ", "WW")
    channels = [
        _channel(name, n_bins, n_nuisances, 200.0 * (k + 1), seed + k, two_signals=True) for k, name in enumerate(names)
    ]
    return with_counts(Workspace(poi="mu_ggH", pois=("mu_VBF",), channels=tuple(channels)), seed)


def with_counts(workspace: Workspace, seed: int) -> Workspace:
    """Return the workspace with counts drawn at its initial parameters."""
    model = flatten(workspace)
    (toy,) = draw_toys(model, 1, np.random.default_rng(seed))
    filled = [
        channel.model_copy(update={"observed": tuple(toy.counts[model.channels[channel.name]].tolist())})
        for channel in workspace.channels
    ]
    return workspace.model_copy(update={"channels": tuple(filled)})


def _channel(
    name: str, n_bins: int, n_nuisances: int, events: float, seed: int, *, two_signals: bool = False
) -> Channel:
    generator = np.random.default_rng(seed)
    x = (np.arange(n_bins) + 0.5) / n_bins
    templates = {"signal": np.exp(-0.5 * ((x - 0.4) / 0.06) ** 2), "background": np.exp(-1.5 * x)}
    if two_signals:
        templates = {"ggH": templates["signal"], "VBF": np.exp(-0.5 * ((x - 0.6) / 0.1) ** 2), **templates}
        del templates["signal"]
    scale = {"ggH": events, "VBF": events / 3, "signal": events, "background": 20.0 * events}
    poi = {"signal": "mu", "ggH": "mu_ggH", "VBF": "mu_VBF"}
    samples = []
    for sample, shape in templates.items():
        yields = scale[sample] * shape / shape.sum() + 1e-3
        modifiers: list[Modifier] = [NormFactor(parameter=poi[sample])] if sample in poi else []
        for k in range(n_nuisances):
            if k % 2 == 0:
                up = 1.0 + generator.uniform(0.01, 0.05)
                modifiers.append(NormSys(parameter=f"norm_{k}", up=up, down=1.0 / up))
            else:
                bend = 0.03 * np.sin(2 * np.pi * (x * generator.uniform(0.5, 3.0) + generator.uniform()))
                up_, down = yields * (1.0 + bend), yields * (1.0 - 0.9 * bend)
                modifiers.append(HistoSys(parameter=f"shape_{k}", up=tuple(up_.tolist()), down=tuple(down.tolist())))
        modifiers.append(StatError(parameter=f"stat_{name}", errors=tuple((0.05 * yields).tolist())))
        samples.append(Sample(name=sample, yields=tuple(yields.tolist()), modifiers=tuple(modifiers)))
    return Channel(name=name, samples=tuple(samples))
