"""How far the signal strength is off with backgrounds from data, and without: many pseudo-experiments of each channel.

    python -m bench.nonprompt_bias [--draws 3000] [--json bench/results/nonprompt-bias.json]

In each draw all of the data fluctuate: signal region, control regions and the region in which rates are measured. The
bias is the mean of (μ - 1) over the spread of μ, its error 1/√draws; beside it the mean pull (μ - 1)/error, to which
the asymmetry of a Poisson likelihood adds. "expectation" is the fit to the expectation of everything.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import generate_fakes as fakes
from bench import nonprompt_runs as runs
from bench.throughput import machine

CHANNELS: dict[str, tuple[Callable[[], runs.Run], Callable[..., runs.Estimates]]] = {
    "Z+X": (lambda: runs.zx_run(runs.zx_fakes()), runs.zx_fit),
    "WW": (lambda: runs.ww_run(runs.ww_fakes()), runs.ww_fit),
    "diphoton": (lambda: runs.gg_run([fakes.photon_pair_fakes(50, (True, False), 1)]), runs.gg_fit),
}


def bias(run: runs.Run, fit: Callable[..., runs.Estimates], draws: int, *, with_fakes: bool) -> dict[str, Any]:
    """Return the bias of the strength over so many draws."""
    expected = fit(run, None, with_fakes=with_fakes)["mu"]
    found = [fit(run, np.random.default_rng(seed), with_fakes=with_fakes)["mu"] for seed in range(draws)]
    values, errors = np.array([(mu.value, mu.error) for mu in found]).T
    pulls = (values - 1.0) / errors
    return {
        "draws": draws, "with_method": with_fakes, "expectation": (expected.value - 1.0) / expected.error,
        "bias": float((values.mean() - 1.0) / values.std()), "bias_error": float(draws**-0.5),
        "mean_pull": float(pulls.mean()), "width_of_pulls": float(pulls.std()), "error_of_mu": float(np.median(errors)),
    }  # fmt: skip


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=3000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "channels": {}}
    for name, (make, fit) in CHANNELS.items():
        run = make()
        result["channels"][name] = rows = []
        for with_fakes, draws in ((True, arguments.draws), (False, arguments.draws // 5)):
            rows.append(row := bias(run, fit, draws, with_fakes=with_fakes))
            print(
                f"{name:9} {'with' if with_fakes else 'without':7} the method: bias {row['bias']:+.3f} ± "
                f"{row['bias_error']:.3f} σ, mean pull {row['mean_pull']:+.3f}, width {row['width_of_pulls']:.3f}, "
                f"at expectation {row['expectation']:+.3f}; {draws} draws, error of μ {row['error_of_mu']:.3f}",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
