"""A channel on columns in memory: what benches time and kernel tests run, without a file to read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from gpuhiggs.columns import assemble
from gpuhiggs.config import load as load_config
from gpuhiggs.engine import preparation, processing
from gpuhiggs.histogram import Counts, Wide
from gpuhiggs.kernels.language import fields

DATASET = "events"
"""The name of the one dataset."""

CMS, ATLAS = "cms-hzz4l-run2-ul", "atlas-hzz4l-open-data-2020"
"""The selections to run."""

PRIMARY_DATASETS = {CMS: "EGamma", ATLAS: "leptons"}
"""Of data, the one whose triggers come first."""


class Processed(NamedTuple):
    """What a channel makes of some events."""

    counts: Counts
    selected: dict[str, np.ndarray]
    """Selected events by field; ``event`` is their index in the columns."""
    steps: tuple[str, ...]
    """Names of the cutflow's rows."""

    def integers(self, name: str) -> list[int]:
        """Return sums as Python integers, flattened."""
        return exact(self.counts.sums[DATASET, name])

    def entries(self, step: str) -> int:
        """Return how many events pass a step of the cutflow."""
        return self.integers("cutflow")[4 * self.steps.index(step)]

    @property
    def errors(self) -> list[int]:
        """Events whose weight cannot be summed, and events with more objects than there is room for."""
        return self.integers("errors")


def exact(wide: Wide) -> list[int]:
    """Return the values of two-limb integers as Python integers, flattened."""
    return [(int(high) << 32) + int(low) for high, low in zip(wide.high.ravel(), wide.low.ravel(), strict=True)]


def prepare(
    selection: str,
    kind: str = "simulation",
    weight_unit: float = 1.0,
    overrides: dict[str, Any] | None = None,
    *,
    regions: bool = False,
) -> preparation.Prepared:
    """Return what a kernel needs besides columns, for one of the package's selections with *overrides*.

    With *regions* the control regions of failing objects are filled as well.
    """
    dataset: dict[str, Any] = {"name": DATASET, "process": DATASET, "kind": kind, "files": ["memory"]}
    if kind == "simulation":
        dataset |= {"cross_section": None, "weight_unit": weight_unit}
    else:
        dataset |= {"primary_dataset": PRIMARY_DATASETS[selection]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.yaml"
        raw = {"selection": selection, "datasets": [dataset], "lumi_mask": None, "overrides": overrides or {}}
        if regions:
            raw["nonprompt"] = {"process": "fakes", "prompt": [DATASET], "systematic": 0.3}
        path.write_text(yaml.safe_dump(raw))
        config = load_config(path)
    return preparation.prepare(config.model_dump_json(by_alias=True), DATASET)


def process(prepared: preparation.Prepared, columns: Any) -> Processed:
    """Run a channel's kernel over all events of *columns*."""
    counts, selected = processing.run_kernel(prepared, columns, columns.events.run.size)
    return Processed(counts, selected, prepared.channel.steps)


def take(columns: Any, first: int, last: int) -> Any:
    """Return the events [first, last) as columns of their own, as a reader would give them."""
    collections = []
    for collection in columns:
        start, stop = first, last
        if "offsets" in collection._fields:
            start, stop = int(collection.offsets[first]), int(collection.offsets[last])
        cut = {name: values[start:stop] for name, values in collection._asdict().items()}
        if "offsets" in cut:
            cut["offsets"] = collection.offsets[first : last + 1] - start
        collections.append(type(collection)(**cut))
    return type(columns)(*collections)


def save(columns: Any, path: Path) -> None:
    """Write columns to an uncompressed ``.npz``."""
    named = {
        f"{name}.{field}": values
        for name, collection in columns._asdict().items()
        for field, values in collection._asdict().items()
    }
    np.savez(path, **named)


def load(inputs: type, path: Path) -> Any:
    """Read columns that :func:`save` has written."""
    with np.load(path) as archive:
        arrays = {
            (name, field): archive[f"{name}.{field}"]
            for name, tuple_type in fields(inputs).items()
            for field in fields(tuple_type)
        }
    return assemble(inputs, arrays["events", "run"].size, arrays)
