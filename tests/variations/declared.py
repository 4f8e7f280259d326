"""Variations of every kind, declared, and the events and branches that they are tried on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bench import in_memory
from gpuhiggs import config, variations
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation
from gpuhiggs.histogram import Counts, sum_of_weights

Branches = dict[str, Any]
N = 3000
ROOT = Path(__file__).resolve().parents[2]

SHIFTS: dict[str, Any] = {
    "electron_scale": {"object": "electron", "size": {"abs_eta": [0, 1.479, 2.5], "values": [0.125, 0.25]}},
    "muon_scale": {"object": "muon", "size": 0.125},
    "jet_scale": {"object": "jet", "size": {"pt": [0, 50, 1000], "values": [0.25, 0.125]}},
    "met_scale": {"object": "met", "size": 0.25},
}
"""Sizes with which a pt of few bits can be multiplied exactly, in float32 too."""


def scale_factors(path: Path) -> dict[str, Any]:
    """A correctionlib file with scale factors of muons in bins of pt, and what a configuration says of it."""
    values = {"sf": [0.9, 0.95], "sfup": [0.92, 0.98], "sfdown": [0.87, 0.93]}
    binnings = [
        {
            "key": key,
            "value": {"nodetype": "binning", "input": "pt", "edges": [0, 30, 60], "content": one, "flow": "clamp"},
        }
        for key, one in values.items()
    ]
    correction = {
        "name": "SF", "version": 1, "inputs": [{"name": "kind", "type": "string"}, {"name": "pt", "type": "real"}],
        "output": {"name": "sf", "type": "real"},
        "data": {"nodetype": "category", "input": "kind", "content": binnings},
    }  # fmt: skip
    path.write_text(json.dumps({"schema_version": 2, "corrections": [correction]}))
    keys = {"input": "kind", "nominal": "sf", "up": "sfup", "down": "sfdown"}
    return {"file": str(path), "name": "SF", "columns": {"pt": "pt"}, "variation": keys}


def everything(folder: Path) -> dict[str, Any]:
    """Every kind of variation."""
    return {
        "shifts": SHIFTS,
        "weights": {
            "muon_id": {"object": "muon", "correction": scale_factors(folder / "sf.json")},
            "prefiring": {"branches": {"nominal": "L1_Nom", "up": "L1_Up", "down": "L1_Dn"}},
            "isr": {"branches": {"up": "PSWeight[0]", "down": "PSWeight[2]"}},
        },
        "sets": {
            "pdf": {
                "branch": "LHEPdfWeight",
                "members": "1-10",
                "reference": 0,
                "combine": "hessian",
                "sums": "LHEPdfSumw",
            }
        },
    }


def prepared(declared: dict[str, Any] | None, selection: str = in_memory.CMS) -> preparation.Prepared:
    dataset = {"name": "events", "process": "events", "kind": "simulation", "files": ["memory"], "cross_section": None}
    raw = {"selection": config.shipped_selection(selection), "datasets": [dataset], "variations": declared}
    return preparation.prepare(config.validate(RunConfig, raw, "test").model_dump_json(by_alias=True), "events")


def branches_of(made: preparation.Prepared, n: int, seed: int = 5) -> Any:
    """Random contents of the branches that the variations ask for."""
    rng = np.random.default_rng(seed)
    strides = [max(extra.values, 1) for extra in made.variations.extras]
    return variations.branches([rng.normal(1, 0.1, n * stride).astype(np.float32) for stride in strides], strides)


def contents(counts: Counts, histogram: str) -> np.ndarray:
    """Σw of shape (categories, bins + 2, variations)."""
    return sum_of_weights(counts.sums["events", f"{histogram}/sumw"])


def place(made: preparation.Prepared, name: str) -> int:
    names = made.variations.names
    return (*names.shifts, *names.weights).index(name)
