"""The signal strength with backgrounds from data: unbiased over many draws of all regions; nightly."""

from __future__ import annotations

import pytest

from bench.nonprompt_bias import CHANNELS, bias

DRAWS = 1500


@pytest.mark.nightly
@pytest.mark.parametrize("channel", CHANNELS)
def test_strength_of_many_draws(channel: str) -> None:
    """All regions fluctuate, the rates' too."""
    make, fit = CHANNELS[channel]
    run = make()
    found = bias(run, fit, DRAWS, with_fakes=True)
    assert abs(found["bias"]) < 0.1 + found["bias_error"]
    assert 0.8 < found["width_of_pulls"] < 1.1  # below 1: the method's own systematic error is not drawn
    assert bias(run, fit, DRAWS // 10, with_fakes=False)["bias"] > 0.3
