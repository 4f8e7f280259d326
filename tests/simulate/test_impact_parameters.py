from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.impact_parameters import impact_parameters


def test_a_displaced_track_is_measured_where_it_passes(particles: Any, made: Any) -> None:
    # from (0, 3, 5) mm along +x at eta = 1: the closest point to the beam is there, 3 mm beside it
    along_x = made(13, 50.0, 1.0, 0.0, vertex=(0.0, 3.0, 5.0))
    # from (2, 0, 1) mm along +x: it comes from the beam line, at z = 1 - 2 sinh(1)
    radial = made(13, 50.0, 1.0, 0.0, vertex=(2.0, 0.0, 1.0))
    # from (3, 0, 0) mm along +y: dxy is negative by CMS's sign
    along_y = made(13, 50.0, 0.0, np.pi / 2, vertex=(3.0, 0.0, 0.0))
    record = particles([[along_x, radial, along_y]])
    measured = impact_parameters(record.select(record.kind == 13), np.random.default_rng(1))
    tolerance = 0.05  # cm, against a resolution of 0.003
    np.testing.assert_allclose(measured["dxy"], [0.3, 0.0, -0.3], atol=tolerance)
    np.testing.assert_allclose(measured["dz"], [0.5, 0.1 - 0.2 * np.sinh(1), 0.0], atol=tolerance)
    assert np.all(measured["sip3d"] > 10)


@pytest.mark.parametrize(("pt", "dxy", "dz"), [(1.0, 90e-4, 150e-4), (10.0, 25e-4, 45e-4)])
def test_resolution_is_that_of_cms_tracks(particles: Any, made: Any, pt: float, dxy: float, dz: float) -> None:
    # CMS, JINST 9 (2014) P10009: 25-90 um and 45-150 um between 10 and 1 GeV
    record = particles([[made(13, pt)] * 20_000])
    measured = impact_parameters(record.select(record.kind == 13), np.random.default_rng(1))
    core = np.diff(np.quantile(measured["dxy"], [0.1587, 0.8413]))[0] / 2
    assert core == pytest.approx(dxy, rel=0.05)
    assert measured["dxyErr"][0] == pytest.approx(dxy, rel=0.03)
    assert measured["dzErr"][0] == pytest.approx(dz, rel=0.03)
    assert np.mean(measured["sip3d"] < 4) == pytest.approx(0.995, abs=0.003)
