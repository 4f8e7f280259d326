"""A workspace as a datacard with its templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uproot

from gpuhiggs.errors import InputError
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.model import Channel, Sample, Workspace, modifiers_of
from gpuhiggs.inference.modifiers import (
    BinError,
    GammaCount,
    HistoSys,
    Lumi,
    NormFactor,
    NormSys,
    StatError,
)

KNOWN = (NormFactor, NormSys, HistoSys, Lumi, StatError, BinError, GammaCount)


def write(workspace: Workspace, path: Path) -> Path:
    """Write a card to *path* and its templates beside it, as ``.root``; return the path of the templates.

    Combine interpolates normalisations in its own way (`NormSys.interpolation` "combine") and takes the MC errors of
    the templates by autoMCStats: where the workspace says otherwise, the card is that close to it and no closer.

    Raises
    ------
    InputError
        No observed counts; a name that is no word; a modifier that a card cannot express, a formula say.
    """
    for channel, sample in workspace.blocks():
        for modifier in sample.modifiers:
            if not isinstance(modifier, KNOWN):
                msg = f"channel {channel.name!r}, sample {sample.name!r}: a {modifier.type} has no form in a datacard"
                raise InputError(msg)
        for name in (channel.name, sample.name):
            if len(name.split()) != 1:
                msg = f"{name!r} is no name for a datacard: it must be one word"
                raise InputError(msg)
        if channel.observed is None:
            msg = f"channel {channel.name!r} has no observed counts, which a datacard must have"
            raise InputError(msg)
    root = path.with_suffix(".root")
    temporary = root.with_name(root.name + ".tmp")
    with uproot.recreate(temporary) as file:
        for channel in workspace.channels:
            _templates(file, channel)
    temporary.replace(root)
    text = path.with_name(path.name + ".tmp")
    text.write_text("\n".join(_lines(workspace, root.name)) + "\n")
    text.replace(path)
    return root


def _templates(file: Any, channel: Channel) -> None:
    edges = channel.edges or tuple(float(k) for k in range(channel.n_bins + 1))

    def histogram(values: Any, errors: Any = None) -> Any:
        filled: Any = hist.Hist(hist.axis.Variable(edges, flow=False), storage=hist.storage.Weight())
        variances = np.zeros(len(values)) if errors is None else np.asarray(errors) ** 2
        filled.view().value, filled.view().variance = np.asarray(values), variances
        return filled

    counts = channel.observed or ()
    file[f"{channel.name}/data_obs"] = histogram(counts, np.sqrt(counts))
    for sample in channel.samples:
        stat = [m.errors for m in sample.modifiers if isinstance(m, StatError | BinError)]
        file[f"{channel.name}/{sample.name}"] = histogram(sample.yields, stat[0] if stat else None)
        for shape in modifiers_of(sample, HistoSys):
            # one template for shape and norm: Combine takes its integral apart again
            norm = [m for m in modifiers_of(sample, NormSys) if m.parameter == shape.parameter]
            for word, values, factor in (
                ("Up", shape.up, norm[0].up if norm else 1.0),
                ("Down", shape.down, norm[0].down if norm else 1.0),
            ):
                file[f"{channel.name}/{sample.name}_{shape.parameter}{word}"] = histogram(np.asarray(values) * factor)


def _lines(workspace: Workspace, root: str) -> list[str]:
    blocks = list(workspace.blocks())
    pois = (workspace.poi, *workspace.pois)
    numbers = _numbers(workspace, pois)
    lines = ["imax *", "jmax *", "kmax *", f"shapes * * {root} $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC"]
    lines += ["bin " + " ".join(c.name for c in workspace.channels)]
    lines += ["observation " + " ".join(f"{sum(c.observed or ()):.10g}" for c in workspace.channels)]
    lines += ["bin " + " ".join(c.name for c, _ in blocks), "process " + " ".join(s.name for _, s in blocks)]
    lines += ["process " + " ".join(str(numbers[s.name]) for _, s in blocks)]
    lines += ["rate " + " ".join(f"{sum(s.yields):.12g}" for _, s in blocks)]
    rows: dict[tuple[str, str], list[str]] = {}
    settings = {setting.name: setting for setting in workspace.parameters}
    flat = {name for name, setting in settings.items() if setting.flat}
    parameters = {parameter.name: parameter for parameter in flatten(workspace).parameters}

    def put(name: str, kind: str, column: int, text: str) -> None:
        rows.setdefault((name, kind), ["-"] * len(blocks))[column] = text

    for k, (channel, sample) in enumerate(blocks):
        _row(sample, k, flat, parameters, put)
        for factor in modifiers_of(sample, NormFactor):
            if factor.parameter not in pois or numbers[sample.name] > 0:
                parameter = parameters[factor.parameter]
                low, high = parameter.bounds
                limits = f" [{low:g},{high:g}]" if np.isfinite([low, high]).all() else ""
                lines.append(f"{factor.parameter} rateParam {channel.name} {sample.name} {parameter.initial:g}{limits}")
    lines += [f"{name} {kind} " + " ".join(texts) for (name, kind), texts in rows.items()]
    written = {name for name, _ in rows} | {line.split()[0] for line in lines if " rateParam " in line}
    for group, members in flatten(workspace).groups.items():
        if kept := [name for name in members if name in written]:
            lines.append(f"{group} group = {' '.join(kept)}")
    for channel in workspace.channels:
        if any(isinstance(m, StatError | BinError) for sample in channel.samples for m in sample.modifiers):
            lines.append(f"{channel.name} autoMCStats 0")
    return lines


def _numbers(workspace: Workspace, pois: tuple[str, ...]) -> dict[str, int]:
    """Return numbers of the processes: signals, which a parameter of interest scales, from 0 down."""
    names = dict.fromkeys(sample.name for _, sample in workspace.blocks())
    signals = {s.name for _, s in workspace.blocks() if any(m.parameter in pois for m in modifiers_of(s, NormFactor))}
    ordered = [name for name in names if name in signals]
    numbers = {name: -k for k, name in enumerate(ordered)}
    return numbers | {name: k for k, name in enumerate((n for n in names if n not in signals), start=1)}


def _row(
    sample: Sample, k: int, flat: set[str], parameters: dict[str, Any], put: Callable[[str, str, int, str], None]
) -> None:
    shapes = {shape.parameter for shape in modifiers_of(sample, HistoSys)}
    for modifier in sample.modifiers:
        name = modifier.parameter
        if isinstance(modifier, HistoSys):
            # Combine gives a shapeU's parameter the range [-1, 1]
            reach = min(map(abs, parameters[name].bounds)) if name in flat else 1.0
            scale = modifier.scale * (reach if np.isfinite(reach) and reach > 0.0 else 1.0)
            put(name, "shapeU" if name in flat else "shape", k, f"{scale:.10g}")
        elif isinstance(modifier, NormSys) and name not in shapes:
            is_symmetric = abs(modifier.up * modifier.down - 1.0) < 1e-12
            text = f"{modifier.up:.10g}" if is_symmetric else f"{modifier.down:.10g}/{modifier.up:.10g}"
            put(name, "lnU" if name in flat else "lnN", k, text)
        elif isinstance(modifier, Lumi):
            constraint = parameters[name].constraint
            put(name, "lnN", k, f"{1.0 + constraint.width / constraint.center:.10g}")
        elif isinstance(modifier, GammaCount):
            rate = sum(sample.yields) / (modifier.events or 1)
            put(name, f"gmN {modifier.events}", k, f"{rate:.12g}")
