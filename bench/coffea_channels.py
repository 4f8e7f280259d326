"""The CMS γγ and 4ℓ channels against the same selections in coffea's way: Awkward arrays and hist, columns in memory.

    python -m bench.coffea_channels [--events 200000] [--varied 20000] [--rounds 3] [--json FILE]

Both sides get the same columns, and what they fill is compared bin by bin before anything is timed; one thread, its
processor time, in turns (A B A B), median and spread of the ratios. *Varied* is the 4ℓ channel with 40 shifts and 100
weights: Awkward selects once a shift and fills once a weight. Only there it is spared something: no missing momentum
follows its shifts. The selections are in ``bench/awkward_channels.py``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from bench import awkward_channels, in_memory
from bench import variations as varied
from bench.channels import CASES
from bench.throughput import MIXES, machine
from gpuhiggs import variations
from gpuhiggs.engine import processing
from gpuhiggs.histogram import Counts, sum_of_weights
from gpuhiggs.kernels import four_lepton


def seconds(work: Callable[[], Any]) -> float:
    """Return the processor time of one call."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def in_turns(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> dict[str, Any]:
    """Time both in turns; the first round warms up."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds + 1)][1:]
    ratios = [b / a for a, b in pairs]
    return {
        "ours_s": [a for a, _ in pairs],
        "awkward_s": [b for _, b in pairs],
        "median_ratio": statistics.median(ratios),
        "least_ratio": min(ratios),
    }


def compare(counts: Counts, contents: dict[str, np.ndarray], variation: int = 0) -> None:
    """Stop where the two sides have not filled the same."""
    for name, expected in contents.items():
        found = sum_of_weights(counts.sums[in_memory.DATASET, f"{name}/sumw"])[..., variation]
        np.testing.assert_allclose(found, expected, atol=1e-6)


class Side:
    """One channel in Awkward."""

    def __init__(self, channel: str, made: Any, inputs: Any) -> None:
        self.select = awkward_channels.SELECTIONS[channel]
        self.columns = awkward_channels.columns(inputs)
        self.cuts, self.dataset = made.config.selection.cuts, made.cuts.value.dataset
        self.axes = {spec.name: spec.axis.to_hist() for spec in made.specs}
        self.categories = len(made.specs[0].categories)

    def nominal(self) -> dict[str, np.ndarray]:
        """Select and fill."""
        return self.filled(self.select(self.columns, self.cuts, self.dataset))

    def filled(self, found: Any, weight: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Fill."""
        return awkward_channels.fill(found, self.axes, self.categories, weight)

    def varied(self, shifts: list[tuple[str, Any]], weights: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Select once for the nominal and every shift; fill every weight of the nominal."""
        found = self.select(self.columns, self.cuts, self.dataset)
        filled = [self.filled(found)]
        for name, factor in shifts:
            moved = self.columns[name]
            shifted = ak.with_field(moved, moved.pt * factor(moved), "pt")
            filled.append(self.filled(self.select(self.columns | {name: shifted}, self.cuts, self.dataset)))
        ratios = weights[found.index]
        return filled + [self.filled(found, found.weight * ratios[:, i]) for i in range(weights.shape[1])]


def shifts() -> list[tuple[str, Any]]:
    """Return the forty shifts of ``bench.variations``: a collection and its factor, up and down."""
    collections = {"muon": "muons", "electron": "electrons", "jet": "jets", "met": "met"}
    found: list[tuple[str, Any]] = []
    for one in varied.SHIFTS.values():
        size = one["size"]

        def relative(objects: Any, size: Any = size) -> Any:
            if isinstance(size, float):
                return size
            quantity = abs(objects.eta) if "abs_eta" in size else objects.pt
            return np.where(quantity < size["abs_eta" if "abs_eta" in size else "pt"][1], *size["values"])

        name = collections[one["object"]]
        found += [(name, lambda c, r=relative, sign=sign: 1 + sign * r(c)) for sign in (1, -1)]
    return found


def nominal_rows(n: int, rounds: int) -> list[dict[str, Any]]:
    """Compare both channels at both mixes."""
    rows = []
    for channel in awkward_channels.SELECTIONS:
        for mix in MIXES:
            case = CASES[channel]
            made, inputs = in_memory.prepare(case.selection), case.make(n, mix, 3)
            side = Side(channel, made, inputs)
            compare(in_memory.process(made, inputs).counts, side.nominal())
            row = in_turns(lambda made=made, inputs=inputs: in_memory.process(made, inputs), side.nominal, rounds)  # type: ignore[misc]
            rows.append({"channel": channel, "preselected": mix, "events": n, **row})
    return rows


def varied_row(n: int, rounds: int) -> dict[str, Any]:
    """Compare the four-lepton channel with 40 shifts and 100 weights."""
    histograms = list(four_lepton.HISTOGRAMS[:4])
    made = varied.prepare({"shifts": varied.SHIFTS, "sets": varied.SETS, "histograms": histograms})
    inputs = CASES["four_lepton"].make(n, varied.PRESELECTED, 3)
    weights = np.random.default_rng(1).normal(1, 0.1, (n, 100)).astype(np.float32)
    branches = variations.branches([weights.reshape(-1)], [100])
    side, moved = Side("four_lepton", made, inputs), shifts()
    counts = processing.run_kernel(made, inputs, n, branches)[0]
    filled = side.varied(moved, weights)
    compare(counts, filled[0])
    compare(counts, filled[-1], -1)
    row = in_turns(
        lambda: processing.run_kernel(made, inputs, n, branches), lambda: side.varied(moved, weights), rounds
    )
    return {
        "channel": "four_lepton",
        "preselected": varied.PRESELECTED,
        "events": n,
        "shifts": 40,
        "weights": 100,
        **row,
    }


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--varied", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = [*nominal_rows(arguments.events, arguments.rounds), varied_row(arguments.varied, arguments.rounds)]
    for row in rows:
        what = "40 shifts, 100 weights" if "shifts" in row else "nominal"
        print(
            f"{row['channel']:12} {row['preselected']:4.0%} {what:24} {row['median_ratio']:7.1f} times Awkward's rate "
            f"(least {row['least_ratio']:.1f})"
        )
    packages = {name: version(name) for name in ("awkward", "hist", "boost-histogram")}
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine() | packages, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
