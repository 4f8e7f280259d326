"""One workspace of several: what they name alike is one parameter, what belongs to one of them keeps apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gpuhiggs.errors import InputError
from gpuhiggs.inference.expressions import parse
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import (
    BinError,
    Formula,
    GammaCount,
    Modifier,
    NormFactor,
    ShapeFactor,
    ShapeSys,
    StatError,
)


def join(parts: Mapping[str, Workspace]) -> Workspace:
    """Return the product of the likelihoods of several workspaces.

    Parameters of interest and constrained nuisances are shared by name: a luminosity or a theory uncertainty acts, and
    is constrained, once. Factors per bin, and free parameters that are not of interest, are each workspace's own, as is
    a nuisance whose settings differ; their names, and those of all channels, begin with the workspace's.

    Parameters
    ----------
    parts
        Workspaces by name; their events are independent.

    Raises
    ------
    InputError
        Without any, or if a name stands for two kinds of parameter.
    """
    if not parts:
        msg = "nothing to join: expected at least one workspace"
        raise InputError(msg)
    settings = {name: {s.name: s for s in workspace.parameters} for name, workspace in parts.items()}
    channels: list[Channel] = []
    joined: dict[str, ParameterSetting] = {}
    groups: dict[str, tuple[str, ...]] = {}
    pois: dict[str, None] = {}
    for name, workspace in parts.items():
        if workspace.correlations:
            msg = f"{name}: correlations of auxiliary measurements cannot be joined"
            raise InputError(msg)
        of_interest = (workspace.poi, *workspace.pois)
        pois |= dict.fromkeys(of_interest)
        own = {p: f"{name}_{p}" for p in _own(workspace) if p not in of_interest}
        own |= {p: f"{name}_{p}" for p in settings[name] if _differs(p, name, parts, settings)}
        channels += [_renamed(channel, name, own) for channel in workspace.channels]
        for setting in workspace.parameters:
            base, bracket, index = setting.name.partition("[")
            new = own.get(base, base) + bracket + index
            joined.setdefault(new, setting.model_copy(update={"name": new}))
        for group, members in workspace.groups.items():
            groups[group] = tuple(dict.fromkeys((*groups.get(group, ()), *(own.get(m, m) for m in members))))
    first, *more = pois
    return Workspace(
        poi=first, pois=tuple(more), channels=tuple(channels), parameters=tuple(joined.values()), groups=groups
    )


def _own(workspace: Workspace) -> set[str]:
    """Parameters that only the workspace's own data can tell: without constraint, or of one bin."""
    found: set[str] = set()
    for _, sample in workspace.blocks():
        for modifier in sample.modifiers:
            if isinstance(modifier, Formula):
                found |= set(parse(modifier.expression).variables)
            elif isinstance(modifier, NormFactor | ShapeFactor | StatError | BinError | ShapeSys | GammaCount):
                found.add(modifier.parameter)
    return found | {setting.name for setting in workspace.parameters if setting.flat}


def _differs(
    parameter: str, name: str, parts: Mapping[str, Workspace], settings: Mapping[str, Mapping[str, ParameterSetting]]
) -> bool:
    """Whether another workspace has a parameter of this name with other settings."""
    return any(
        settings[other][parameter] != settings[name][parameter]
        for other in parts
        if other != name and parameter in settings[other]
    )


def _renamed(channel: Channel, name: str, own: Mapping[str, str]) -> Channel:
    def modifier(old: Modifier) -> Modifier:
        if isinstance(old, Formula):
            words = re.compile(r"[A-Za-z_]\w*")
            return Formula(expression=words.sub(lambda found: own.get(found[0], found[0]), old.expression))
        return old.model_copy(update={"parameter": own.get(old.parameter, old.parameter)})

    def sample(old: Sample) -> Sample:
        return old.model_copy(update={"modifiers": tuple(modifier(m) for m in old.modifiers)})

    return channel.model_copy(update={"name": f"{name}_{channel.name}", "samples": tuple(map(sample, channel.samples))})


def with_strengths(workspace: Workspace, strengths: Mapping[str, str]) -> Workspace:
    """Return the workspace with other signal strengths than its one, such as one a production: sample → strength.

    Raises
    ------
    InputError
        If no sample with events has one.
    """
    common = NormFactor(parameter=workspace.poi)

    def scaled(sample: Sample) -> Sample:
        own = NormFactor(parameter=strengths.get(sample.name, workspace.poi))
        return sample.model_copy(update={"modifiers": tuple(own if m == common else m for m in sample.modifiers)})

    channels = tuple(c.model_copy(update={"samples": tuple(map(scaled, c.samples))}) for c in workspace.channels)
    used = {modifier.parameter for c in channels for sample in c.samples for modifier in sample.modifiers}
    names = [name for name in dict.fromkeys((*strengths.values(), workspace.poi)) if name in used]
    if not names:
        msg = f"no sample has a signal strength: {', '.join(strengths)} are not among them"
        raise InputError(msg)
    return workspace.model_copy(update={"channels": channels, "poi": names[0], "pois": tuple(names[1:])})
