"""Events in memory, and what the four-lepton kernel makes of all variations of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench import generate
from gpuhiggs.engine import preparation, processing
from gpuhiggs.histogram import Counts
from gpuhiggs.kernels import four_lepton
from tests.variations.declared import (
    N,
    branches_of,
    everything,
    prepared,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> preparation.Prepared:
    return prepared(everything(tmp_path_factory.mktemp("variations")))


def coarse(columns: four_lepton.Inputs) -> four_lepton.Inputs:
    """The events with every pt a multiple of 1/64 GeV."""

    def rounded(one: Any) -> Any:
        return one._replace(pt=(np.round(one.pt * 64) / 64).astype(np.float32))

    names = ("muons", "electrons", "jets", "met")
    return columns._replace(**{name: rounded(getattr(columns, name)) for name in names})


@pytest.fixture(scope="module")
def columns() -> four_lepton.Inputs:
    return coarse(generate.four_lepton(N, 0.4, seed=3))


@pytest.fixture(scope="module")
def filled(made: preparation.Prepared, columns: four_lepton.Inputs) -> Counts:
    return processing.run_kernel(made, columns, N, branches_of(made, N))[0]
