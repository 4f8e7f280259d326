"""From a declared workspace to a flat model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from gpuhiggs.inference.flat_model import BinFactors, Constraints, FlatModel, IndexArray, Responses
from gpuhiggs.inference.interpolation import CODE4P, LINEAR, FloatArray, code4_polynomials
from gpuhiggs.inference.model import Channel, Sample, Workspace, modifiers_of
from gpuhiggs.inference.modifiers import HistoSys, Lumi, NormFactor, NormSys, ShapeSys, StatError
from gpuhiggs.inference.parameters import Gaussian, Parameter, PoissonCount, collect_parameters

Blocks = Sequence[tuple[Channel, Sample]]


def flatten(workspace: Workspace) -> FlatModel:
    """Lay a workspace out as flat arrays.

    Raises
    ------
    InputError
        As `collect_parameters`.
    """
    parameters = collect_parameters(workspace)
    index = {parameter.name: position for position, parameter in enumerate(parameters)}
    blocks = list(workspace.blocks())
    stops = accumulate(channel.n_bins for channel in workspace.channels)
    channels = {c.name: slice(stop - c.n_bins, stop) for c, stop in zip(workspace.channels, stops, strict=True)}
    norms = [(number, norm) for number, (_, sample) in enumerate(blocks) for norm in modifiers_of(sample, NormSys)]
    one = len(parameters) + len(norms)
    entry_bins = np.concatenate([np.arange(channels[c.name].start, channels[c.name].stop) for c, _ in blocks])
    constraints = _constraints(parameters)
    block_factors, entry_factors = _block_factors(blocks, norms, index, one), _entry_factors(blocks, index, one)
    return FlatModel(
        parameters=parameters,
        channels=channels,
        n_bins=workspace.n_bins,
        bin=entry_bins,
        block=np.repeat(np.arange(len(blocks)), [channel.n_bins for channel, _ in blocks]),
        block_start=_starts([channel.n_bins for channel, _ in blocks]),
        nominal=np.concatenate([sample.yields for _, sample in blocks]),
        block_factors=block_factors,
        entry_factors=entry_factors,
        scatter=np.concatenate([block_factors.ravel(), entry_factors.ravel()]),
        responses=_responses(blocks, [norm for _, norm in norms], index),
        constraints=constraints,
        bin_factors=_bin_factors(parameters, constraints, entry_factors, entry_bins),
    )


def _starts(sizes: Sequence[int]) -> IndexArray:
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)


def _block_factors(blocks: Blocks, norms: Sequence[tuple[int, NormSys]], index: dict[str, int], one: int) -> IndexArray:
    columns = []
    for number, (_, sample) in enumerate(blocks):
        direct = [index[m.parameter] for m in sample.modifiers if isinstance(m, NormFactor | Lumi)]
        derived = [len(index) + position for position, (owner, _) in enumerate(norms) if owner == number]
        columns.append(np.array(direct + derived, dtype=np.intp)[:, np.newaxis])
    return _padded(columns, one)


def _entry_factors(blocks: Blocks, index: dict[str, int], one: int) -> IndexArray:
    columns = []
    for channel, sample in blocks:
        names = [m.parameter for m in sample.modifiers if isinstance(m, StatError | ShapeSys)]
        rows = [[index.get(f"{name}[{number}]", one) for number in range(channel.n_bins)] for name in names]
        columns.append(np.array(rows, dtype=np.intp).reshape(len(names), channel.n_bins))
    return _padded(columns, one)


def _padded(columns: Sequence[IndexArray], fill: int) -> IndexArray:
    """Put the columns side by side, filled up to the height of the highest."""
    height = max(len(column) for column in columns)
    return np.concatenate(
        [np.pad(column, ((0, height - len(column)), (0, 0)), constant_values=fill) for column in columns], axis=1
    )


def _responses(blocks: Blocks, norms: Sequence[NormSys], index: dict[str, int]) -> Responses:
    """Make the responses; a parameter that shifts templates by two codes counts twice."""
    shapes = [(number, shape) for number, (_, sample) in enumerate(blocks) for shape in modifiers_of(sample, HistoSys)]
    codes = sorted({_code(shape, index) for _, shape in shapes})
    rows = [(number, codes.index(_code(shape, index)), shape) for number, shape in shapes]
    up, down = np.array([norm.up for norm in norms]), np.array([norm.down for norm in norms])
    parameters = [index[norm.parameter] for norm in norms] + 2 * [parameter for parameter, _ in codes]
    no_inside = [norm.interpolation == "code1" for norm in norms] + 2 * [is_linear for _, is_linear in codes]
    polynomials = [code4_polynomials(up, down), np.repeat(LINEAR, len(codes), 2), np.repeat(CODE4P, len(codes), 2)]
    return Responses(
        parameter=np.array(parameters, dtype=np.intp),
        polynomials=np.concatenate(polynomials, axis=2),
        innermost=np.array(no_inside, dtype=np.float64),
        n_norms=len(norms),
        shifts=_shifts(blocks, rows, len(codes)),
    )


def _code(shape: HistoSys, index: dict[str, int]) -> tuple[int, bool]:
    return index[shape.parameter], shape.interpolation == "code0"


def _shifts(blocks: Blocks, rows: Sequence[tuple[int, int, HistoSys]], n_codes: int) -> FloatArray:
    """Return the templates S, then A; `rows` are (block, position of the code, shape)."""
    starts = _starts([channel.n_bins for channel, _ in blocks])
    shifts = np.zeros((2 * n_codes, sum(channel.n_bins for channel, _ in blocks)))
    for number, row, shape in rows:
        nominal = np.asarray(blocks[number][1].yields)
        up, down = np.asarray(shape.up) - nominal, np.asarray(shape.down) - nominal
        entries = slice(starts[number], starts[number] + len(nominal))
        shifts[row, entries] = (up - down) / 2
        shifts[n_codes + row, entries] = (up + down) / 16
    return shifts


def _constraints(parameters: Sequence[Parameter]) -> Constraints:
    normal = [(i, p.constraint) for i, p in enumerate(parameters) if isinstance(p.constraint, Gaussian)]
    counts = [(i, p.constraint) for i, p in enumerate(parameters) if isinstance(p.constraint, PoissonCount)]
    return Constraints(
        gaussian=np.array([i for i, _ in normal], dtype=np.intp),
        width=np.array([constraint.width for _, constraint in normal]),
        poisson=np.array([i for i, _ in counts], dtype=np.intp),
        events=np.array([constraint.events for _, constraint in counts]),
        nominal=np.array([c.center for _, c in normal] + [c.events for _, c in counts]),
    )


def _bin_factors(
    parameters: Sequence[Parameter], constraints: Constraints, entry_factors: IndexArray, entry_bins: IndexArray
) -> BinFactors:
    """Find the MC-statistics factors without a second one in their bin, and what they multiply."""
    of_bin = dict.fromkeys(range(entry_bins.max() + 1), frozenset[int]())
    stat = {i for i, parameter in enumerate(parameters) if parameter.kind == "staterror"}
    for factor, bin_ in zip(entry_factors.ravel(), np.tile(entry_bins, len(entry_factors)), strict=True):
        if factor in stat:
            of_bin[bin_] |= {int(factor)}
    alone = sorted((next(iter(factors)), bin_) for bin_, factors in of_bin.items() if len(factors) == 1)
    owners = np.array([factor for factor, _ in alone], dtype=np.intp)
    return BinFactors(
        parameter=owners,
        bin=np.array([bin_ for _, bin_ in alone], dtype=np.intp),
        constraint=np.searchsorted(constraints.gaussian, owners),
        entries=np.logical_or.reduce(np.isin(entry_factors, owners), axis=0),
    )
