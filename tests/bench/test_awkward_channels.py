"""The Awkward selections that the kernels are timed against: they fill the same, bin by bin."""

from __future__ import annotations

import numpy as np
import pytest

from bench import in_memory
from bench.channels import CASES
from bench.coffea_channels import Side
from gpuhiggs.histogram import sum_of_weights


@pytest.mark.parametrize("channel", ["diphoton", "four_lepton"])
def test_the_same_histograms(channel: str) -> None:
    case = CASES[channel]
    made, inputs = in_memory.prepare(case.selection), case.make(6000, 0.4, 11)
    counts = in_memory.process(made, inputs).counts
    contents = Side(channel, made, inputs).nominal()
    assert len(contents) >= 4
    for name, expected in contents.items():
        found = sum_of_weights(counts.sums[in_memory.DATASET, f"{name}/sumw"])[..., 0]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert (expected.sum(axis=1) > 0).sum() > len(expected) // 2, "most categories are there"
