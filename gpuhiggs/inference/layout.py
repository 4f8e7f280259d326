"""From a declared workspace to a flat model."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference.constraints import constraints_of, lay_out_constraints
from gpuhiggs.inference.factors import lay_out_factors
from gpuhiggs.inference.flat_model import Constraints, FlatModel
from gpuhiggs.inference.model import Channel, Sample, Workspace, modifiers_of
from gpuhiggs.inference.modifiers import (
    BinError,
    HistoSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)
from gpuhiggs.inference.parameters import Gaussian, Parameter, PoissonCount, collect_parameters
from gpuhiggs.kernels import statistical_model as kernel
from gpuhiggs.kernels.language import Column, leaves

Blocks = Sequence[tuple[Channel, Sample]]
FLOOR = 1e-9
"""Fraction of a bin's templates under which -ln L is continued; far below any yield a fit can distinguish from 0."""


def flatten(workspace: Workspace) -> FlatModel:
    """Lay a workspace out as flat arrays.

    Raises
    ------
    InputError
        As `collect_parameters`; a group or a correlation that names no fitting parameter.
    """
    parameters = collect_parameters(workspace)
    index = {parameter.name: position for position, parameter in enumerate(parameters)}
    blocks = list(workspace.blocks())
    stops = accumulate(channel.n_bins for channel in workspace.channels)
    channels = {c.name: slice(stop - c.n_bins, stop) for c, stop in zip(workspace.channels, stops, strict=True)}
    starts = [0, *accumulate(channel.n_bins for channel, _ in blocks)]
    constraints = constraints_of(parameters, workspace, index)
    arrays = {
        **_parameters(parameters),
        **lay_out_factors(blocks, index),
        **_shapes(blocks, index),
        **_bins(workspace, channels, blocks, starts, index, constraints),
        **lay_out_constraints(constraints),
        "block_start": starts,
        "block_bin": [channels[channel.name].start for channel, _ in blocks],
        "block_crop": [int(sample.crop) for _, sample in blocks],
        "nominal": np.concatenate([sample.yields for _, sample in blocks]),
        "channel_bin": [0, *(bins.stop for bins in channels.values())],
        "channel_block": [0, *accumulate(len(channel.samples) for channel in workspace.channels)],
    }
    return FlatModel(
        parameters=parameters,
        channels=channels,
        blocks=tuple(
            (channel.name, sample.name, slice(starts[k], starts[k + 1])) for k, (channel, sample) in enumerate(blocks)
        ),
        groups=_groups(workspace, parameters),
        constraints=constraints,
        arrays=_model(arrays),
    )


_COUNTED = {
    "n_parameters": "lower", "n_factors": "factor_kind", "n_variables": "variable", "n_blocks": "block_bin",
    "n_entries": "nominal", "n_bins": "floor", "n_gaussian": "gaussian", "n_poisson": "poisson",
    "n_correlated": "correlated_v",
}  # fmt: skip


def _model(arrays: dict[str, Any]) -> kernel.Model:
    stored = {leaf.path[0]: leaf.dtype for leaf in leaves(kernel.Model) if leaf.kind is Column}
    columns: dict[str, Any] = {name: np.ascontiguousarray(arrays[name], dtype=dtype) for name, dtype in stored.items()}
    counts: dict[str, Any] = {name: len(columns[of]) for name, of in _COUNTED.items()}
    return kernel.Model(
        **columns,
        **counts,
        n_channels=len(columns["channel_bin"]) - 1,
        longest_channel=int(np.diff(columns["channel_bin"]).max()),
        longest_block=_longest_block(columns),
    )


def _longest_block(columns: dict[str, Any]) -> int:
    """Return how many variables the factors of a block have at most."""
    is_rational = columns["factor_kind"] == kernel.RATIONAL
    widths = np.ones(len(is_rational), dtype=np.int64)
    widths[is_rational] = np.diff(columns["rational_start"])[columns["factor_parameter"][is_rational]]
    ends = np.concatenate([[0], np.cumsum(widths[columns["block_factor"]])])
    return int(np.diff(ends[columns["block_factor_start"]]).max())


def _groups(workspace: Workspace, parameters: Sequence[Parameter]) -> dict[str, tuple[str, ...]]:
    names = [parameter.name for parameter in parameters]
    groups = {}
    for group, members in workspace.groups.items():
        found = dict.fromkeys(name for member in members for name in names if fnmatch.fnmatchcase(name, member))
        missing = [member for member in members if "*" not in member and member not in names]
        if missing:
            msg = f"group {group!r}: no parameter {', '.join(missing)}; known: {', '.join(names)}"
            raise InputError(msg)
        groups[group] = tuple(found)
    return groups


def _parameters(parameters: Sequence[Parameter]) -> dict[str, Any]:
    lower, upper = np.array([parameter.bounds for parameter in parameters]).T
    return {"lower": lower, "upper": upper, "step": [scale_of(parameter) for parameter in parameters]}


def scale_of(parameter: Parameter) -> float:
    """Return how far a parameter may be expected to move: its constraint's width, or a guess."""
    if isinstance(parameter.constraint, Gaussian):
        return parameter.constraint.width
    if isinstance(parameter.constraint, PoissonCount):
        return 1.0 / math.sqrt(parameter.constraint.events)
    return 0.1 * max(1.0, abs(parameter.initial))


def _shapes(blocks: Blocks, index: dict[str, int]) -> dict[str, Any]:
    """Lay out the shifts S and A of each shape, over the bins that it changes."""
    found: dict[str, list[Any]] = {
        "shape_start": [0], "shape_parameter": [], "shape_linear": [], "shape_scale": [], "shape_first": [],
        "shape_last": [], "shift_start": [],
    }  # fmt: skip
    odd, even = [np.zeros(0)], [np.zeros(0)]
    for _, sample in blocks:
        nominal = np.asarray(sample.yields)
        for shape in modifiers_of(sample, HistoSys):
            up, down = np.asarray(shape.up) - nominal, np.asarray(shape.down) - nominal
            touched = np.flatnonzero((up != 0.0) | (down != 0.0))
            first, last = (int(touched[0]), int(touched[-1]) + 1) if len(touched) else (0, 0)
            found["shape_parameter"].append(index[shape.parameter])
            found["shape_linear"].append(int(shape.interpolation == "code0"))
            found["shape_scale"].append(shape.scale)
            found["shape_first"].append(first)
            found["shape_last"].append(last)
            found["shift_start"].append(sum(map(len, odd)))
            odd.append(((up - down) / 2)[first:last])
            even.append(((up + down) / 16)[first:last])
        found["shape_start"].append(len(found["shape_parameter"]))
    return {**found, "odd": np.concatenate(odd), "even": np.concatenate(even)}


def _bins(
    workspace: Workspace,
    channels: dict[str, slice],
    blocks: Blocks,
    starts: Sequence[int],
    index: dict[str, int],
    constraints: Constraints,
) -> dict[str, Any]:
    """Lay out what multiplies single entries, and the MC statistics of bins."""
    n_bins, one_of = workspace.n_bins, _alone(workspace, index)
    kind, owner = np.zeros(n_bins, dtype=np.int64), np.full(n_bins, -1)
    errors, reach = np.zeros(starts[-1]), np.zeros(n_bins)
    factors: list[list[int]] = [[] for _ in range(starts[-1])]
    for start, (channel, sample) in zip(starts, blocks, strict=False):
        first = channels[channel.name].start
        reach[first : first + channel.n_bins] += _reach(sample)
        for modifier in sample.modifiers:
            for number in range(channel.n_bins):
                if isinstance(modifier, BinError):
                    position = index.get(f"{modifier.parameter}_bin{number}")
                    errors[start + number] = modifier.errors[number]
                    if position is not None:
                        kind[first + number], owner[first + number] = kernel.ADDED, position
                elif isinstance(modifier, StatError | ShapeSys | ShapeFactor):
                    position = index.get(f"{modifier.parameter}[{number}]")
                    if position is None:
                        continue
                    if (channel.name, number) in one_of and isinstance(modifier, StatError):
                        kind[first + number], owner[first + number] = kernel.SCALED, position
                        errors[start + number] = 1.0
                    else:
                        factors[start + number].append(position)
    place = {int(position): k for k, position in enumerate(constraints.gaussian)}
    auxiliary = [place.get(int(position), 0) for position in owner]
    return {
        "entry_error": errors,
        "entry_factor_start": [0, *accumulate(map(len, factors))],
        "entry_factor": [position for entry in factors for position in entry],
        "bin_error": kind,
        "bin_parameter": owner,
        "bin_auxiliary": auxiliary,
        "bin_center": (kind == kernel.SCALED).astype(np.float64),
        "bin_width": [constraints.width[k] if o >= 0 else 1.0 for k, o in zip(auxiliary, owner.tolist(), strict=True)],
        "floor": FLOOR * reach,
    }


def _reach(sample: Sample) -> Any:
    """Return how many events a sample can bring to each bin, roughly."""
    nominal = np.asarray(sample.yields)
    reach = np.abs(nominal)
    for shape in modifiers_of(sample, HistoSys):
        up, down = np.asarray(shape.up) - nominal, np.asarray(shape.down) - nominal
        reach = reach + np.abs(up - down) / 2 + np.abs(up + down) / 16
    return reach


def _alone(workspace: Workspace, index: dict[str, int]) -> set[tuple[str, int]]:
    """Return the bins, by channel and number, with one MC-statistics factor and no other treatment of it."""
    alone = set()
    for channel in workspace.channels:
        names = {stat.parameter for sample in channel.samples for stat in modifiers_of(sample, StatError)}
        if any(modifiers_of(sample, BinError) for sample in channel.samples):
            continue
        for number in range(channel.n_bins):
            if sum(f"{name}[{number}]" in index for name in names) == 1:
                alone.add((channel.name, number))
    return alone
