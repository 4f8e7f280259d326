"""A channel in a file of the user's own: what it fills, against Awkward, and that it fills what the file says now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

import gpuhiggs
from gpuhiggs import channel_file, channels, config, engine, interactive, normalisation
from gpuhiggs.errors import ConfigError, RunError
from gpuhiggs.kernels import launch_cuda

DIMUON = Path(channels.__file__).parents[1] / "examples" / "dimuon.py"
Write = Callable[..., Path]


def masses(path: Path, pt_min: float) -> np.ndarray:
    """The masses of opposite-sign pairs, by Awkward and NumPy alone."""
    with uproot.open(path) as file:
        muons = ak.zip(
            {name: file["Events"][f"Muon_{name}"].array() for name in ("pt", "eta", "phi", "mass", "charge")}
        )
    muons = ak.values_astype(muons[muons.pt > pt_min], np.float64)
    a, b = ak.unzip(ak.combinations(muons, 2))
    kept = a.charge != b.charge
    a, b = (ak.to_numpy(ak.flatten(one[kept])) for one in (a, b))

    def vector(one: Any) -> np.ndarray:
        pt, eta, phi, mass = (one[name] for name in ("pt", "eta", "phi", "mass"))
        energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
        return np.array([energy, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])

    total = vector(a) + vector(b)
    return np.asarray(np.sqrt(np.maximum(total[0] ** 2 - (total[1:] ** 2).sum(axis=0), 0)))


@pytest.mark.parametrize("pt_min", [5.0, 20.0])
def test_dimuon_mass(shared: Path, pt_min: float) -> None:
    path = shared / "data/cms/SingleMu_Run2012B_data_1000ev.root"
    result = gpuhiggs.run(DIMUON, path, cuts={"pt_min": pt_min})
    expected = np.histogram(masses(path, pt_min), np.linspace(0, 200, 101))[0]
    assert expected.sum() > 20
    np.testing.assert_array_equal(result["mass"].values(), expected)
    np.testing.assert_array_equal(result["mass"].variances(), expected)
    assert result.events == result.cutflow[0]["entries"] == 1000


def test_the_manual_shows_the_example() -> None:
    manual = Path(channels.__file__).parents[2] / "docs" / "own-channel.md"
    if not manual.is_file():
        pytest.skip("no docs/: the package is installed, this is no checkout")
    assert f"```python\n{DIMUON.read_text(encoding='utf-8')}```" in manual.read_text(encoding="utf-8")


# --- everything that a file can say --------------------------------------------------------------------------------

QUERY = '''
"""Every setting there is."""
from typing import NamedTuple
from gpuhiggs.language import *
from beside import scale

TREE = ("NotThere", "tree")
BRANCHES = {"event.missing": ["PuppiMET_pt", "MET_pt"], "Lepton.pt": {"branches": "mu_pt", "scale": 0.001}}
TRIGGERS = {"First": ("HLT_A",)}
STEPS = ("any", "hard")
FILLS = 7

class Lepton(NamedTuple):
    offsets: Offsets
    pt: Float32
    charge: Int32

class Event(NamedTuple):
    genWeight: Float32
    missing: Float32

class Inputs(NamedTuple):
    Lepton: Lepton
    event: Event

class Lower(NamedTuple):
    pt: Positive = 30.0

class Cuts(NamedTuple):
    lower: Lower = Lower()
    factor: Real = 1.0

class Out(NamedTuple):
    pt: Histogram = variable((0.0, 20.0, 40.0, 100.0), "pt", categories=("minus", "plus"))
    missing: Histogram = regular(15, 0.0, 150.0)

@scalar
def generator_weight(event, inputs):
    return inputs.event.genWeight[event] * 2.0

@scalar
def preselect(inputs, event):
    return size(inputs.Lepton, event) > 0

@scalar
def body(out, event, weight, inputs, cuts, simulation):
    passed(out, 0, weight)
    if simulation:
        weight *= cuts.factor
    hard = 0
    for i in each(inputs.Lepton, event):
        if inputs.Lepton.pt[i] > cuts.lower.pt:
            hard += 1
        fill_category(out.pt, 1 if inputs.Lepton.charge[i] > 0 else 0, scale(inputs.Lepton.pt[i]), weight)
    if hard > 0:
        passed(out, 1, weight)
        fill(out.missing, inputs.event.missing[event], weight)
'''

BESIDE = """
from gpuhiggs.language import scalar
from constants import FACTOR

@scalar
def scale(x):
    return FACTOR * x
"""


@pytest.fixture
def query(tmp_path: Path) -> Path:
    """A channel with all settings and two modules beside it."""
    (tmp_path / "query.py").write_text(QUERY, encoding="utf-8")
    (tmp_path / "beside.py").write_text(BESIDE, encoding="utf-8")
    (tmp_path / "constants.py").write_text("FACTOR = 1.0\n", encoding="utf-8")
    return tmp_path / "query.py"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A file and what is in it."""
    random = np.random.default_rng(3)
    n = 4_000
    counts = random.poisson(1.2, n)
    branches = {
        "HLT_A": random.uniform(size=n) < 0.7,
        "genWeight": random.choice(np.array([-1.5, 0.25, 3.0], np.float32), n),
        "MET_pt": random.exponential(40, n).astype(np.float32),
        "mu_pt": ak.unflatten(random.exponential(30_000, counts.sum()).astype(np.float32), counts),
        "Lepton_charge": ak.unflatten(random.choice(np.array([-1, 1], np.int32), counts.sum()), counts),
    }
    path = tmp_path_factory.mktemp("events") / "events.root"
    with uproot.recreate(path) as file:
        types = {name: ak.Array(values).type.content for name, values in branches.items()}
        file.mktree("tree", types).extend(branches)
    return path, branches


def _dataset(path: Path, kind: str) -> dict[str, Any]:
    dataset = {"name": "events", "process": "events", "kind": kind, "files": [str(path)]}
    return dataset | ({"cross_section": None} if kind == "simulation" else {"primary_dataset": "First"})


@pytest.mark.parametrize("simulation", [True, False])
def test_all_settings(query: Path, events: tuple[Path, dict[str, Any]], simulation: bool) -> None:
    path, branches = events
    raw = {
        "selection": str(query),
        "datasets": [_dataset(path, "simulation" if simulation else "data")],
        "lumi_mask": None,
        "overrides": {"cuts": {"factor": 1.75}},
    }
    loaded = config.build(raw, path)
    by_process = normalisation.histograms(loaded, engine.run(loaded))
    pt, missing = by_process["pt"]["events"], by_process["missing"]["events"]

    weight = branches["genWeight"].astype(np.float64) * 2 if simulation else np.ones(len(branches["MET_pt"]))
    first = branches["HLT_A"] & (ak.num(branches["mu_pt"]) > 0).to_numpy()
    filled = weight * (1.75 if simulation else 1.0)
    pts = ak.values_astype(branches["mu_pt"], np.float64) * 0.001
    each = ak.broadcast_arrays(filled, pts)[0]
    variances = np.asarray(pt.variances(flow=True))
    for row, charge in enumerate((-1, 1)):
        kept = (branches["Lepton_charge"] == charge) & first
        values, weights = (ak.to_numpy(ak.flatten(one[kept])).astype(np.float64) for one in (pts, each))
        expected = np.histogram(values.astype(np.float32), [0, 20, 40, 100, np.inf], weights=weights)[0]
        np.testing.assert_allclose(pt.values(flow=True)[row][1:], expected, rtol=1e-9)
        squares = np.histogram(values.astype(np.float32), [0, 20, 40, 100, np.inf], weights=weights**2)[0]
        np.testing.assert_allclose(variances[row][1:], squares, rtol=1e-9)
    hard = first & (ak.any(pts > 30.0, axis=1)).to_numpy()
    expected = np.histogram(branches["MET_pt"][hard], [*range(0, 160, 10), np.inf], weights=filled[hard])[0]
    np.testing.assert_allclose(missing.values(flow=True)[0][1:], expected, rtol=1e-9)

    found = normalisation.cutflow(loaded, engine.run(loaded), [("events", 1.0)])
    assert [row["step"] for row in found] == ["all", "certified", "filters", "trigger", "any", "hard"]
    n, n_triggered = len(weight), int(branches["HLT_A"].sum())
    assert [row["entries"] for row in found] == [n, n, n, n_triggered, first.sum(), hard.sum()]
    assert found[4]["events"] == pytest.approx(weight[first].sum(), rel=1e-9)


def _run(channel: Path, path: Path, **settings: Any) -> interactive.Result:
    settings = {"simulation": True, "triggers": {}, **settings}
    return gpuhiggs.run(channel, path, **settings)


def test_same_bits_for_any_threads_and_chunks(
    query: Path, events: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _run(query, events[0])
    for threads, chunk in ((1, 999), (2, 999), (2, 13)):
        monkeypatch.setattr(interactive, "_CHUNK" if threads == 1 else "_CHUNK_OF_A_THREAD", chunk)
        assert _run(query, events[0], threads=threads).digest == first.digest


def test_an_edit_counts_at_once(query: Path, events: tuple[Path, dict[str, Any]]) -> None:
    """Of the file, and of a constant in a module that a module beside it imports; compiled code is taken up again."""
    first = _run(query, events[0])
    constants = query.with_name("constants.py")
    constants.write_text("FACTOR = 2.0\n", encoding="utf-8")  # as long as before, in the same second
    doubled = _run(query, events[0])
    assert doubled["pt"].sum(flow=True) == first["pt"].sum(flow=True)
    assert doubled.digest != first.digest
    constants.write_text("FACTOR = 1.0\n", encoding="utf-8")
    assert _run(query, events[0]).digest == first.digest
    query.write_text(QUERY.replace("hard > 0", "hard > 1"), encoding="utf-8")
    assert _run(query, events[0])["missing"].values(flow=True).sum() < first["missing"].values(flow=True).sum()
    (query.parent / "elsewhere.py").write_text("FACTOR = 3.0\n", encoding="utf-8")
    query.write_text(QUERY, encoding="utf-8")
    assert channel_file.load(query).program == channel_file.find(channel_file.load(query).name).program


def test_a_file_that_has_changed_is_refused(query: Path, events: tuple[Path, dict[str, Any]]) -> None:
    """A worker that comes later, or a run repeated from its configuration, cannot go on with another version."""
    raw = {"selection": str(query), "datasets": [_dataset(events[0], "simulation")]}
    name = config.build(raw, query).selection.channel
    query.write_text(QUERY + "\n", encoding="utf-8")
    script = f"from gpuhiggs import channels; channels.find({name!r})"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "query.py has changed since this configuration was made of it" in found.stderr


INTERPRETED = """
import gpuhiggs
print(gpuhiggs.run({channel!r}, {path!r}, simulation=True, triggers={{}}).digest)
"""


def _in_another_process(channel: Path, path: Path, **environment: str) -> str:
    script = INTERPRETED.format(channel=str(channel), path=str(path))
    found = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_interpreter(query: Path, events: tuple[Path, dict[str, Any]]) -> None:
    assert _in_another_process(query, events[0], NUMBA_DISABLE_JIT="1") == _run(query, events[0]).digest


def test_a_second_process_compiles_nothing(query: Path, events: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Even one that finds the file in another folder."""

    def cached() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in tmp_path.glob("cache/**/*.nb?")}

    digest = _in_another_process(query, events[0], GPUHIGGS_CACHE=str(tmp_path / "cache"))
    before = cached()
    assert before
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("query.py", "beside.py", "constants.py"):
        (moved / name).write_bytes(query.with_name(name).read_bytes())
    assert _in_another_process(moved / "query.py", events[0], GPUHIGGS_CACHE=str(tmp_path / "cache")) == digest
    assert cached() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 if inputs.Lepton.charge[i] > 0 else 0", "2", "pt: .* fills of a category or step that is not there"),
        ("passed(out, 1", "passed(out, 2", "the cutflow: .* fills of a category or step"),
        ("weight *= cuts.factor", "weight *= 1e6", "the cutflow: .* fills with a weight that is NaN or too large"),
        ('"MET_pt"]', '"MET_et"]', "no branch PuppiMET_pt or MET_et in tree 'tree'"),
    ],
)
def test_what_cannot_be_counted_is_an_error(
    old: str, new: str, message: str, query: Path, events: tuple[Path, dict[str, Any]]
) -> None:
    query.write_text(QUERY.replace(old, new), encoding="utf-8")
    with pytest.raises(RunError, match=message):
        _run(query, events[0])


def test_too_many_weights_at_a_time(
    query: Path, events: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels.from_file, "LAUNCH_FILLS", 1_400)
    assert _run(query, events[0]).events == 4_000
    query.write_text(QUERY.replace("FILLS = 7", "FILLS = 1").replace("for i in each(inputs.Lepton, event):",
        "for k in range(9 * size(inputs.Lepton, event)):\n        i = inputs.Lepton.offsets[event]"))  # fmt: skip
    with pytest.raises(RunError, match=r"pt: too many fills with weights at a time; write FILLS = \d+ in the file"):
        _run(query, events[0])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"cuts": {"factr": 1.0}}, r"cuts: unknown key 'factr'; known: lower, factor"),
        ({"cuts": {"lower": {"pt": -1}}}, r"cuts.lower.pt: expected a value between 0.0 and inf, got -1"),
        ({"histogram": {}}, r"unknown key 'histogram' in selection"),
    ],
)
def test_wrong_overrides(
    overrides: dict[str, Any], message: str, query: Path, events: tuple[Path, dict[str, Any]]
) -> None:
    with pytest.raises(ConfigError, match=message):
        _run(query, events[0], **overrides)


def test_another_binning(query: Path, events: tuple[Path, dict[str, Any]]) -> None:
    coarse = _run(query, events[0], histograms={"missing": {"label": "x", "bins": 3, "low": 0, "high": 150}})
    fine = _run(query, events[0])
    assert coarse["missing"].values().tolist() == fine["missing"].values().reshape(3, 5).sum(axis=1).tolist()


def test_json(query: Path, events: tuple[Path, dict[str, Any]]) -> None:
    found = json.loads(json.dumps(_run(query, events[0]).to_json()))
    assert found["events"] == 4_000
    assert np.shape(found["histograms"]["pt"]["values"]) == (3, 5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command(query: Path, events: tuple[Path, dict[str, Any]], folder: Path) -> None:
    """As documented: a result that the configuration beside it makes again."""
    (folder / "files.yaml").write_text(yaml.safe_dump({"datasets": [_dataset(events[0], "simulation")]}))

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "gpuhiggs", "run", *arguments], capture_output=True, text=True)

    done = command("--channel", "query.py", "files.yaml", "--workers", "0", "--output", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    again = command("out/config.yaml", "--workers", "0", "--output", "again")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (folder / "again/digest.txt").read_text() == (folder / "out/digest.txt").read_text()
    query.write_text(QUERY.replace("weight *= cuts.factor", "weight = weight ** 2"), encoding="utf-8")
    wrong = command("--channel", "query.py", "files.yaml", "--output", "wrong")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(f"gpuhiggs: {query}:")
    assert "`**` has other bits" in wrong.stderr
    assert not (folder / "wrong").exists()


PTX = """
import sys
from pathlib import Path
from gpuhiggs import channel_file
from gpuhiggs.kernels import launch_cuda
for function, types in launch_cuda.device_functions(channel_file.load(Path(sys.argv[1])).program).values():
    text = launch_cuda.ptx(function, types)
    assert launch_cuda.forbidden(text) == [], launch_cuda.forbidden(text)
    assert "mul.rn.f64" in text
"""


def test_ptx(query: Path) -> None:
    """Its CUDA kernels pass the same gate as those of the package's channels."""
    pytest.importorskip("numba_cuda")
    found = subprocess.run([sys.executable, "-c", PTX, str(DIMUON)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert launch_cuda.forbidden("fma.rn.f64 %fd1, %fd2, %fd3, %fd4;")
