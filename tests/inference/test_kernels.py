"""The kernels of the fit: interpreted they give what compiled ones do, and a GPU's build passes the gate."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gpuhiggs.inference import FlatModel, batch, draw_toys, flatten

INTERPRETED = """
import os
os.environ["NUMBA_DISABLE_JIT"] = "1"
import numpy as np
import sys
from tests.inference.conftest import four_lepton_workspace
from gpuhiggs.inference import flatten, draw_toys, batch
model = flatten(four_lepton_workspace({"4mu": 1.0, "2e2mu": 1.5}, n_bins=3, seed=2))
(toy,) = draw_toys(model, 1, np.random.default_rng(5))
theta = model.values({"mu": 1.4, "scale": 0.7, "ZX": -1.3})
rows = toy.counts[np.newaxis], toy.auxiliary[np.newaxis]
nll, gradient, points = batch.evaluate(model, *rows, theta[np.newaxis], batch.profiled_bins(model))
moved = np.arange(7)
curvature = batch.hessian(model, *rows, theta[np.newaxis], moved, batch.profiled_bins(model))
print(repr(nll.tolist() + gradient[0].tolist() + points[0].tolist() + curvature.ravel().tolist()))
"""


@pytest.fixture(scope="module")
def tiny() -> FlatModel:
    from tests.inference.conftest import four_lepton_workspace

    return flatten(four_lepton_workspace({"4mu": 1.0, "2e2mu": 1.5}, n_bins=3, seed=2))


def test_the_interpreter_agrees_with_the_compiler(tiny: FlatModel) -> None:
    found = subprocess.run([sys.executable, "-c", INTERPRETED], capture_output=True, text=True, check=True)
    (toy,) = draw_toys(tiny, 1, np.random.default_rng(5))
    theta = tiny.values({"mu": 1.4, "scale": 0.7, "ZX": -1.3})
    rows = toy.counts[np.newaxis], toy.auxiliary[np.newaxis]
    nll, gradient, points = batch.evaluate(tiny, *rows, theta[np.newaxis], batch.profiled_bins(tiny))
    curvature = batch.hessian(tiny, *rows, theta[np.newaxis], np.arange(7), batch.profiled_bins(tiny))
    ours = np.concatenate([nll, gradient[0], points[0], curvature.ravel()])
    np.testing.assert_allclose(np.array(eval(found.stdout)), ours, rtol=1e-10, atol=1e-10)


GATE = """
from gpuhiggs.inference import batch
from gpuhiggs.kernels import launch_cuda
text = batch.ptx()
assert ".target sm_90" in text
assert launch_cuda.forbidden(text) == [], launch_cuda.forbidden(text)
"""


@pytest.mark.nightly
@pytest.mark.timeout(1200)  # 23 s of processor time on one CPU core: too much for every run
def test_the_gpu_build_passes_the_gate() -> None:
    """A thread a fit; in another process, since numba.cuda changes how functions of its own are compiled."""
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed")
    subprocess.run([sys.executable, "-c", GATE], check=True)
