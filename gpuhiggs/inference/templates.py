"""From histograms to a workspace: templates with their MC errors, and a short description of the uncertainties."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from hist import Hist, storage
from pydantic import Field

from gpuhiggs.errors import InputError
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import (
    Declaration,
    HistoSys,
    Lumi,
    Modifier,
    NormFactor,
    NormSys,
    StatError,
    Yields,
)

Templates = Mapping[str, Mapping[str, Hist[Any]]]
"""Channel → sample → histogram with one axis and `Weight` storage, in expected events."""


class Normalisation(Declaration):
    """An uncertainty of normalisation: `parameter` scales samples by `up` at +1 σ and by `down` at -1 σ.

    Without `down` it is log-normal, down = 1/up. Without `samples` or `channels` it holds for all of them.
    """

    parameter: str
    up: float
    down: float | None = None
    samples: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    interpolation: Literal["code1", "code4"] = "code4"

    def lower(self) -> float:
        """Return the factor at -1 σ."""
        if self.down is not None:
            return self.down
        return 1.0 / self.up if self.up > 0.0 else self.up

    def applies_to(self, channel: str, sample: str) -> bool:
        """Whether the uncertainty is one of this sample in this channel."""
        return (self.samples is None or sample in self.samples) and (self.channels is None or channel in self.channels)


class Luminosity(Declaration):
    """The relative uncertainty of the luminosity, and the samples that it scales (None: all)."""

    uncertainty: float = Field(gt=0.0)
    parameter: str = "lumi"
    samples: tuple[str, ...] | None = None


def build_workspace(
    templates: Templates,
    *,
    signals: Sequence[str],
    poi: str = "mu",
    normalisations: Sequence[Normalisation] = (),
    luminosity: Luminosity | None = None,
    shapes: Mapping[str, tuple[Templates, Templates]] | None = None,
    observed: Mapping[str, Hist[Any]] | None = None,
    mc_statistics: bool = True,
) -> Workspace:
    """Build the model in which `poi` scales the signals.

    Under- and overflow are no bins of the model: an axis covers what is fitted.

    Parameters
    ----------
    templates
        Expected events of each channel and sample.
    signals
        Samples scaled by `poi`.
    normalisations, luminosity
        Uncertainties of normalisation.
    shapes
        Parameter → (up, down) templates at +1 and -1 σ, of the channels and samples that the parameter changes.
    observed
        Observed counts of each channel, with the templates' axes.
    mc_statistics
        Give each bin a factor with the templates' combined MC error.

    Raises
    ------
    InputError
        A histogram is empty, not one-dimensional, has no variances or other edges than its channel's; an uncertainty or
        signal names an unknown sample or channel; a variation has one side; a number that `model` refuses.
    """
    _check_names(templates, signals, normalisations, luminosity, shapes or {}, observed)
    channels = []
    for channel, samples in templates.items():
        edges = _edges(channel, samples)
        declared = []
        for sample, histogram in samples.items():
            place = f"channel {channel!r}, sample {sample!r}"
            modifiers: list[Modifier] = [NormFactor(parameter=poi)] if sample in signals else []
            modifiers += _norms(channel, sample, normalisations, luminosity)
            modifiers += _shapes(channel, sample, shapes or {}, edges)
            values, errors = _template(histogram, edges, place)
            if mc_statistics:
                modifiers.append(StatError(parameter=f"staterror_{channel}", errors=errors))
            declared.append(Sample(name=sample, yields=values, modifiers=tuple(modifiers)))
        counts = None if observed is None else _contents(observed[channel], edges, f"channel {channel!r}, observed")
        channels.append(Channel(name=channel, samples=tuple(declared), observed=counts, edges=edges))
    settings: tuple[ParameterSetting, ...] = ()
    if luminosity is not None:
        settings = (ParameterSetting(name=luminosity.parameter, center=1.0, width=luminosity.uncertainty),)
    return Workspace(poi=poi, channels=tuple(channels), parameters=settings)


def _norms(
    channel: str, sample: str, normalisations: Sequence[Normalisation], luminosity: Luminosity | None
) -> list[Modifier]:
    found: list[Modifier] = []
    if luminosity is not None and (luminosity.samples is None or sample in luminosity.samples):
        found.append(Lumi(parameter=luminosity.parameter))
    for norm in normalisations:
        if norm.applies_to(channel, sample):
            found.append(
                NormSys(parameter=norm.parameter, up=norm.up, down=norm.lower(), interpolation=norm.interpolation)
            )
    return found


def _shapes(
    channel: str, sample: str, shapes: Mapping[str, tuple[Templates, Templates]], edges: Yields
) -> list[Modifier]:
    found: list[Modifier] = []
    for parameter, sides in shapes.items():
        histograms = [side.get(channel, {}).get(sample) for side in sides]
        place = f"shape {parameter!r} of channel {channel!r}, sample {sample!r}"
        if histograms == [None, None]:
            continue
        up, down = histograms
        if up is None or down is None:
            msg = f"{place}: there is no {'up' if up is None else 'down'} variation"
            raise InputError(msg)
        found.append(
            HistoSys(
                parameter=parameter,
                up=_contents(up, edges, f"{place}, up"),
                down=_contents(down, edges, f"{place}, down"),
            )
        )
    return found


def _edges(channel: str, samples: Mapping[str, Hist[Any]]) -> Yields:
    if not samples:
        msg = f"channel {channel!r}: no samples"
        raise InputError(msg)
    name, histogram = next(iter(samples.items()))
    if histogram.ndim != 1:
        msg = f"channel {channel!r}, sample {name!r}: a histogram with {histogram.ndim} axes, expected one"
        raise InputError(msg)
    return tuple(histogram.axes[0].edges.tolist())


def _template(histogram: Hist[Any], edges: Yields, place: str) -> tuple[Yields, Yields]:
    """Return a simulated histogram's values and absolute errors per bin."""
    values, variances = _contents(histogram, edges, place), histogram.variances()
    if variances is None or histogram.storage_type is not storage.Weight:
        msg = f"{place}: storage {histogram.storage_type.__name__}, expected Weight, which keeps the MC error"
        raise InputError(msg)
    if not any(values):
        msg = f"{place}: the template is empty; leave the sample out of this channel, or simulate more of it"
        raise InputError(msg)
    return values, tuple(np.sqrt(variances).tolist())


def _contents(histogram: Hist[Any], edges: Yields, place: str) -> Yields:
    """Return a histogram's values per bin, without flow."""
    if histogram.ndim != 1 or tuple(histogram.axes[0].edges.tolist()) != edges:
        msg = f"{place}: its axis is not the channel's, {len(edges) - 1} bins from {edges[0]:g} to {edges[-1]:g}"
        raise InputError(msg)
    return tuple(np.asarray(histogram.values(), dtype=np.float64).tolist())


def _check_names(
    templates: Templates,
    signals: Sequence[str],
    normalisations: Sequence[Normalisation],
    luminosity: Luminosity | None,
    shapes: Mapping[str, tuple[Templates, Templates]],
    observed: Mapping[str, Hist[Any]] | None,
) -> None:
    """Refuse a sample or channel that has no template: a misspelt name would silently drop its uncertainty."""
    samples = {sample for channel in templates.values() for sample in channel}
    _known("signals", signals, samples)
    _known("luminosity, samples", () if luminosity is None else luminosity.samples or (), samples)
    for norm in normalisations:
        _known(f"normalisation {norm.parameter!r}, samples", norm.samples or (), samples)
        _known(f"normalisation {norm.parameter!r}, channels", norm.channels or (), templates)
    for parameter, sides in shapes.items():
        for side in sides:
            for channel, varied in side.items():
                _known(f"shape {parameter!r}, channels", [channel], templates)
                _known(f"shape {parameter!r}, channel {channel!r}", varied, templates[channel])
    if observed is not None:
        _known("observed", observed, templates)
        _known("templates of observed channels", templates, observed)


def _known(what: str, names: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        msg = f"{what}: unknown {', '.join(map(repr, unknown))}; known: {', '.join(map(repr, sorted(known)))}"
        raise InputError(msg)
