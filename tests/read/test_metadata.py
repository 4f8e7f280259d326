"""The metadata of trees against uproot's, branch by branch; and damaged ones."""

from __future__ import annotations

import functools
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs.read import EventFile, metadata
from gpuhiggs.read.baskets import Branch
from gpuhiggs.read.ttree import TreeTable, described

WHOLE = (
    "cms/DYJetsToLL_UL17_100ev.root", "cms/DY_2018_40ev.root", "cms/DoubleMuon_Run2018A_data_40ev.root",
    "cms/EGamma_Run2022F_data_100ev.root", "cms/SingleMu_Run2012B_data_1000ev.root", "cms/TT_Run3_v12_200ev.root",
    "codecs/CMS_HEP_tutorial_ww.root", "codecs/uproot-HZZ-lzma.root", "codecs/uproot-HZZ-uncompressed.root",
)  # fmt: skip
EMBEDDED = ("cms/TT_OpenData2015_200ev.root", "atlas/data_A.4lep.root")
"""All baskets, or the last of each branch, stand in the metadata."""
OBJECTS = "atlas/DAOD_PHYSLITE_Zee_100ev.root"
"""Half of its branches are objects, which are left to uproot."""


@functools.cache
def opened(path: Path) -> tuple[Any, bytes, int]:
    """The tree of a file by uproot, the payload of its key and the key's length."""
    file = uproot.open(path, object_cache=None, array_cache=None)
    name = next(name for name in ("Events", "events", "mini", "CollectionTree") if name in file)
    key = file.key(name)
    chunk, cursor = key.get_uncompressed_chunk_cursor()
    return file[name], bytes(chunk.raw_data[cursor.index - chunk.start :]), key.fKeylen


def assert_same(found: Branch, expected: Branch | None) -> None:
    assert expected is not None
    assert len(found.embedded) == len(expected.embedded)
    for ours, theirs in zip(found.embedded, expected.embedded, strict=True):
        assert ours.data.tobytes() == theirs.data.tobytes()
        assert (ours.byte_offsets is None) == (theirs.byte_offsets is None)
        if ours.byte_offsets is not None:
            np.testing.assert_array_equal(ours.byte_offsets, theirs.byte_offsets)
    for part in ("name", "dtype", "vector", "setting", "stored", "size"):
        assert getattr(found, part) == getattr(expected, part)
    for part in ("edges", "seeks", "lengths"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part), strict=True)
    assert (found.counter is None) == (expected.counter is None)
    if found.counter is not None:
        assert_same(found.counter, expected.counter)


@pytest.mark.parametrize("name", [*WHOLE, *EMBEDDED, OBJECTS])
def test_every_branch_equals_uproot(shared: Path, name: str) -> None:
    tree, payload, key_length = opened(shared / "data" / name)
    found = metadata.parse(memoryview(payload), key_length)
    assert found is not None
    assert found.entries == tree.num_entries
    assert found.names == [branch.name for branch in tree.branches]
    covered = 0
    for branch in tree.branches:
        one, expected = found.branch(branch.name), described(branch)
        assert (one is None) == (expected is None), branch.name
        if one is not None:
            covered += 1
            assert_same(one, expected)
    assert covered == (608 if name == OBJECTS else len(found.names))


def test_uproot_is_not_asked(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "gpuhiggs"):
        with EventFile(str(shared / "data/cms/DY_2018_40ev.root"), ("Events",)) as events:
            names = ["Muon_pt", "nMuon", "run"]
            events.values(names, 0, 40)
            assert len(events.table.branches) == 1499
            assert events.table.volumes(names)["zlib"].stored > 0
        with EventFile(str(shared / "data" / EMBEDDED[0]), ("Events",)) as events:
            events.values(names, 0, 40)
        with EventFile(str(shared / "data" / EMBEDDED[1]), ("mini",)) as events:
            assert events.values(["lep_pt"], 0, 39)["lep_pt"].content.size >= 4 * 39
        assert not caplog.messages
        with EventFile(str(shared / "data" / OBJECTS), ("CollectionTree",)) as events:
            assert isinstance(events.table, TreeTable)
            assert events.table.branch("EventInfoAux.") is None
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "tree CollectionTree: its metadata are read by uproot"
    ]


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_mutated_metadata(shared: Path, data: st.DataObject) -> None:
    """None, or an answer, soon."""
    _, payload, key_length = opened(shared / "data" / data.draw(st.sampled_from([WHOLE[4], WHOLE[6], EMBEDDED[1]])))
    raw = bytearray(payload)
    early = data.draw(st.booleans())
    at = st.integers(0, 400 if early else len(raw) - 1)
    for where, value in data.draw(st.lists(st.tuples(at, st.integers(0, 255)), min_size=1, max_size=5)):
        raw[where] = value
    del raw[data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw)))) :]
    began = time.process_time()
    found = metadata.parse(memoryview(bytes(raw)), key_length)
    if found is not None:
        assert all(found.branch(name) is None or name for name in found.names[:20])
    assert time.process_time() - began < 2


def test_lengths_that_are_not_true(shared: Path) -> None:
    _, payload, key_length = opened(shared / "data" / WHOLE[4])
    for value in (b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4)):
        for at in range(0, min(len(payload), 4000), 7):
            found = metadata.parse(memoryview(payload[:at] + value + payload[at + 4 :]), key_length)
            if found is not None:
                found.branch("Muon_pt")
