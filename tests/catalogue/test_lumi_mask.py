"""Luminosity masks: the certified sections that CMS published, and files that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.catalogue import lumi_mask
from gpuhiggs.errors import ConfigError
from gpuhiggs.kernels import gate

certified = getattr(gate.certified, "py_func", gate.certified)
"""The look-up in the interpreter: what the compiler makes of it is tested with the kernels."""

GOLDEN = {
    # First and last run, as in the file's own name where it has them.
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt": (273158, 284044),
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON_MuonPhys.txt": (272007, 284044),
    "Cert_294927-306462_13TeV_UL2017_Collisions17_GoldenJSON.txt": (297047, 306462),
    "Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt": (315257, 325172),
    "Cert_Collisions2022_355100_362760_Golden.json": (355100, 362760),
    "Cert_Collisions2023_366442_370790_Golden.json": (366442, 370790),
    "Cert_Collisions2024_378981_386951_Golden.json": (378981, 386951),
    "Cert_Collisions2025_391658_398903_Golden.json": (391658, 398903),
}


def sections(raw: dict[str, list[list[int]]]) -> Iterator[tuple[int, int]]:
    for run, ranges in raw.items():
        for first, last in ranges:
            yield from ((int(run), section) for section in range(first, last + 1))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_json(shared: Path, name: str) -> None:
    path = shared / "data/golden_json" / name
    mask = lumi_mask.load(str(path))
    assert {column.dtype for column in mask} == {np.dtype(np.int64)}
    assert all(column.flags.c_contiguous for column in mask)
    first, last = GOLDEN[name]
    assert first <= mask.run[0]
    assert mask.run[-1] <= last
    rows = list(zip(*(column.tolist() for column in mask), strict=True))
    assert rows == sorted(rows)
    expected = set(sections(json.loads(path.read_text())))
    assert sum(b - a + 1 for _, a, b in rows) == len(expected)
    assert {(run, section) for run, a, b in rows for section in range(a, b + 1)} == expected


def test_real_events_are_looked_up(shared: Path) -> None:
    """Run 315267, section 205, is that of DoubleMuon_Run2018A_data_40ev.root; run 194075 is of 2012."""
    mask = lumi_mask.load(str(shared / "data/golden_json/Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt"))
    assert certified(mask, mask.run.size, 315267, 205)
    assert not certified(mask, mask.run.size, 315267, 999_999)
    assert not certified(mask, mask.run.size, 194_075, 48)
    assert not certified(mask, 0, 315267, 205)


ranges = st.lists(st.integers(1, 60), unique=True, max_size=8).map(
    lambda edges: [list(pair) for pair in zip(*[iter(sorted(edges))] * 2, strict=False)]
)


@given(st.dictionaries(st.integers(1, 5).map(str), ranges))
def test_certified_is_membership(tmp_path_factory: pytest.TempPathFactory, raw: dict[str, list[list[int]]]) -> None:
    path = tmp_path_factory.getbasetemp() / "mask.json"
    path.write_text(json.dumps(raw))
    mask = lumi_mask.load(str(path))
    expected = set(sections(raw))
    for run in range(7):
        for section in range(0, 62, 3):
            assert bool(certified(mask, mask.run.size, run, section)) == ((run, section) in expected)


EXPECTED = 'expected {"run": [[first, last], …], …}: '


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", EXPECTED),
        ("{", EXPECTED),
        ("[]", EXPECTED),
        ("3", EXPECTED),
        ('{"a": [[1, 2]]}', EXPECTED),
        ('{"1": 2}', EXPECTED),
        ('{"1": [1, 2]}', EXPECTED),
        ('{"1": [[1, 2, 3]]}', EXPECTED),
        ('{"1": [[1, "2"]]}', f"{EXPECTED}'2' is no run or section"),
        ('{"1": [[1, 2.5]]}', f"{EXPECTED}2.5 is no run or section"),
        ('{"1": [[true, 2]]}', f"{EXPECTED}True is no run or section"),
        ('{"1": [[1, 1e400]]}', f"{EXPECTED}inf is no run or section"),
        ('{"-1": [[1, 2]]}', f"{EXPECTED}-1 is no run or section"),
        ('{"99999999999999999999": [[1, 2]]}', f"{EXPECTED}99999999999999999999 is no run or section"),
        ('{"1": [[1, 2]], "1": [[5, 6]]}', f"{EXPECTED}run 1 is listed twice"),
        ('{"1": [[5, 2]]}', "run 1 has the sections [5, 2], whose first is after the last"),
        ('{"1": [[1, 5], [5, 6]]}', "run 1 lists section 5 twice"),
        ('{"1": [[7, 9], [1, 8]]}', "run 1 lists section 7 twice"),
    ],
)
def test_what_is_no_mask(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mask.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        lumi_mask.load(str(path))
    assert str(error.value).startswith(f"lumi_mask {path}: {message}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        lumi_mask.load(str(tmp_path / "none.json"))
    assert str(error.value) == f"lumi_mask {tmp_path / 'none.json'}: No such file or directory"
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError, match=r"binary\.json: expected"):
        lumi_mask.load(str(tmp_path / "binary.json"))


def test_an_empty_mask_certifies_nothing(tmp_path: Path) -> None:
    (tmp_path / "mask.json").write_text("{}")
    mask = lumi_mask.load(str(tmp_path / "mask.json"))
    assert [column.size for column in mask] == [0, 0, 0]
