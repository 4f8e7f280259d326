"""Whether channels agree on a parameter of interest: one common value against one for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import chi2

from gpuhiggs.errors import InputError
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.model import Channel, ParameterSetting, Workspace
from gpuhiggs.inference.modifiers import Formula, Modifier, NormFactor


@dataclass(frozen=True)
class Compatibility:
    """A test of one common parameter.

    Attributes
    ----------
    statistic, degrees, p_value
        -2 ln of the likelihood with one value over that with one for each; χ² distributed (Wilks).
    common, separate
        The two fits; the parameters of the second are named `poi_group`.
    """

    statistic: float
    degrees: int
    p_value: float
    common: FitResult
    separate: FitResult

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, with the separate values."""
        return {
            "statistic": self.statistic,
            "degrees": self.degrees,
            "p_value": self.p_value,
            "converged": self.common.converged and self.separate.converged,
            "values": {name: e.value for name, e in self.separate.parameters.items() if name not in self._shared()},
        }

    def _shared(self) -> set[str]:
        return set(self.common.parameters)


def split(workspace: Workspace, poi: str, groups: Mapping[str, str] | None = None) -> Workspace:
    """Return the workspace with a parameter of its own for each channel, or group of channels (channel → group)."""
    groups = groups or {channel.name: channel.name for channel in workspace.channels}
    if missing := [channel.name for channel in workspace.channels if channel.name not in groups]:
        msg = f"compatibility: channel {', '.join(missing)} is in no group"
        raise InputError(msg)
    word = re.compile(rf"\b{re.escape(poi)}\b")

    def renamed(modifier: Modifier, name: str) -> Modifier:
        if isinstance(modifier, NormFactor) and modifier.parameter == poi:
            return NormFactor(parameter=name)
        if isinstance(modifier, Formula):
            return Formula(expression=word.sub(name, modifier.expression))
        return modifier

    def own(channel: Channel) -> Channel:
        name = f"{poi}_{groups[channel.name]}"
        samples = [
            sample.model_copy(update={"modifiers": tuple(renamed(m, name) for m in sample.modifiers)})
            for sample in channel.samples
        ]
        return channel.model_copy(update={"samples": tuple(samples)})

    channels = tuple(own(channel) for channel in workspace.channels)
    used = {
        groups[before.name]
        for before, after in zip(workspace.channels, channels, strict=True)
        if before.samples != after.samples
    }
    names = [f"{poi}_{group}" for group in dict.fromkeys(groups.values()) if group in used]
    settings: list[ParameterSetting] = []
    for setting in workspace.parameters:
        settings += [setting.model_copy(update={"name": n}) for n in names] if setting.name == poi else [setting]
    return workspace.model_copy(
        update={"channels": channels, "poi": names[0], "pois": tuple(names[1:]), "parameters": tuple(settings)}
    )


def compatibility(
    workspace: Workspace, data: Data, *, poi: str | None = None, groups: Mapping[str, str] | None = None
) -> Compatibility:
    """Fit a common parameter and one for each channel or group.

    Raises
    ------
    InputError
        Fewer than two channels depend on the parameter.
    """
    name = poi or workspace.poi
    apart = flatten(split(workspace, name, groups))
    degrees = len(apart.pois) - 1
    if degrees < 1:
        msg = f"compatibility: fewer than two channels depend on {name!r}"
        raise InputError(msg)
    together = flatten(workspace)
    common = fit(together, data)
    # auxiliary results keep their order: unconstrained parameters have none
    separate = fit(apart, data)
    statistic = max(2.0 * (common.nll - separate.nll), 0.0)
    return Compatibility(statistic, degrees, float(chi2.sf(statistic, degrees)), common, separate)
