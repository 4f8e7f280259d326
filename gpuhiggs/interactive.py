"""A few lines in a notebook: ``gpuhiggs.run("dimuon.py", "data.root")["mass"].plot()``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import hist
import numpy as np

from . import config, engine, normalisation
from .engine.books import Progress
from .engine.tally import Tally
from .engine.work import Mapper, serially, threaded
from .errors import RunError

DATASET = "files"
_CHUNK, _CHUNK_OF_A_THREAD = 2**20, 2**19
"""Events of a work item, with one thread and with several: small, so that each has some of a single file."""


@dataclass(frozen=True)
class Result:
    """What a channel makes of some files."""

    histograms: dict[str, hist.Hist[Any]]
    """By name, with Weight storage; with an axis ``category`` first where the histogram has categories."""
    cutflow: list[dict[str, Any]]
    """Rows of step, entries, events and error."""
    events: int
    """How many were read."""
    digest: str
    """The SHA-256 of the integer sums: the same on every device, with any number of threads."""

    def __getitem__(self, name: str) -> hist.Hist[Any]:
        """Return a histogram."""
        return self.histograms[name]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; histograms as edges, values and variances, flow bins included."""
        histograms = {
            name: {
                "edges": found.axes[-1].edges.tolist(),
                "values": np.asarray(found.values(flow=True)).tolist(),
                "variances": np.asarray(found.variances(flow=True)).tolist(),
            }
            for name, found in self.histograms.items()
        }
        return {"histograms": histograms, "cutflow": self.cutflow, "events": self.events, "digest": self.digest}


def run(
    channel: str | PathLike[str],
    files: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    threads: int = 1,
    simulation: bool = False,
    weight_unit: float = 1.0,
    lumi_mask: str | PathLike[str] | None = None,
    unblind: bool = False,
    device: str = "cpu",
    progress: Callable[[Progress], None] | None = None,
    **overrides: Any,
) -> Result:
    """Run a channel of your own, or one of the package's, over files in this process.

    Parameters
    ----------
    channel
        A Python file, a selection of the package, or a YAML file of a selection.
    files
        Paths, patterns or URLs of event files.
    threads
        How many parts of the files are processed at a time. The result does not depend on it.
    simulation
        Whether events have generator weights; they are filled with them, not normalised to a cross section.
    weight_unit
        For simulation: a power of two near the size of the generator weights.
    lumi_mask
        For data: the experiment's JSON of certified luminosity sections; none takes every section.
    unblind
        For data: whether bins where a selection of the package has its signal are shown; else they are NaN.
    device
        Where kernels run: ``cpu``, ``cuda`` or ``auto``, a GPU where there is one.
    progress
        Called after each result.
    overrides
        Parts of the selection to replace, such as ``cuts={"pt_min": 10}``.

    Raises
    ------
    ConfigError
        If the channel or an argument is wrong.
    RunError
        If a file could not be processed; no partial result is given.
    """
    chunk_size = _CHUNK if threads == 1 else _CHUNK_OF_A_THREAD
    loaded = configured(
        channel, files, chunk_size=chunk_size, simulation=simulation, weight_unit=weight_unit, lumi_mask=lumi_mask,
        unblind=unblind, device=device, overrides=overrides,
    )  # fmt: skip
    with on_threads(threads) as mapper:
        tally = engine.run(loaded, mapper, progress)
    if tally.failures:
        raise RunError("\n".join(failure.error for failure in tally.failures))
    return result_of(loaded, tally)


def configured(
    channel: str | PathLike[str],
    files: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    chunk_size: int,
    simulation: bool,
    weight_unit: float,
    lumi_mask: str | PathLike[str] | None,
    unblind: bool,
    device: str,
    overrides: Mapping[str, Any],
) -> config.RunConfig:
    """Build the configuration that a YAML file would say at greater length."""
    names = [files] if isinstance(files, str | PathLike) else list(files)
    dataset: dict[str, Any] = {"name": DATASET, "process": DATASET, "files": [fspath(name) for name in names]}
    if simulation:
        dataset |= {"kind": "simulation", "cross_section": None, "weight_unit": weight_unit}
    else:
        dataset |= {"kind": "data"}
    raw = {
        "selection": fspath(channel),
        "overrides": dict(overrides),
        "datasets": [dataset],
        "lumi_mask": None if lumi_mask is None else fspath(lumi_mask),
        "unblind": unblind,
        "chunk_size": chunk_size,
        "execution": {"attempts": 1, "device": device},  # whoever waits at the keyboard tries again by hand
    }
    return config.build(raw, Path.cwd() / "gpuhiggs.run")


@contextlib.contextmanager
def on_threads(n: int) -> Iterator[Mapper]:
    """Yield what applies a function on *n* threads of this process."""
    if n == 1:
        yield serially
        return
    with ThreadPoolExecutor(n) as pool:
        yield threaded(pool, n)


def result_of(loaded: config.RunConfig, tally: Tally) -> Result:
    """Return what a run says, as hist has it."""
    by_process = normalisation.histograms(loaded, tally)
    parts = normalisation.contributions(loaded, tally)[DATASET]
    return Result(
        {name: _plain(found[DATASET]) for name, found in by_process.items()},
        normalisation.cutflow(loaded, tally, parts),
        sum(info.entries for info in tally.complete),
        tally.counts.digest(),
    )


def _plain(histogram: hist.Hist[Any]) -> hist.Hist[Any]:
    """Leave out the axis of categories where there is but one."""
    if len(histogram.axes[0]) > 1:
        return histogram
    only: Any = histogram[{"category": 0}]
    only.name, only.label = histogram.name, histogram.label
    return only  # type: ignore[no-any-return]
