"""What many variations take in memory and on disk: forty categories of a hundred bins with two hundred of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gpuhiggs import config
from gpuhiggs.engine import sparse
from gpuhiggs.histogram import Accumulators, Counts, HistogramSpec

LIMIT = 64 * 2**20
NAMES = tuple(f"v{i}" for i in range(200))


@pytest.mark.parametrize("share", [0.0, 0.02, 1.0])
def test_memory_of_200_variations(share: float) -> None:
    """Whatever share of the cells is filled: the accumulators, what two launches leave, the bytes on disk."""
    axis = config.AxisConfig(label="x", bins=100, low=0, high=1).axis("x")
    spec = HistogramSpec("x", axis, tuple(f"c{i}" for i in range(40)), ("nominal", *NAMES[:40]), NAMES[40:])
    cells = int(np.prod(spec.shape))
    chosen = np.random.default_rng(1).choice(cells, int(share * cells), replace=False)
    tracemalloc.start()
    accumulators, counts = Accumulators([spec]), Counts()
    for _ in range(2):
        accumulators.kernel.sumw[chosen] = 2**30 + chosen
        accumulators.drain(counts, "sample")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= LIMIT, f"{peak / 2**20:.1f} MiB"
    packed, again = sparse.pack(counts), Counts()
    sparse.add(again, packed)
    assert again.digest() == counts.digest()
    assert len(packed) <= 1_000 + 8 * share * cells, f"{len(packed) / 2**20:.2f} MiB"
