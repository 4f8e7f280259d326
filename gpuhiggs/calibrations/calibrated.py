"""Calibrated columns: what a channel's kernel gets in the place of what the file has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..config.calibrations import BRANCH, DERIVED, EVENT
from ..errors import FileError, RunError
from ..kernels import calibration as kernel
from ..kernels import launch
from ..read.values import Values
from . import Calibration, hard_process

PROGRAM = launch.Program(kernel.__name__)
PRESELECTING = ("muon", "electron", "photon")
"""Objects that the preselections of channels look at."""
WITH_MASS = ("jet",)
"""Objects whose mass is scaled with their pt."""
NO_MATCH = -1.0
"""The value of ``BRANCH[INDEX]`` where an object has no partner."""


def programs(calibrations: Mapping[str, Calibration]) -> list[launch.Program]:
    """Return what calibrations run on; nothing, if there are none."""
    derived = any(DERIVED.match(branch) for one in calibrations.values() for branch in one.inputs.values())
    return [PROGRAM, *([hard_process.PROGRAM] if derived else [])] if calibrations else []


def compile_for(calibrations: Iterable[Mapping[str, Calibration]]) -> None:
    """Compile what calibrations run on, or load it from the cache."""
    for program in {program for one in calibrations for program in programs(one)}:
        launch.compiled(program)


class Calibrated(NamedTuple):
    """Columns of a file after the calibration of some objects."""

    columns: Any
    """The kernel's ``Inputs``."""
    found: dict[str, np.ndarray]
    """By class of objects float32 of shape (columns, objects): what variations and weights take."""


def calibrate(
    calibrations: Mapping[str, Calibration],
    columns: Any,
    branches: Mapping[str, Values],
    n_events: int,
    path: str,
    wanted: np.ndarray | None = None,
) -> Calibrated:
    """Calibrate the objects of some events.

    Parameters
    ----------
    branches
        What the calibrations ask for beside the columns.
    wanted
        1 of events whose objects matter, int64 of shape (n_events,): in others they stay as they are.

    Raises
    ------
    FileError
        If a branch has not the shape of its objects.
    RunError
        If a correction has no value for an object.
    """
    found = {}
    for name, one in calibrations.items():
        if one.moves or one.columns:  # of data there may be nothing to do
            columns, found[name] = _one(one, columns, branches, n_events, path, wanted)
    return Calibrated(columns, found)


def reach(found: Mapping[str, np.ndarray], columns: Any, calibrations: Mapping[str, Calibration]) -> dict[str, float]:
    """Return the largest factor by which columns raise the pt of an object, by class, of those among *calibrations*."""
    largest = {}
    for name in found.keys() & calibrations.keys():
        pt = getattr(columns, calibrations[name].collection).pt
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.nan_to_num(found[name].astype(np.float64) / pt, nan=1.0)
        largest[name] = float(np.max(ratios, initial=1.0)) * (1.0 + 1e-9)  # a superset, however it is rounded
    return largest


def _one(
    one: Calibration, columns: Any, branches: Mapping[str, Values], n: int, path: str, wanted: np.ndarray | None
) -> tuple[Any, np.ndarray]:
    nothing = np.zeros(0, np.float32)
    objects = None if one.name == EVENT else getattr(columns, one.collection)
    offsets = np.arange(n + 1) if objects is None else objects.offsets
    size = int(offsets[-1])
    pt, eta, phi = [np.zeros(size, np.float32)] * 3 if objects is None else (objects.pt, objects.eta, objects.phi)
    mass = getattr(objects, "mass", nothing) if one.moves and one.name in WITH_MASS else nothing
    follows = one.moves and one.met_pt_min is not None and one.missing is not None
    met = getattr(columns, one.missing) if follows and one.missing else None
    values, starts = _quantities(one, offsets, branches, path)
    inputs = kernel.Inputs(
        offsets, np.zeros(0, np.int64) if wanted is None else wanted, pt, eta, phi, mass,
        nothing if met is None else met.pt, nothing if met is None else met.phi, values, starts,
    )  # fmt: skip
    cuts = kernel.Cuts(
        len(one.inputs), one.tables.runs.size // kernel.RUN, one.columns, size, int(wanted is not None),
        int(mass.size > 0), int(follows), one.met_pt_min or 0.0,
    )  # fmt: skip
    tables = one.tables._replace(problems=np.zeros_like(one.tables.problems))
    out = kernel.Out(
        np.zeros(1, np.int64), pt.copy(), mass.copy(), inputs.met_pt.copy(), inputs.met_phi.copy(),
        np.zeros(one.columns * size, np.float32),
    )  # fmt: skip
    launch.run(PROGRAM, [launch.record(type(value), value) for value in (inputs, cuts, tables, out)], 0, n)
    _refuse(one, tables.problems, path)
    if objects is not None and one.moves:
        moved = objects._replace(pt=out.pt, **({"mass": out.mass} if mass.size else {}))
        columns = columns._replace(**{one.collection: moved})
    if met is not None and one.missing is not None:
        columns = columns._replace(**{one.missing: met._replace(pt=out.met_pt, phi=out.met_phi)})
    return columns, out.columns.reshape(one.columns, size)


def _refuse(one: Calibration, problems: np.ndarray, path: str) -> None:
    if problems.any():
        row = int(np.argmax(problems > 0))
        msg = (
            f"{path}: calibrations.{one.name}: {one.steps[row]} has no value for {problems[row]} of the {one.name}s: "
            "they are in no bin, of no known key, or the value is no number; `where` can leave objects out"
        )
        raise RunError(msg)


def _quantities(
    one: Calibration, offsets: np.ndarray, branches: Mapping[str, Values], path: str
) -> tuple[np.ndarray, np.ndarray]:
    """Lay out the further quantities of the objects one after the other; one an event is marked by ~place."""
    arrays: list[np.ndarray] = []
    starts = []
    place = 0
    for branch in one.inputs.values():
        if derived := DERIVED.match(branch):
            array, an_event = hard_process.values(derived[1], branches, path), True
        else:
            match = BRANCH.match(branch)
            assert match is not None
            array, an_event = _values(match[1], match[2], offsets, branches, path)
        starts.append(~place if an_event else place)
        arrays.append(array)
        place += array.size
    return np.concatenate([*arrays, np.zeros(1)]).astype(np.float64), np.array(starts or [0], np.int64)


def _values(
    branch: str, index: str | None, offsets: np.ndarray, branches: Mapping[str, Values], path: str
) -> tuple[np.ndarray, bool]:
    """Return a quantity of each object, or of each event, and which of them it is."""
    content, shape = branches[branch]
    if index is not None:
        indices, own = branches[index]
        if own is None or shape is None or not np.array_equal(own, offsets):
            msg = f"{path}: {branch}[{index}]: {index} is not of the calibrated objects, or {branch} not of objects"
            raise FileError(msg)
        first, n = np.repeat(shape[:-1], np.diff(offsets)), np.repeat(np.diff(shape), np.diff(offsets))
        matched = (indices >= 0) & (indices < n)
        found = np.full(indices.size, NO_MATCH)
        found[matched] = content[first[matched] + indices[matched].astype(np.int64)]
        return found, False
    if shape is not None and not np.array_equal(shape, offsets):
        msg = f"{path}: branch {branch} has another shape than the objects that are calibrated"
        raise FileError(msg)
    return content, shape is None
