"""Workspaces in pyhf's JSON, both ways.

The schema is pyhf's 1.0.0. It says nothing of interpolation codes: pyhf takes them when it makes the model, with
`workspace.model(modifier_settings=pyhf_settings(...))`, and has one for all modifiers of a kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from gpuhiggs.errors import InputError
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import (
    HistoSys,
    Lumi,
    Modifier,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)

NormCode = Literal["code1", "code4"]
ShapeCode = Literal["code0", "code4p"]


def to_pyhf(workspace: Workspace, measurement: str = "gpuhiggs") -> dict[str, Any]:
    """Return the workspace in pyhf's JSON form.

    Raises
    ------
    InputError
        A channel has no observed counts, which pyhf's schema requires, or something has no form in pyhf: correlated
        constraints, flat nuisances, constrained factors, settings of single bins, formulas, Combine's interpolations.
    """
    for channel in workspace.channels:
        if channel.observed is None:
            msg = f"channel {channel.name!r} has no observed counts, which a pyhf workspace must have"
            raise InputError(msg)
    _check_form(workspace)
    pyhf_settings(workspace)
    return {
        "channels": [
            {
                "name": channel.name,
                "samples": [
                    {
                        "name": sample.name,
                        "data": list(sample.yields),
                        "modifiers": [_modifier_to_pyhf(modifier) for modifier in sample.modifiers],
                    }
                    for sample in channel.samples
                ],
            }
            for channel in workspace.channels
        ],
        "observations": [{"name": c.name, "data": list(c.observed or ())} for c in workspace.channels],
        "measurements": [
            {
                "name": measurement,
                "config": {
                    "poi": workspace.poi,
                    "parameters": [_setting_to_pyhf(setting) for setting in workspace.parameters],
                },
            }
        ],
        "version": "1.0.0",
    }


def _check_form(workspace: Workspace) -> None:
    """Refuse what pyhf would leave out."""
    if workspace.correlations:
        first = " and ".join(workspace.correlations[0].parameters)
        msg = f"correlated constraints, of {first}, have no form in pyhf"
        raise InputError(msg)
    luminosities = {m.parameter for _, s in workspace.blocks() for m in s.modifiers if isinstance(m, Lumi)}
    for setting in workspace.parameters:
        if setting.flat:
            msg = f"{setting.name!r}: a nuisance without its constraint has no form in pyhf"
        elif setting.name.endswith("]"):
            msg = f"{setting.name!r}: a setting of a single bin has no form in pyhf"
        elif setting.width is not None and setting.name not in luminosities:
            msg = f"{setting.name!r}: a constrained factor that is no luminosity has no form in pyhf"
        else:
            continue
        raise InputError(msg)


def pyhf_settings(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Return the interpolation codes for pyhf's `modifier_settings`.

    Raises
    ------
    InputError
        Modifiers of one kind follow different codes, which pyhf cannot.
    """
    settings = {}
    for kind, default in ((NormSys, "code4"), (HistoSys, "code4p")):
        codes = {
            modifier.interpolation
            for _, sample in workspace.blocks()
            for modifier in sample.modifiers
            if isinstance(modifier, NormSys | HistoSys) and isinstance(modifier, kind)
        }
        if "combine" in codes or any(
            isinstance(m, HistoSys) and m.scale != 1.0 for _, s in workspace.blocks() for m in s.modifiers
        ):
            msg = "Combine's interpolation and scaled shapes have no form in pyhf"
            raise InputError(msg)
        if len(codes) > 1:
            msg = f"modifiers of one kind with interpolations {sorted(codes)}: pyhf has one for all"
            raise InputError(msg)
        settings[kind.__name__.lower()] = {"interpcode": codes.pop() if codes else default}
    return settings


def from_pyhf(
    spec: Mapping[str, Any],
    measurement: str | None = None,
    *,
    norm_code: NormCode = "code4",
    shape_code: ShapeCode = "code4p",
) -> Workspace:
    """Return the workspace of a pyhf JSON object.

    Parameters
    ----------
    spec
        The JSON object.
    measurement
        Name of the measurement that gives the parameter of interest; None for the first.
    norm_code, shape_code
        The interpolations, with pyhf's defaults.

    Raises
    ------
    InputError
        A part is missing, a modifier or setting is of a kind that is not known here, or anything that `model` refuses.
    """
    try:
        counts = {item["name"]: tuple(item["data"]) for item in spec["observations"]}
        found = [item for item in spec["measurements"] if measurement in (None, item["name"])]
        if not found:
            msg = f"no measurement {measurement!r}; known: {[item['name'] for item in spec['measurements']]}"
            raise InputError(msg)
        channels = tuple(
            Channel(
                name=channel["name"],
                samples=tuple(
                    Sample(
                        name=sample["name"],
                        yields=tuple(sample["data"]),
                        modifiers=tuple(
                            _modifier_from_pyhf(item, channel["name"], sample["name"], norm_code, shape_code)
                            for item in sample["modifiers"]
                        ),
                    )
                    for sample in channel["samples"]
                ),
                observed=counts[channel["name"]],
            )
            for channel in spec["channels"]
        )
        config = found[0]["config"]
        per_bin = _per_bin(channels)
        settings = tuple(
            setting for item in config.get("parameters", ()) for setting in _settings_from_pyhf(item, per_bin)
        )
        return Workspace(poi=config["poi"], channels=channels, parameters=settings)
    except KeyError as error:
        msg = f"not a pyhf workspace: {error.args[0]!r} is missing"
        raise InputError(msg) from error


def _modifier_to_pyhf(modifier: Modifier) -> dict[str, Any]:
    data: Any = None
    if isinstance(modifier, NormSys):
        data = {"hi": modifier.up, "lo": modifier.down}
    elif isinstance(modifier, HistoSys):
        data = {"hi_data": list(modifier.up), "lo_data": list(modifier.down)}
    elif isinstance(modifier, StatError | ShapeSys):
        data = list(modifier.errors)
    elif not isinstance(modifier, NormFactor | Lumi | ShapeFactor):
        msg = f"modifier {modifier.parameter!r}: pyhf knows no {modifier.type}"
        raise InputError(msg)
    return {"name": modifier.parameter, "type": modifier.type, "data": data}


_SIDES = {"normsys": ("hi", "lo"), "histosys": ("hi_data", "lo_data")}


def _modifier_from_pyhf(
    item: Mapping[str, Any], channel: str, sample: str, norm_code: NormCode, shape_code: ShapeCode
) -> Modifier:
    data: Any = item.get("data")
    name, kind = item["name"], item["type"]
    for side in _SIDES.get(kind, ()):
        if not isinstance(data, Mapping) or side not in data:
            msg = f"channel {channel!r}, sample {sample!r}: {kind} {name!r} has no {side}; it needs both sides"
            raise InputError(msg)
    if kind == "normfactor":
        return NormFactor(parameter=name)
    if kind == "shapefactor":
        return ShapeFactor(parameter=name)
    if kind == "lumi":
        return Lumi(parameter=name)
    if kind == "normsys":
        return NormSys(parameter=name, up=data["hi"], down=data["lo"], interpolation=norm_code)
    if kind == "histosys":
        up, down = tuple(data["hi_data"]), tuple(data["lo_data"])
        return HistoSys(parameter=name, up=up, down=down, interpolation=shape_code)
    if kind in ("staterror", "shapesys"):
        return (StatError if kind == "staterror" else ShapeSys)(parameter=name, errors=tuple(data))
    msg = (
        f"channel {channel!r}, modifier {name!r}: type {kind!r} is not known;"
        " known: normfactor, normsys, histosys, lumi, staterror, shapesys, shapefactor"
    )
    raise InputError(msg)


def _setting_to_pyhf(setting: ParameterSetting) -> dict[str, Any]:
    found: dict[str, Any] = {"name": setting.name}
    if setting.center is not None and setting.width is not None:
        found |= {"auxdata": [setting.center], "sigmas": [setting.width], "inits": [setting.center]}
        found |= {"bounds": [[0.0, 10.0 * setting.center]]}
    if setting.initial is not None:
        found["inits"] = [setting.initial]
    if setting.bounds is not None:
        found["bounds"] = [list(setting.bounds)]
    if setting.fixed:
        found["fixed"] = True
    return found


def _per_bin(channels: Sequence[Channel]) -> dict[str, int]:
    """Return the modifiers with one parameter a bin, and how many."""
    return {
        modifier.parameter: channel.n_bins
        for channel in channels
        for sample in channel.samples
        for modifier in sample.modifiers
        if isinstance(modifier, StatError | ShapeSys | ShapeFactor)
    }


def _settings_from_pyhf(item: Mapping[str, Any], per_bin: Mapping[str, int]) -> Iterator[ParameterSetting]:
    """Return the settings of one parameter, or of each of a modifier's bins."""
    known = {"inits": "initial", "bounds": "bounds", "auxdata": "center", "sigmas": "width"}
    name, n = item["name"], per_bin.get(item["name"])
    for key, value in item.items():
        if key not in (*known, "name", "fixed") or (key in known and len(value) != (n or 1)):
            msg = f"setting of parameter {name!r}: {key} = {value} is not known here, or not of {n or 1} numbers"
            raise InputError(msg)
    for number in range(n or 1):
        found: dict[str, Any] = {"name": name if n is None else f"{name}[{number}]"}
        fixed = item.get("fixed", False)
        found["fixed"] = fixed[number] if isinstance(fixed, list) else fixed
        found |= {known[key]: value[number] for key, value in item.items() if key in known}
        if n is not None and {"center", "width"} & set(found):
            msg = f"setting of parameter {name!r}: its auxiliary data follow from the errors per bin"
            raise InputError(msg)
        yield ParameterSetting(**found)
