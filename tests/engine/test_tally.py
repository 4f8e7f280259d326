"""The tally: each event once, each file whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.engine import books, sparse
from gpuhiggs.engine.tally import Failure, FileInfo, Partial, Tally, WorkItem
from gpuhiggs.histogram import Counts

INFO = FileInfo("d", "p", "u", 10, None)
ITEMS = [WorkItem("d", "p", 0, 5), WorkItem("d", "p", 5, 10)]


def partial(item: WorkItem) -> Partial:
    counts = Counts()
    counts.add("d", "n", np.array([item.stop]))
    return Partial(item, sparse.pack(counts), {"entry": np.array([item.start])}, 0.0)


def failure(item: WorkItem) -> Failure:
    return Failure(item.dataset, item.path, item.start, item.stop, "broken")


@pytest.mark.parametrize(
    ("results", "complete", "failed"),
    [
        ([partial(ITEMS[0]), partial(ITEMS[1])], True, 0),
        ([partial(ITEMS[1]), partial(ITEMS[1]), partial(ITEMS[0]), partial(ITEMS[0])], True, 0),
        ([partial(ITEMS[0])], False, 0),
        ([partial(ITEMS[0]), failure(ITEMS[1])], False, 1),
        ([failure(ITEMS[0]), partial(ITEMS[0]), partial(ITEMS[1])], False, 1),
        ([failure(ITEMS[0]), failure(ITEMS[0])], False, 1),
        ([failure(ITEMS[0]), failure(ITEMS[1])], False, 2),
        ([partial(ITEMS[0]), partial(ITEMS[1]), failure(ITEMS[1])], True, 0),
    ],
)
def test_tally(results: list[Partial | Failure], complete: bool, failed: int) -> None:
    tally = Tally()
    tally.expect(INFO, ITEMS)
    for result in results:
        tally.add(result)
    assert tally.complete == ([INFO] if complete else [])
    assert len(tally.failures) == failed
    assert [wide.low.tolist() for wide in tally.counts.sums.values()] == ([[15]] if complete else [])
    assert {key: found["entry"].tolist() for key, found in tally.selected.items()} == (
        {("d", "p"): [0, 5]} if complete else {}
    )


def pieces(item: WorkItem, toss: Callable[[], bool]) -> list[WorkItem]:
    """An item, or the halves of it, or both, to any depth."""
    found = [item] if toss() else []
    halves = [half for half in books.halves(item) if isinstance(half, WorkItem)]
    if len(halves) > 1 and (not found or toss()):
        found += [piece for half in halves for piece in pieces(half, toss)]
    return found or [item]


@given(st.data())
def test_each_event_counts_once_however_stragglers_are_split(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(books, "SPLIT_AT_LEAST", 2)
        items = [WorkItem("d", "p", start, start + 16) for start in range(0, 48, 16)]
        results = [piece for item in items for piece in pieces(item, lambda: data.draw(st.booleans()))]
    results += data.draw(st.lists(st.sampled_from(results), max_size=5))
    tally = Tally()
    tally.expect(FileInfo("d", "p", "u", 48, None), items)
    for item in data.draw(st.permutations(results)):
        counts = Counts()
        counts.add("d", "n", np.bincount(np.arange(item.start, item.stop), minlength=48))
        tally.add(Partial(item, sparse.pack(counts), {"entry": np.arange(item.start, item.stop)}, 0.0))
    assert tally.counts.sums["d", "n"].low.tolist() == [1] * 48
    assert tally.selected["d", "p"]["entry"].tolist() == list(range(48))
    assert tally.events == 48
