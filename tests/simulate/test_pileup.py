from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.simulate.pileup import draw_bunch_crossings


def test_profile() -> None:
    crossing = draw_bunch_crossings(50_000, np.random.default_rng(1))
    assert crossing.n_true.mean() == pytest.approx(32.0, abs=0.3)
    assert crossing.n_true.min() >= 1
    # collisions scatter around their true mean as a Poisson number does
    pull = (crossing.n_pileup - crossing.n_true) / np.sqrt(crossing.n_true)
    assert pull.mean() == pytest.approx(0.0, abs=0.02)
    assert pull.std() == pytest.approx(1.0, abs=0.02)
    assert crossing.n_good_vertices.min() >= 1
    assert np.all(crossing.n_good_vertices <= crossing.n_pileup + 1)
