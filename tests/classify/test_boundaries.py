"""Boundaries: the optimum is the one that trying all gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpuhiggs.classify import boundaries
from gpuhiggs.errors import InputError


def brute_force(s: np.ndarray, b: np.ndarray, weight: float, parts: int) -> float:
    """The largest q0 over all choices of the same candidates."""
    edges = np.unique(np.quantile(s, np.linspace(0, 1, boundaries.CANDIDATES + 1)[1:-1]))
    best = 0.0
    for n in range(parts):
        for chosen in itertools.combinations(edges, n):
            limits = [-np.inf, *chosen, np.inf]
            counts = [((s >= a) & (s < c)).sum() for a, c in itertools.pairwise(limits)]
            others = [((b >= a) & (b < c)).sum() for a, c in itertools.pairwise(limits)]
            if min(others) >= boundaries.LEAST_BACKGROUND:
                best = max(best, sum(boundaries.q0(weight * x, y) for x, y in zip(counts, others, strict=True)))
    return best


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_optimum(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundaries, "CANDIDATES", 20)
    random = np.random.default_rng(1)
    s, b = random.beta(4, 2, 3000), random.beta(2, 4, 4000)
    found = boundaries.divide(s, np.full(3000, 0.05), b, np.ones(4000), parts)
    assert found.q0 == pytest.approx(brute_force(s, b, 0.05, parts))
    assert len(found.boundaries) == parts - 1
    assert list(found.boundaries) == sorted(found.boundaries)
    assert found.q0_undivided == pytest.approx(boundaries.q0(150.0, 4000.0))
    assert found == boundaries.divide(s, np.full(3000, 0.05), b, np.ones(4000), parts)


def test_parts_need_background() -> None:
    random = np.random.default_rng(2)
    s, b = random.random(1000), random.random(60) * 0.5
    found = boundaries.divide(s, np.ones(1000), b, np.ones(60), 5)
    assert found.boundaries == ()
    with pytest.raises(InputError, match="1000 events of signal, 10 of background are too few"):
        boundaries.divide(s, np.ones(1000), b[:10], np.ones(10), 2)


def test_q0_is_the_asimov_formula() -> None:
    assert boundaries.q0(10.0, 100.0) == pytest.approx(2 * (110 * np.log(1.1) - 10))
    assert boundaries.q0(1.0, 0.0) == 0.0
