"""Pseudo-data: simulated events drawn as an experiment of a given luminosity would record them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from gpuhiggs.errors import InputError
from gpuhiggs.simulate.nanoaod import Collection, Events, replacing, writing
from gpuhiggs.simulate.particles import Bools, Ints
from gpuhiggs.simulate.processes import find_process
from gpuhiggs.simulate.sample import SimulatedSample
from gpuhiggs.simulate.settings import MASS

_EVENTS_PER_SECTION = 1000
_PB_IN_FB = 1000.0

Recorded = Callable[[ak.Array], Bools]
"""Events, as columns of the file → whether each is recorded."""
Change = Callable[[ak.Array, np.random.Generator], ak.Array]
"""Drawn events and random numbers → the same events, changed."""


class PseudoData(NamedTuple):
    """A file of pseudo-data.

    ``path`` is the file, ``truth`` the JSON beside it that says what was put in, ``events`` their number,
    ``luminosity_fb`` in 1/fb.
    """

    path: Path
    truth: Path
    events: int
    luminosity_fb: float


def draw_pseudo_data(
    samples: Sequence[SimulatedSample],
    luminosity_fb: float,
    path: str | Path,
    *,
    seed: int,
    mu: float = 1.0,
    mass: float = MASS,
    recorded: Recorded | None = None,
    repeated: Sequence[str] = (),
    changed: Mapping[str, Change] | None = None,
    recipe: str | None = None,
) -> PseudoData:
    """Draw the events that an experiment would record, and write them as data: without weights or truth.

    Each process contributes a Poisson number of events around cross section × luminosity (× *mu* for a signal), taken
    from its sample at random, each at most once, in proportion to their weights. The events of all processes are
    mixed and numbered anew. What was drawn is written to ``<path>.truth.json`` beside the data, never into it.

    A template made from the same sample shares events with the pseudo-data: use another seed where this matters.

    A process of too many events to simulate may be *repeated*: its events are drawn anew each time. The counts in bins
    still are Poisson ones, around what the sample expects there: the sample, with its fluctuations, is then the truth.

    Parameters
    ----------
    samples
        One sample a process.
    luminosity_fb
        Integrated luminosity in 1/fb.
    path
        The file.
    seed
        Not negative.
    mu
        Signal strength.
    mass
        Of the Higgs boson in the samples, GeV: for the truth.
    recorded
        Which events a trigger or skim keeps; all of them if not given.
    repeated
        Processes whose events may be drawn several times.
    changed
        What is done to the drawn events of a process, see :func:`gpuhiggs.simulate.skims.rescale_diphotons`.
    recipe
        Kept in the file, so that it is recognised: :func:`gpuhiggs.simulate.nanoaod.read_recipe`.

    Raises
    ------
    InputError
        For a luminosity that is not positive, a negative *mu* or seed, no sample, one process twice, negative event
        weights, or a sample with fewer events than were drawn; FileError if *path* cannot be written to.
    RunError
        If writing fails; nothing half-written is left.
    """
    path = Path(path)
    _check(samples, luminosity_fb, seed, mu)
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
    drawn, truth = [], {}
    for sample in samples:
        strength = mu if find_process(sample.process).signal else 1.0
        expected = strength * sample.cross_section * luminosity_fb * _PB_IN_FB
        events, share = _draw(sample, expected, random, recorded, repeat=sample.process in repeated)
        change = (changed or {}).get(sample.process)
        drawn.append(events if change is None else change(events, random))
        truth[sample.process] = {"expected": expected, "recorded": expected * share, "drawn": len(events)}
    everything = ak.concatenate(drawn)
    everything = everything[random.permutation(len(everything))]
    with writing(path, recipe) as writer:
        writer.extend(_as_data(everything))
    truth_path = path.with_name(f"{path.name}.truth.json")
    content = {"mu": mu, "mass": mass, "luminosity_fb": luminosity_fb, "seed": seed, "processes": truth}
    with replacing(truth_path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return PseudoData(path, truth_path, len(everything), luminosity_fb)


def _draw(
    sample: SimulatedSample, expected: float, random: np.random.Generator, recorded: Recorded | None, *, repeat: bool
) -> tuple[ak.Array, float]:
    """Take a Poisson number of recorded events in proportion to their weights, and the share that is recorded.

    Where all events are recorded, *expected* is the mean of that number.
    """
    with uproot.open(sample.path) as file:
        tree = file["Events"]
        weight = tree["genWeight"].array(library="np").astype(np.float64)
        if weight.min() < 0:
            msg = f"pseudo-data cannot be drawn from {sample.path}: it has events of negative weight"
            raise InputError(msg)
        events = tree.arrays([branch.name for branch in tree.branches if _is_recorded(branch.name)])
    kept = np.ones(len(weight), dtype=bool) if recorded is None else recorded(events)
    events, share = events[kept], weight[kept].sum() / weight.sum()
    weight = weight[kept]
    number = int(random.poisson(expected * share))
    if number > len(weight) and not (repeat and len(weight)):
        msg = f"pseudo-data needs {number} events of {sample.process}, but {sample.path} has {len(weight)}"
        raise InputError(msg)
    return events[random.choice(len(weight), number, replace=repeat, p=weight / weight.sum())], share


def _is_recorded(branch: str) -> bool:
    """Whether a branch of simulation exists in data."""
    of_generator = ("gen", "Gen", "nGen", "Pileup", "HTXS", "PSWeight", "nPSWeight")
    of_truth = ("_genPartIdx", "_genPartFlav", "_genJetIdx", "_hadronFlavour")
    return not branch.startswith(of_generator) and not branch.endswith(of_truth)


def _as_data(recorded: ak.Array) -> Events:
    """Put drawn events into columns for writing, numbered anew in their new order."""
    number = np.arange(len(recorded))
    events: Events = {}
    fields: dict[str, dict[str, ak.Array]] = {}
    for branch in recorded.fields:
        if recorded[branch].ndim == 1:
            events[branch] = ak.to_numpy(recorded[branch])
        else:
            collection, _, field = branch.partition("_")
            fields.setdefault(collection, {})[field] = recorded[branch]
    events["luminosityBlock"] = (1 + number // _EVENTS_PER_SECTION).astype(np.uint32)
    events["event"] = (1 + number).astype(np.uint64)
    for name, jagged in fields.items():
        del events[f"n{name}"]  # the writer counts
        events[name] = _collection(jagged)
    return events


def _collection(jagged: dict[str, ak.Array]) -> Collection:
    flat: dict[str, NDArray[Any]] = {field: ak.to_numpy(ak.flatten(values)) for field, values in jagged.items()}
    counts: Ints = ak.to_numpy(ak.num(next(iter(jagged.values()))))
    return Collection(len(counts), np.repeat(np.arange(len(counts)), counts), flat)


def _check(samples: Sequence[SimulatedSample], luminosity_fb: float, seed: int, mu: float) -> None:
    processes = [sample.process for sample in samples]
    for wrong, what in (
        (not samples, "no sample was given, expected at least one"),
        (len(set(processes)) < len(processes), f"a process appears twice in {', '.join(processes)}"),
        (not 0 < luminosity_fb < np.inf, f"the luminosity is {luminosity_fb} /fb, expected a positive number"),
        (not 0 <= mu < np.inf, f"the signal strength mu is {mu}, expected a number of at least 0"),
        (seed < 0, f"the seed is {seed}, expected at least 0"),
    ):
        if wrong:
            msg = f"pseudo-data: {what}"
            raise InputError(msg)
