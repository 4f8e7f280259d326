"""Events per second and core of the simulation, from Pythia's initialisation to the file: ``python -m bench.simulate``.

CPU time of one process, so that other jobs on the machine matter little; each number is the median of three runs, and
the slowest process is at the end of the table as well as at its place.
"""

from __future__ import annotations

import json
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from gpuhiggs.simulate import Settings, known_processes, simulate

N_EVENTS = 2000
GOALS = {"gamgam": 400, "4l": 400, "ttH": 200, "ttbar": 200}
RESULT = Path(__file__).parent / "results" / "simulate.json"


def rate(process: str, settings: Settings, n_events: int, folder: Path) -> float:
    """Events per second of CPU time."""
    seconds = []
    for seed in range(3):
        before = time.process_time()
        simulate(process, n_events, folder / f"{process}.root", seed=seed, settings=settings)
        seconds.append(time.process_time() - before)
    return n_events / statistics.median(seconds)


def main() -> None:
    """Measure every process, and some with the underlying event."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rates = {process: rate(process, Settings(), N_EVENTS, folder) for process in known_processes()}
        slow = Settings(multiparton_interactions=True)
        full = {process: rate(process, slow, 200, folder) for process in ("ggH_gamgam", "ttH_gamgam", "ttbar_2l2nu")}
    result = {
        "unit": "events per second of CPU time, one core; generation, detector, jets and writing",
        "machine": {"processor": platform.processor() or platform.machine(), "shared with other jobs": True},
        "versions": {package: version(package) for package in ("pythia8mc", "fastjet", "numpy", "uproot")},
        "events": N_EVENTS,
        "rates": {process: round(value) for process, value in rates.items()},
        "rates with multiparton interactions": {process: round(value) for process, value in full.items()},
        "slowest": min(rates, key=lambda process: rates[process]),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    for process, value in rates.items():
        production, _, decay = process.partition("_")
        goal = GOALS.get(production, GOALS.get(decay))
        assert goal is None or value >= goal, f"{process}: {value:.0f} events/s, expected {goal}"
    assert min(full.values()) >= 80, full


if __name__ == "__main__":
    main()
