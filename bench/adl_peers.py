"""The peers of the ADL queries: RDataFrame, compiled, and coffea's way, Awkward arrays that uproot reads."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import hist
import numpy as np
import uproot

SOURCE = Path(__file__).with_name("adl_rdataframe.cpp")
LIBRARIES = (
    "Core", "RIO", "Tree", "TreePlayer", "Hist", "ROOTDataFrame", "ROOTVecOps", "GenVector", "MathCore", "Imt",
    "Thread", "Net",
)  # fmt: skip
LINK = ["-Wl,--allow-shlib-undefined", "-Wl,--unresolved-symbols=ignore-in-shared-libs"]

Counts = dict[str, list[float]]
"""Histograms by name, flow bins included."""


class Taken(NamedTuple):
    """What one run of a query took, in seconds, and what it filled."""

    wall: float
    cpu: float
    counts: Counts


def root_folder(given: str | None) -> Path:
    """Return the folder of ROOT's wheel: the one given, or that of this environment."""
    if given:
        return Path(given)
    spec = importlib.util.find_spec("ROOT")
    if spec is None or spec.origin is None:
        msg = "RDataFrame needs ROOT's wheel (pip install root): name the folder of its package with --root"
        raise SystemExit(msg)
    return Path(spec.origin).parent


class RDataFrame:
    """The compiled program; each call is a process, which measures its own event loops."""

    def __init__(self, root: Path, threads: int) -> None:
        self._threads = threads
        self._folder = tempfile.TemporaryDirectory()
        self._program = Path(self._folder.name) / "adl_rdataframe"
        self._environment = {**os.environ, "LD_LIBRARY_PATH": str(root / "lib")}
        began = time.perf_counter()
        subprocess.run(
            ["g++", "-O3", "-std=c++17", f"-I{root / 'include'}", str(SOURCE), "-o", str(self._program),
             f"-L{root / 'lib'}", *(f"-l{name}" for name in LIBRARIES), *LINK],
            check=True,
        )  # fmt: skip
        self.compile_seconds = time.perf_counter() - began

    def __call__(self, path: str, query: int) -> Taken:
        """Run a query twice, and count the second time: the first has the start-up of ROOT in it."""
        done = subprocess.run(
            [str(self._program), path, str(self._threads), "2", str(query)],
            env=self._environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        last = json.loads(done.stdout.splitlines()[-1])
        return Taken(last["wall"], last["cpu"], last["histograms"])


AXES = {
    "met": (100, 0, 2000), "jet_pt": (100, 15, 60), "trijet_pt": (100, 15, 40), "b_tag": (100, 0, 1),
    "ht": (100, 15, 200), "transverse_mass": (100, 15, 250),
}  # fmt: skip
COLUMNS = {
    1: ("MET_pt",),
    2: ("Jet_pt",),
    3: ("Jet_pt", "Jet_eta"),
    4: ("Jet_pt", "MET_pt"),
    5: ("MET_pt", *(f"Muon_{name}" for name in ("pt", "eta", "phi", "mass", "charge"))),
    6: tuple(f"Jet_{name}" for name in ("pt", "eta", "phi", "mass", "btag")),
    7: tuple(f"{one}_{name}" for one in ("Jet", "Electron", "Muon") for name in ("pt", "eta", "phi")),
    8: (
        "MET_pt", "MET_phi",
        *(f"{one}_{name}" for one in ("Electron", "Muon") for name in ("pt", "eta", "phi", "mass", "charge")),
    ),
}  # fmt: skip
STEP = 250_000
"""Events of a chunk of coffea's."""


class Coffea:
    """The queries as array programs: chunks read by uproot, Awkward operations, ``hist`` fills."""

    compile_seconds = 0.0

    def __init__(self, threads: int) -> None:
        self._executor = uproot.ThreadPoolExecutor(threads) if threads > 1 else None

    def __call__(self, path: str, query: int) -> Taken:
        """Run a query."""
        began, cpu_began = time.perf_counter(), time.process_time()
        filled = arrays(self._chunks(path, query), query)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        counts = {name: np.asarray(found.values(flow=True)).tolist() for name, found in filled.items()}
        return Taken(wall, cpu, counts)

    def _chunks(self, path: str, query: int) -> Iterator[Any]:
        with uproot.open(path) as file:
            tree = file["Events"]
            yield from tree.iterate(
                list(COLUMNS[query]), step_size=STEP, library="ak", decompression_executor=self._executor
            )


def arrays(chunks: Iterator[Any], query: int) -> dict[str, hist.Hist[Any]]:
    """Fill the histograms of a query from chunks of arrays: the answer by Awkward and NumPy alone."""
    filled: dict[str, Any] = {}
    for chunk in chunks:
        for name, values in QUERIES[query](chunk).items():
            if name not in filled:
                filled[name] = hist.Hist(hist.axis.Regular(*AXES[name]), storage=hist.storage.Double())
            filled[name].fill(ak.to_numpy(values))
    return filled


def _collection(chunk: Any, name: str) -> Any:
    """Zip the columns of a collection, in double precision as coffea's vectors compute."""
    fields = [field.partition("_")[2] for field in chunk.fields if field.startswith(f"{name}_")]
    return ak.zip({field: ak.values_astype(chunk[f"{name}_{field}"], np.float64) for field in fields})


def _momentum(one: Any) -> Any:
    """Return four-vectors as records that add up."""
    px, py, pz = one.pt * np.cos(one.phi), one.pt * np.sin(one.phi), one.pt * np.sinh(one.eta)
    return ak.zip({"px": px, "py": py, "pz": pz, "e": np.sqrt((one.pt * np.cosh(one.eta)) ** 2 + one.mass**2)})


def _sum(*vectors: Any) -> Any:
    return ak.zip({name: sum(vector[name] for vector in vectors) for name in ("px", "py", "pz", "e")})


def _mass(p: Any) -> Any:
    square = p.e**2 - (p.px**2 + p.py**2 + p.pz**2)
    return np.sqrt(ak.where(square > 0, square, 0.0))


def _delta_phi(a: Any, b: Any) -> Any:
    return (a - b + np.pi) % (2 * np.pi) - np.pi


def _query_4(chunk: Any) -> Any:
    return {"met": chunk.MET_pt[ak.sum(chunk.Jet_pt > 40, axis=1) >= 2]}


def _query_5(chunk: Any) -> Any:
    a, b = ak.unzip(ak.combinations(_collection(chunk, "Muon"), 2))
    mass = _mass(_sum(_momentum(a), _momentum(b)))
    return {"met": chunk.MET_pt[ak.any((a.charge != b.charge) & (mass > 60) & (mass < 120), axis=1)]}


def _query_6(chunk: Any) -> Any:
    jets = _collection(chunk, "Jet")
    jets = jets[ak.num(jets) >= 3]
    jets = ak.with_field(jets, _momentum(jets), "p")
    a, b, c = ak.unzip(ak.combinations(jets, 3))
    p = _sum(a.p, b.p, c.p)
    best = ak.argmin(abs(_mass(p) - 172.5), axis=1, keepdims=True)
    b_tag = np.maximum(np.maximum(a.btag, b.btag), c.btag)
    return {"trijet_pt": ak.flatten(np.sqrt(p.px**2 + p.py**2)[best]), "b_tag": ak.flatten(b_tag[best])}


def _is_clean(jets: Any, leptons: Any) -> Any:
    jet, lepton = ak.unzip(ak.cartesian([jets, leptons[leptons.pt > 10]], nested=True))
    dr2 = (jet.eta - lepton.eta) ** 2 + _delta_phi(jet.phi, lepton.phi) ** 2
    return ak.all(dr2 >= 0.4 * 0.4, axis=2)


def _query_7(chunk: Any) -> Any:
    jets, electrons, muons = (_collection(chunk, name) for name in ("Jet", "Electron", "Muon"))
    jets = jets[jets.pt > 30]
    return {"ht": ak.sum(jets.pt[_is_clean(jets, electrons) & _is_clean(jets, muons)], axis=1)}


def _query_8(chunk: Any) -> Any:
    electrons, muons = _collection(chunk, "Electron"), _collection(chunk, "Muon")
    kinds = [ak.with_field(one, kind, "kind") for kind, one in enumerate((electrons, muons))]
    leptons = ak.concatenate(kinds, axis=1)
    kept = ak.num(leptons) >= 3
    leptons, met, met_phi = leptons[kept], chunk.MET_pt[kept], chunk.MET_phi[kept]
    leptons = ak.with_field(leptons, ak.local_index(leptons), "place")
    a, b = ak.unzip(ak.combinations(leptons, 2))
    good = (a.kind == b.kind) & (a.charge != b.charge)
    a, b = a[good], b[good]
    best = ak.argmin(abs(_mass(_sum(_momentum(a), _momentum(b))) - 91.2), axis=1, keepdims=True)
    found = ak.num(a) > 0
    first, second = (ak.flatten(one.place[best][found]) for one in (a, b))
    leptons, met, met_phi = leptons[found], met[found], met_phi[found]
    others = leptons[(leptons.place != first) & (leptons.place != second)]
    hardest = others[ak.argmax(others.pt, axis=1, keepdims=True)]
    pt, phi = ak.flatten(hardest.pt), ak.flatten(hardest.phi)
    return {"transverse_mass": np.sqrt(2 * pt * met * (1 - np.cos(_delta_phi(phi, met_phi))))}


QUERIES: dict[int, Any] = {
    1: lambda chunk: {"met": chunk.MET_pt},
    2: lambda chunk: {"jet_pt": ak.flatten(chunk.Jet_pt)},
    3: lambda chunk: {"jet_pt": ak.flatten(chunk.Jet_pt[abs(chunk.Jet_eta) < 1])},
    4: _query_4,
    5: _query_5,
    6: _query_6,
    7: _query_7,
    8: _query_8,
}
