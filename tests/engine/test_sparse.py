"""Sums as bytes: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpuhiggs.engine import sparse
from gpuhiggs.errors import FileError
from gpuhiggs.histogram import Counts

INTEGERS = st.one_of(st.just(0), st.integers(-(2**62), 2**62))
ARRAYS = hnp.arrays(np.int64, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), elements=INTEGERS)


def counts_of(arrays: dict[tuple[str, str], np.ndarray]) -> Counts:
    counts = Counts()
    for (dataset, name), values in arrays.items():
        counts.add(dataset, name, values)
        counts.add(dataset, name, values)  # the high words come into it
    return counts


@given(st.dictionaries(st.tuples(st.text(max_size=5), st.text(max_size=5)), ARRAYS, max_size=4))
def test_there_and_back(arrays: dict[tuple[str, str], np.ndarray]) -> None:
    counts = counts_of(arrays)
    found = sparse.unpack(sparse.pack(counts))
    assert found.digest() == counts.digest()
    assert {key: wide.high.shape for key, wide in found.sums.items()} == {
        key: values.shape for key, values in arrays.items()
    }
    assert pickle.loads(pickle.dumps(counts)).digest() == counts.digest()


@given(st.data())
def test_changed_bytes_are_refused_or_harmless(data: st.DataObject) -> None:
    counts = counts_of({("d", "m4l"): np.arange(-5, 20), ("d", "cutflow"): np.zeros(8, np.int64)})
    packed = bytearray(sparse.pack(counts))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    packed = packed[: data.draw(st.integers(0, len(packed)))]
    with contextlib.suppress(FileError):
        sparse.unpack(bytes(packed))


@pytest.mark.parametrize("shape", [[2**40], [-1, 3], [2**20, 2**20]])
def test_no_memory_is_taken_for_a_size_that_is_only_claimed(shape: list[int]) -> None:
    text = f'{{"entries":[["d","n",{shape},0]],"high_bytes":2}}'.encode()
    with pytest.raises(FileError, match="of the shape"):
        sparse.unpack(len(text).to_bytes(8, "little") + text + sparse.pack(Counts())[8 + 31 :])


def test_empty_cells_take_no_room() -> None:
    values = np.zeros((200, 40, 100), np.int64)
    values[0] = 1
    assert len(sparse.pack(counts_of({("d", "n"): values}))) < 2000
