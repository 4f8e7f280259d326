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
    assert found["width_of_pulls"] == pytest.approx(1.0, abs=0.1)
    assert bias(run, fit, DRAWS // 10, with_fakes=False)["bias"] > 0.3
