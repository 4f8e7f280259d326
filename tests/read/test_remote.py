"""Remote files: the same bits as local ones, over http, https and root; servers that fail."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from gpuhiggs.errors import FileError
from gpuhiggs.read import ColumnCache, EventFile, opened, remote
from gpuhiggs.read.idle import close_idle
from gpuhiggs.read.opening import open_table
from gpuhiggs.read.values import Values

from .servers import Troubled, nginx, self_signed, xrootd

FILES = {
    "cms/SingleMu_Run2012B_data_1000ev.root": ("Muon_pt", "nMuon", "run", "Jet_pt", "MET_pt"),
    "cms/DY_2018_40ev_rntuple.root": ("Muon_pt", "nMuon", "run", "Jet_pt", "HLT_Mu50"),
    "atlas/data_B.4lep.root": ("lep_pt", "runNumber", "trigM"),
    "a.parquet": ("x", "y"),
}
TREES = ("Events", "mini")


def read(path: str, names: tuple[str, ...], cache: ColumnCache | None = None) -> dict[str, Values]:
    with EventFile(path, TREES, cache=cache) as events:
        return events.values(names, 1, events.entries - 1)


def assert_same(found: dict[str, Values], expected: dict[str, Values]) -> None:
    assert found.keys() == expected.keys()
    for name, (content, offsets) in expected.items():
        np.testing.assert_array_equal(found[name].content, content, strict=True)
        np.testing.assert_array_equal(found[name].offsets, offsets)


@pytest.fixture(scope="module")
def folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    for name in FILES:
        if name.endswith(".root"):
            shutil.copy(shared / "data" / name, folder / Path(name).name)
    rows = pa.table({"x": np.arange(10_000), "y": pa.array([[1.5] * (i % 3) for i in range(10_000)])})
    parquet.write_table(rows, folder / "a.parquet", row_group_size=3000)
    return folder


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    monkeypatch.setattr(remote, "_silent", {})
    yield
    close_idle()


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx(folder, tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.fixture(scope="module")
def exported(folder: Path) -> Iterator[str]:
    pytest.importorskip("fsspec_xrootd", reason="needs the extra xrootd")
    with xrootd() as (url, root, _):
        for path in folder.iterdir():
            shutil.copy(path, root)
        yield url


@pytest.mark.parametrize("name", FILES)
def test_http_gives_the_same_bits(folder: Path, served: str, name: str) -> None:
    file = Path(name).name
    assert_same(read(f"{served}/{file}", FILES[name]), read(str(folder / file), FILES[name]))


@pytest.mark.parametrize("name", FILES)
def test_xrootd_gives_the_same_bits(folder: Path, exported: str, name: str) -> None:
    file = Path(name).name
    assert_same(read(f"{exported}/{file}", FILES[name]), read(str(folder / file), FILES[name]))


def test_https(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "SingleMu_Run2012B_data_1000ev.root"
    certificate = self_signed(tmp_path)
    code = "import sys; from gpuhiggs.read import EventFile; print(EventFile(sys.argv[1], ('Events',)).entries)"
    with nginx(folder, tmp_path, certificate) as url:
        monkeypatch.setattr(remote, "ATTEMPTS", 1)
        with pytest.raises(FileError, match=rf"^{url}/{name}: .*CERTIFICATE_VERIFY_FAILED"):
            EventFile(f"{url}/{name}", TREES)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        done = subprocess.run([sys.executable, "-c", code, f"{url}/{name}"], capture_output=True, text=True)
    assert done.stdout == "1000\n", done.stderr


def test_through_the_cache(folder: Path, served: str, tmp_path: Path) -> None:
    name = "SingleMu_Run2012B_data_1000ev.root"
    names = FILES[f"cms/{name}"]
    expected = read(str(folder / name), names)
    cache = ColumnCache(tmp_path / "c")
    assert_same(read(f"{served}/{name}", names, cache), expected)
    table = open_table(f"{served}/{name}", TREES, cache)
    table._open = None  # type: ignore[attr-defined]  # nothing more than the identity is asked of the server
    assert_same(table.read(names, 1, 999, 1), expected)


@pytest.mark.parametrize("kind", ["served", "exported"])
def test_a_file_that_is_not_there(kind: str, request: pytest.FixtureRequest) -> None:
    url = f"{request.getfixturevalue(kind)}/none.root"
    with pytest.raises(FileError) as error:
        EventFile(url, TREES)
    assert str(error.value).startswith(f"{url}: ")
    assert "no such file" in str(error.value).lower()
    assert "attempts" not in str(error.value)


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:9/a.root"
    with pytest.raises(FileError, match=rf"^{url}: .*Cannot connect.*\(5 attempts\)$"):
        EventFile(url, TREES)
    with pytest.raises(FileError, match=r"^gsiftp://x/a\.root: unknown protocol 'gsiftp'; known: root, roots, http"):
        EventFile("gsiftp://x/a.root", TREES)


def test_a_file_that_vanishes(folder: Path, tmp_path: Path) -> None:
    name = "SingleMu_Run2012B_data_1000ev.root"
    (tmp_path / "www").mkdir()
    shutil.copy(folder / name, tmp_path / "www")
    with nginx(tmp_path / "www", tmp_path) as url, EventFile(f"{url}/{name}", TREES) as events:
        (tmp_path / "www" / name).unlink()
        with pytest.raises(FileError, match=rf"^{url}/{name}: branch \w+, basket 0: no such file$"):
            events.values(("Muon_pt",), 0, 1000)


DYING = """
import os, sys
from gpuhiggs.errors import FileError
from gpuhiggs.read import EventFile, remote
remote.ATTEMPTS, remote.TIMEOUT, remote.PAUSE = 2, 1, 0.01
with EventFile(sys.argv[1], ("Events",)) as events:
    os.kill(int(sys.argv[2]), 9)
    try:
        events.values(("Muon_pt",), 0, 1000)
    except FileError as error:
        print(error)
"""


def test_an_xrootd_server_that_dies(folder: Path) -> None:
    """In a process of its own, which ends without complaints."""
    pytest.importorskip("fsspec_xrootd", reason="needs the extra xrootd")
    name = "SingleMu_Run2012B_data_1000ev.root"
    with xrootd() as (url, root, process):
        shutil.copy(folder / name, root)
        command = [sys.executable, "-c", DYING, f"{url}/{name}", str(process.pid)]
        done = subprocess.run(command, capture_output=True, text=True)
    assert re.fullmatch(rf"{url}/{name}: branch \w+, basket 0: .*\(2 attempts\)\n", done.stdout), done
    assert "Traceback" not in done.stderr


# --- a server in trouble -------------------------------------------------------------------------------------------


@pytest.fixture
def troubled(folder: Path) -> Iterator[Troubled]:
    server = Troubled((folder / "SingleMu_Run2012B_data_1000ev.root").read_bytes())
    yield server
    server.shutdown()
    server.server_close()


NAMES = FILES["cms/SingleMu_Run2012B_data_1000ev.root"]


@pytest.mark.parametrize("troubles", [["503", "500", "429"], ["cut"], ["cut", "503", "cut"], ["hang"]])
def test_what_passes_is_tried_again(
    folder: Path, troubled: Troubled, troubles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "TIMEOUT", 0.5)
    with EventFile(troubled.url, TREES) as events:
        troubled.troubles = list(troubles)
        found = events.values(NAMES, 1, 999)
    assert troubled.troubles == []
    assert_same(found, read(str(folder / "SingleMu_Run2012B_data_1000ev.root"), NAMES))


def test_what_does_not_pass_is_said(troubled: Troubled) -> None:
    with EventFile(troubled.url, TREES) as events:
        troubled.troubles = ["503"] * 100
        with pytest.raises(FileError, match=rf"^{troubled.url}: branch \w+, basket 0: .*503.*\(5 attempts\)$"):
            events.values(("run",), 0, 1000)
        troubled.troubles = ["403"]
        with pytest.raises(FileError, match=rf"^{troubled.url}: branch run, basket 0: [^()]*403[^()]*$"):
            events.values(("run",), 0, 1000)


def test_a_server_that_knows_no_ranges(troubled: Troubled) -> None:
    troubled.ranges = False
    with pytest.raises(FileError, match=rf"^{troubled.url}: the server sent \d+ bytes for the range 0 to 4$"):
        EventFile(troubled.url, TREES)


def test_neighbours_come_with_one_request(troubled: Troubled) -> None:
    with EventFile(troubled.url, TREES) as events:
        troubled.requests.clear()
        names = sorted(events.table.branches)
        events.values(names, 0, 1000)
    assert len(names) > 50
    assert len(troubled.requests) < 10
    ranges = [tuple(map(int, one.removeprefix("bytes=").split("-"))) for one in sorted(troubled.requests)]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(sorted(set(ranges[1:]))))


def test_a_remote_file_stays_open(troubled: Troubled) -> None:
    with opened(troubled.url, TREES) as first:
        pass
    n = len(troubled.requests)
    with opened(troubled.url, TREES) as second:
        assert second is first
    assert len(troubled.requests) == n


NO_XROOTD = """
import sys
sys.modules["fsspec_xrootd"] = None
from gpuhiggs.errors import MissingExtraError
from gpuhiggs.read import EventFile
try:
    EventFile("root://localhost//a.root", ())
except MissingExtraError as error:
    assert str(error) == "reading root:// files needs the package 'fsspec-xrootd': pip install 'gpuhiggs[xrootd]'"
else:
    raise AssertionError
"""


def test_without_xrootd() -> None:
    done = subprocess.run([sys.executable, "-c", NO_XROOTD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
