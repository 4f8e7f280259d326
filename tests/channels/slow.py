"""What the slow versions of the selections share: kinematics in NumPy, and events as dictionaries of lists."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from gpuhiggs import config, engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation

Object = dict[str, Any]
Event = dict[str, Any]


def vector(found: Object, mass: float = 0.0) -> np.ndarray:
    """Return (px, py, pz, E)."""
    pt, eta, phi = found["pt"], found["eta"], found["phi"]
    momentum = np.array([pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)])
    return np.append(momentum, found.get("e", math.hypot(float(np.linalg.norm(momentum)), mass)))


def invariant_mass(p: np.ndarray) -> float:
    """Return the mass of a four-vector."""
    return math.sqrt(max(0.0, p[3] ** 2 - p[0] ** 2 - p[1] ** 2 - p[2] ** 2))


def delta_phi(a: float, b: float) -> float:
    """Return |Δφ|."""
    return abs(math.remainder(a - b, 2 * math.pi))


def delta_r(a: Object, b: Object) -> float:
    """Return ΔR."""
    return math.hypot(a["eta"] - b["eta"], delta_phi(a["phi"], b["phi"]))


def columns_to_events(inputs: Any) -> list[Event]:
    """Return the events of columns as dictionaries."""
    found: list[Event] = [{} for _ in range(inputs.events.run.size)]
    for name, collection in inputs._asdict().items():
        columns = {field: values.tolist() for field, values in collection._asdict().items()}
        offsets = columns.pop("offsets", None)
        for i, event in enumerate(found):
            if offsets is None:
                event[name] = {field: values[i] for field, values in columns.items()}
            else:
                event[name] = [
                    {field: values[k] for field, values in columns.items()} for k in range(offsets[i], offsets[i + 1])
                ]
    return found


def read_events(
    path: Path, tree: str, collections: Mapping[str, Mapping[str, str]], columns: Mapping[str, Mapping[str, str]]
) -> list[Event]:
    """Read a file with plain uproot and Awkward.

    Parameters
    ----------
    collections, columns
        Branches by collection and field, for several objects and for one entry an event; alternatives are separated
        by ``|``. A field of which the file has none is left out, and a collection without fields is empty.
    """
    with uproot.open(path) as file:
        keys = set(file[tree].keys(recursive=False))
        found: list[Event] = [{} for _ in range(file[tree].num_entries)]
        for name, fields in {**collections, **columns}.items():
            present = {field: [one for one in names.split("|") if one in keys] for field, names in fields.items()}
            arrays = {field: ak.to_list(file[tree][names[0]].array()) for field, names in present.items() if names}
            for i, event in enumerate(found):
                if name in columns:
                    event[name] = {field: values[i] for field, values in arrays.items()}
                else:
                    n = len(next(iter(arrays.values()))[i]) if arrays else 0
                    event[name] = [{field: values[i][k] for field, values in arrays.items()} for k in range(n)]
    return found


def process_file(
    selection: str, path: Path, absent: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[int], dict[str, np.ndarray]]:
    """Run a selection over one file, every event weighing one, without trigger and filters.

    Returns the names of the cutflow's steps, its entries, and the selected events.
    """
    changed = config.shipped_selection(selection) | {"triggers": {}, "filters": [], "absent": absent}
    dataset = {"name": "events", "process": "events", "kind": "data", "files": [str(path)]}
    run = config.validate(RunConfig, {"selection": changed, "datasets": [dataset], "lumi_mask": None}, "test")
    tally = engine.run(run)
    assert not tally.failures
    [selected] = tally.selected.values()
    steps = preparation.prepare(run.model_dump_json(by_alias=True), "events").channel.steps
    return steps, tally.counts.sums["events", "cutflow"].low[:, 0].tolist(), selected


def compare_cutflow(
    steps: Sequence[str], entries: Sequence[int], own: Sequence[str], passed: np.ndarray, reached: Sequence[int]
) -> None:
    """Compare a cutflow: *own* are the channel's steps, *reached* how many of them each event passes."""
    cutflow = dict(zip(steps, entries, strict=True))
    for n, step in enumerate(own, start=1):
        assert cutflow[step] == np.count_nonzero(np.asarray(reached)[passed] >= n), step
