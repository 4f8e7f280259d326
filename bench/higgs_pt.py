"""Make ``gpuhiggs/interpret/data/higgs_pt.yaml``: dσ/dpT of Higgs bosons at several √s by Pythia 8, with scale bands.

The hard process is Pythia's at leading order; the tail beyond about m_t is that of the shower, not of a matrix element.
Bands: the renormalisation scale of the initial-state shower times 1/2 and 2 (weights of the same events,
arXiv:1605.08352). Shapes alone are kept: whoever reads them normalises to the best known cross section. VBF, VH and tt̄H
are there for 13 TeV, together, by their leading-order parts.

    python -m bench.higgs_pt --events 150000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pythia8mc
import yaml

EDGES = (0, 5, 10, 15, 20, 25, 30, 35, 45, 60, 80, 100, 120, 140, 170, 200, 250, 350, 450)
ENERGIES = (8, 13, 14)
GLUON_FUSION = ("HiggsSM:gg2H = on",)
OTHERS = (
    "HiggsSM:ff2Hff(t:ZZ) = on", "HiggsSM:ff2Hff(t:WW) = on", "HiggsSM:ffbar2HW = on", "HiggsSM:ffbar2HZ = on",
    "HiggsSM:gg2Httbar = on", "HiggsSM:qqbar2Httbar = on",
)  # fmt: skip
SETTINGS = (
    "25:m0 = 125.09", "25:mayDecay = off", "PartonLevel:MPI = off", "HadronLevel:all = off",
    "PartonLevel:FSR = off", "UncertaintyBands:doVariations = on", "UncertaintyBands:List = {up isr:muRfac=0.5, "
    "down isr:muRfac=2.0}", "Print:quiet = on", "Next:numberCount = 0", "Random:setSeed = on",
)  # fmt: skip


def shapes(process: tuple[str, ...], sqrt_s: int, n_events: int) -> dict[str, list[float]]:
    """Return the share of each bin, and its statistical error, nominal and with either scale; the last bin is open."""
    pythia = pythia8mc.Pythia("", False)
    for setting in (*process, *SETTINGS, f"Beams:eCM = {1000 * sqrt_s}", f"Random:seed = {sqrt_s}"):
        pythia.readString(setting)
    if not pythia.init():
        msg = "Pythia did not start"
        raise RuntimeError(msg)
    pt, weights = [], []
    for _ in range(n_events):
        if not pythia.next():
            continue
        event = pythia.event
        higgs = next(i for i in range(event.size() - 1, 0, -1) if event[i].id() == 25)
        pt.append(event[higgs].pT())
        weights.append([pythia.infoPython().weightValueByIndex(i) for i in range(3)])
    place = np.digitize(pt, EDGES) - 1
    table = np.zeros((len(EDGES), 3))
    np.add.at(table, place, np.array(weights))
    counts = np.bincount(place, minlength=len(EDGES))
    table /= table.sum(axis=0)
    found = dict(zip(("nominal", "up", "down"), table.T, strict=True)) | {"error": np.sqrt(counts) / len(pt)}
    return {name: [float(f"{x:.5g}") for x in values] for name, values in found.items()}


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=150_000)
    n_events = parser.parse_args().events
    target = Path(__file__).parents[1] / "gpuhiggs/interpret/data/higgs_pt.yaml"
    text = f"""# Share of each bin of pT(H) in σ, by √s in TeV; edges in GeV, the last bin is open.
# Made by bench/higgs_pt.py. `others`: VBF, VH and tt̄H together. up, down:
# renormalisation scale of the initial-state shower times 1/2 and 2.
source: "Pythia 8, leading order and initial-state shower, {n_events} events of gg → H at each √s"
"""
    table = {
        "edges": list(EDGES),
        "ggH": {energy: shapes(GLUON_FUSION, energy, n_events) for energy in ENERGIES},
        "others": {13: shapes(OTHERS, 13, n_events // 5)},
    }
    target.write_text(
        text + yaml.safe_dump(table, sort_keys=False, default_flow_style=None, width=132), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
