"""One selected event of a run, found again in its file with everything that was reconstructed of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import backgrounds, blinding, schema
from ..config import DatasetConfig, RunConfig
from ..engine import Job, processing
from ..engine.preparation import prepare
from ..engine.tally import WorkItem
from ..errors import InputError
from ..read import EventFile
from .record import Record

LOOKED_THROUGH, STEP = 400_000, 50_000
"""So many events of a file are looked through, in such steps."""

TARGET = {"m4l": 125.0, "m_gg": 125.0, "m_t": 110.0}
"""GeV: the event whose mass is nearest is taken."""

KINDS = {"leptons": "lepton", "muons": "muon", "electrons": "electron", "photons": "photon", "jets": "jet"}
PT_MIN = {"muon": 5.0, "electron": 5.0, "lepton": 5.0, "photon": 15.0, "jet": 25.0}
"""GeV: softer objects are left out."""
NEAR = {"photon": 0.1, "jet": 0.4}
"""ΔR within which such an object is taken as the lepton or photon that is there too."""
MUON = 13
"""Of ``lep_type`` in ATLAS Open Data: a PDG number."""


class Object(NamedTuple):
    """GeV."""

    kind: str
    pt: float
    eta: float
    phi: float


class Candidate(NamedTuple):
    """A selected event."""

    dataset: DatasetConfig
    path: str
    identity: dict[str, int]
    """Run, luminosity section and event number, as far as the format has them."""
    found: dict[str, float]
    """What the selection reconstructed: GeV."""
    objects: tuple[Object, ...]
    """Hardest first."""
    met: Object | None


def find(run: Record) -> Candidate:
    """Return the selected event whose mass is nearest to the Higgs boson's: of data, or of signal where there are none.

    Of data where they are blind, it is one that may be seen.

    Raises
    ------
    InputError
        If nothing is selected in the first events of the first file.
    FileError
        If the file cannot be read.
    """
    dataset = _dataset(run)
    path = dataset.files[0]
    prepared = prepare(Job.of(run.config).config_json, dataset.name)
    blind, categories = blinding.of(run.config, dataset.kind), prepared.specs[0].categories
    with EventFile(path, prepared.request.schema.trees) as events:
        entries = min(events.entries, LOOKED_THROUGH)
    best: tuple[float, dict[str, float]] | None = None
    for start in range(0, entries, STEP):
        item = WorkItem(dataset.name, path, start, min(start + STEP, entries))
        rows = blinding.shown(blind, categories, processing.process(prepared, item).selected)
        name = next((name for name in TARGET if name in rows), None)
        if "entry" not in rows or name is None or not len(rows["entry"]):
            continue
        distance = abs(rows[name] - TARGET[name])
        place = int(np.lexsort((rows["entry"], distance))[0])
        if best is None or distance[place] < best[0]:
            best = float(distance[place]), {key: float(values[place]) for key, values in rows.items()}
    if best is None:
        msg = f"no event of the first {entries} of {path} is selected, or the channel records none"
        raise InputError(msg)
    return _with_objects(run.config, dataset, path, best[1])


def _dataset(run: Record) -> DatasetConfig:
    aside = backgrounds.left_out(run.config)
    found = run.results["datasets"]
    done = [d for d in run.config.datasets if d.process not in aside and found.get(d.name, {}).get("files_complete")]
    order = sorted(done, key=lambda d: (d.kind != "data", d.process not in run.signals))
    if not order:
        msg = "no dataset was processed"
        raise InputError(msg)
    return order[0]


def _with_objects(config: RunConfig, dataset: DatasetConfig, path: str, found: dict[str, float]) -> Candidate:
    entry = int(found.pop("entry"))
    known = schema.load(config.selection.schema_)
    with EventFile(path, known.trees) as events:

        def read(collection: str, *fields: str) -> list[np.ndarray] | None:
            """Return columns of the one event, in GeV; None where the file has not all of them."""
            sources = [known.collections.get(collection, {}).get(field) for field in fields]
            names = [
                next((n for n in source.branches if n in events.table.branches), None) if source else None
                for source in sources
            ]
            if not all(names):
                return None
            values = events.values([str(name) for name in names], entry, entry + 1)
            return [
                np.atleast_1d(values[str(n)].content) * (source.scale if source and source.scale != 1.0 else 1)
                for n, source in zip(names, sources, strict=True)
            ]

        identity = {
            field: int(column[0]) for field in ("run", "luminosity_block", "event") if (column := _one(read, field))
        }
        objects = [one for collection, kind in KINDS.items() for one in _objects(read, collection, kind)]
        missing = next((m for name in ("puppi_met", "met") if (m := read(name, "pt", "phi"))), None)
    met = Object("missing momentum", float(missing[0][0]), 0.0, float(missing[1][0])) if missing else None
    kept = tuple(sorted(_without_doubles(objects), key=lambda one: -one.pt))
    return Candidate(dataset, path, identity, found, kept, met)


def _one(read: Any, field: str) -> Any:
    columns = read("events", field)
    return columns[0].tolist() if columns else None


def _objects(read: Any, collection: str, kind: str) -> list[Object]:
    columns = read(collection, "pt", "eta", "phi")
    if columns is None:
        return []
    kinds = [kind] * len(columns[0])
    if collection == "leptons" and (codes := read(collection, "kind")):
        kinds = ["muon" if abs(int(code)) == MUON else "electron" for code in codes[0]]
    made = [Object(k, *map(float, row)) for k, *row in zip(kinds, *columns, strict=True)]
    return [one for one in made if one.pt > PT_MIN[one.kind]]


def _without_doubles(objects: list[Object]) -> list[Object]:
    """Leave out photons and jets that are another object too: every electron is also a photon and a jet."""
    kept: list[Object] = []
    for one in objects:  # leptons come first, then photons, then jets
        near = NEAR.get(one.kind, 0.0)
        if not any(near and distance(one, other) < near for other in kept if other.kind != one.kind):
            kept.append(one)
    return kept


def distance(a: Object, b: Object) -> float:
    """Return ΔR."""
    turn = (a.phi - b.phi + np.pi) % (2 * np.pi) - np.pi
    return float(np.hypot(a.eta - b.eta, turn))
