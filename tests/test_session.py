"""Columns that stay in memory: what runs again says what a run from the files says, and nothing is spilled unasked."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gpuhiggs
from gpuhiggs.backend import choice
from gpuhiggs.backend.cuda import Cuda
from gpuhiggs.errors import ConfigError, InputError, RunError
from tests.backend.fake_card import FakeCard

SELECTION = "cms-hzz4l-run2-ul"
GATE: dict[str, Any] = {"triggers": {"First": ["HLT_A"]}, "filters": ["Flag_good"]}
ARGUMENTS: dict[str, Any] = {"simulation": True, **GATE}


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
) -> list[Path]:
    folder = tmp_path_factory.mktemp("session")
    return [write_nanoaod(folder / f"{i}.root", four_muon_events(300, i), four_muon_events(200, i + 7)) for i in (0, 1)]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    card = FakeCard()
    monkeypatch.setattr(choice, "_opened", {"cuda": Cuda(card)})
    return card


@pytest.fixture(scope="module")
def opened(files: list[Path]) -> Iterator[gpuhiggs.Session]:
    with gpuhiggs.open(SELECTION, files, **ARGUMENTS) as events:
        yield events


CUTS = {"zz": {"z1_mass_min": 85.0}, "muon": {"pt_min": 8.0}}
BINS = {"m4l": {"label": "m", "bins": 20, "low": 100.0, "high": 200.0}}


def test_the_same_as_from_the_files(files: list[Path], opened: gpuhiggs.Session) -> None:
    expected = gpuhiggs.run(SELECTION, files, **ARGUMENTS)
    found = opened.run()
    assert found.events == opened.events == 1_000
    assert found.digest == expected.digest
    assert found.cutflow == expected.cutflow
    assert found["m4l"] == expected["m4l"]
    assert opened.nbytes > 1_000 * 4 * 20


def test_other_cuts_and_binnings(files: list[Path], opened: gpuhiggs.Session) -> None:
    expected = gpuhiggs.run(SELECTION, files, cuts=CUTS, histograms=BINS, **ARGUMENTS)
    found = opened.run(cuts=CUTS, histograms=BINS)
    assert found.digest == expected.digest != opened.run().digest
    assert found["m4l"].axes[-1].size == 20
    assert found["m4l"] == expected["m4l"]


def test_threads(files: list[Path], opened: gpuhiggs.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpuhiggs.session._CHUNK", 64)
    with gpuhiggs.open(SELECTION, files, threads=2, **ARGUMENTS) as events:
        assert events.run(cuts=CUTS).digest == opened.run(cuts=CUTS).digest


def test_again_in_milliseconds(opened: gpuhiggs.Session) -> None:
    """What does not depend on the events: new cuts are checked, a kernel is called, sums become histograms."""
    seconds = []
    for i in range(5):
        began = time.process_time()
        opened.run(cuts={"zz": {"z1_mass_min": 40.0 + i}})
        seconds.append(time.process_time() - began)
    assert statistics.median(seconds) < 0.5, "a coarse bound, for slow machines; bench.session has the number"


def test_on_a_gpu(files: list[Path], opened: gpuhiggs.Session, card: FakeCard) -> None:
    with gpuhiggs.open(SELECTION, files, device="cuda", **ARGUMENTS) as events:
        assert events.resident
        assert card.used >= events.nbytes
        copied = card.copied
        assert events.run(cuts=CUTS).digest == opened.run(cuts=CUTS).digest
        assert card.copied - copied < events.nbytes / 2, "cuts and axes, no columns"
    gc.collect()
    assert card.used == 0, "closed is free"
    with pytest.raises(InputError, match="the session is closed"):
        events.run()


def test_spilled_only_if_asked(files: list[Path], opened: gpuhiggs.Session, card: FakeCard) -> None:
    card.limit = opened.nbytes // 2
    with pytest.raises(InputError, match=r"GiB of columns do not fit into the memory of a GPU of NumPy: .*spill=True"):
        gpuhiggs.open(SELECTION, files, device="cuda", **ARGUMENTS)
    with gpuhiggs.open(SELECTION, files, device="cuda", spill=True, **ARGUMENTS) as events:
        assert not events.resident
        card.limit = 4 * 2**20
        assert events.run().digest == opened.run().digest


def test_columns_that_were_not_read(files: list[Path], opened: gpuhiggs.Session) -> None:
    with pytest.raises(ConfigError, match=r"columns electrons\.bdt_wp90 were not read: open it with these overrides"):
        opened.run(cuts={"electron": {"use_wp90": 1}})
    with pytest.raises(ConfigError, match=r"triggers, filters .* are those of open\(\)"):
        opened.run(filters=[])


def test_mistakes(files: list[Path], opened: gpuhiggs.Session) -> None:
    with pytest.raises(ConfigError, match="pt_mim"):
        opened.run(cuts={"muon": {"pt_mim": 3.0}})
    with pytest.raises(RunError, match=r"missing\.root: no such file"):
        gpuhiggs.open(SELECTION, [*files, files[0].with_name("missing.root")], **ARGUMENTS)
