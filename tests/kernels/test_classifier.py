"""Trees and networks: the same bits from the interpreter and the CPU build, nothing forbidden in the CUDA build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpuhiggs.classify import Classifier, predict, read, write
from gpuhiggs.classify.scikit_learn import from_scikit_learn
from gpuhiggs.kernels import classifier, classifier_rows, launch, launch_cuda, network, trees

N_EVENTS = 300


@pytest.fixture(scope="module", params=["trees", "network"])
def model(request: pytest.FixtureRequest) -> Classifier:
    """Three classes: softmax, and every activation in the network."""
    random = np.random.default_rng(5)
    values, labels = random.normal(size=(500, 6)), random.integers(0, 3, 500)
    if request.param == "trees":
        from sklearn.ensemble import HistGradientBoostingClassifier

        forest = from_scikit_learn(HistGradientBoostingClassifier(max_iter=10, random_state=1).fit(values, labels))
        assert forest.trees is not None
        return forest.model_copy(update={"trees": forest.trees.model_copy(update={"precision": "float32"})})
    widths = (6, 9, 8, 7, 3)
    layers = [
        {
            "weights": random.normal(size=(n, m)).tolist(),
            "biases": random.normal(size=n).tolist(),
            "activation": activation,
        }
        for m, n, activation in zip(widths[:-1], widths[1:], ("relu", "tanh", "logistic", "linear"), strict=True)
    ]
    dense = {"offset": random.normal(size=6).tolist(), "scale": random.normal(size=6).tolist(), "layers": layers}
    names = {"inputs": list("abcdef"), "outputs": list("xyz"), "link": "softmax"}
    return Classifier.model_validate({**names, "network": dense})


def nasty() -> np.ndarray:
    """Values of all sizes, among them what overflows float32."""
    random = np.random.default_rng(7)
    values = random.normal(size=(N_EVENTS, 6)) * 10.0 ** random.integers(-3, 3, (N_EVENTS, 6))
    values[:12] = np.resize([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300], (12, 6))
    return values


INTERPRETED = """
import sys
from pathlib import Path
import numpy as np
from gpuhiggs.classify import predict, read
with np.load({inputs!r}) as found:
    values = found["values"]
np.savez({outputs!r}, scores=predict(read(Path({model!r})), values, missing=True))
"""


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_interpreter(model: Classifier, tmp_path: Path) -> None:
    inputs, outputs, path = tmp_path / "in.npz", tmp_path / "out.npz", tmp_path / "model.json"
    np.savez(inputs, values=nasty())
    write(model, path)
    script = INTERPRETED.format(inputs=str(inputs), outputs=str(outputs), model=str(path))
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, check=True)
    compiled = predict(read(path), nasty(), missing=True)
    with np.load(outputs) as found:
        assert found["scores"].tobytes() == compiled.tobytes()
    assert np.isfinite(compiled[12:]).all()


def test_events_do_not_see_each_other(model: Classifier) -> None:
    values = nasty()[12:]
    together = predict(model, values)
    alone = np.concatenate([predict(model, values[i : i + 7]) for i in range(0, len(values), 7)])
    assert together.tobytes() == alone.tobytes()
    np.testing.assert_allclose(together.sum(axis=1), 1.0, rtol=1e-14)


def test_scratch_memory_is_as_large_as_named() -> None:
    """Literals in the bodies, which have to be: 129 slots, 512 units, 64 inputs, 16 outputs."""
    assert trees.SLOTS == 129
    assert 2 * network.WIDTH == 512
    assert (classifier.INPUTS, classifier.OUTPUTS) == (64, 16)


_COMPILER = "from numba.cuda.cudadrv import nvvm\nnvvm.NVVM()\n"


def test_cuda_build_has_nothing_forbidden() -> None:
    found = subprocess.run([sys.executable, "-c", _COMPILER], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"numba-cuda cannot compile to PTX: {found.stderr.strip().splitlines()[-1]}")
    functions = launch_cuda.device_functions(launch.Program(classifier_rows.__name__))
    for function, argument_types in functions.values():
        assert launch_cuda.forbidden(launch_cuda.ptx(function, argument_types)) == []
