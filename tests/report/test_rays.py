"""Contours along rays: against likelihoods whose contours are known, bounded, and with fits that fail."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.report.rays import ROOTS, Contours, contours

BEST = np.array([1.2, 0.8])
COVARIANCE = np.array([[0.04, -0.03], [-0.03, 0.09]])
FREE = np.array([[-np.inf, -np.inf], [np.inf, np.inf]])


def gaussian(points: FloatArray) -> FloatArray:
    away = points - BEST
    return np.asarray(np.einsum("ni,ij,nj->n", away, np.linalg.inv(COVARIANCE), away))


def poisson(points: FloatArray) -> FloatArray:
    """Counts of 5 and 9 events, which expect 5 x and 9 y: skewed, and without end at small rates."""
    n = np.array([5.0, 9.0])
    scaled = np.maximum(points, 1e-9)
    return np.asarray((2.0 * n * (scaled - 1.0 - np.log(scaled))).sum(axis=1))


def test_levels_are_those_of_two_degrees_of_freedom() -> None:
    for level, probability in (("68 %", 0.68), ("95 %", 0.95)):
        assert ROOTS[level] ** 2 == pytest.approx(-2.0 * math.log(1.0 - probability), rel=1e-3)


def test_gaussian_needs_one_round() -> None:
    found = contours(BEST, COVARIANCE, FREE, gaussian)
    assert len(found.rise) == 32
    for level, line in found.lines.items():
        np.testing.assert_allclose(gaussian(line), ROOTS[level] ** 2, rtol=1e-3)
        np.testing.assert_allclose(line[0], line[-1])


def heights(found: Contours) -> dict[str, FloatArray]:
    return {level: np.sqrt(poisson(line)) / ROOTS[level] for level, line in found.lines.items()}


def test_skewed_likelihood_is_followed() -> None:
    found = contours(np.ones(2), np.diag([1 / 5, 1 / 9]), np.array([[0.0, 0.0], [np.inf, np.inf]]), poisson)
    for ratio in heights(found).values():
        np.testing.assert_allclose(ratio, 1.0, atol=0.02)
    assert len(found.rise) < 100


def test_contour_runs_along_a_bound() -> None:
    bounds = np.array([[0.7, -np.inf], [np.inf, np.inf]])
    found = contours(np.ones(2), np.diag([1 / 5, 1 / 9]), bounds, poisson)
    line = found.lines["95 %"]
    assert line[:, 0].min() == pytest.approx(0.7)
    assert np.all(poisson(line) < 1.1 * ROOTS["95 %"] ** 2)


def test_failed_fits_are_left_out_or_said() -> None:
    calls = iter(range(10_000))
    found = contours(
        BEST, COVARIANCE, FREE, lambda p: np.where([next(calls) % 16 == 3 for _ in p], np.nan, gaussian(p))
    )
    np.testing.assert_allclose(gaussian(found.lines["68 %"]), ROOTS["68 %"] ** 2, rtol=0.02)
    with pytest.raises(ValueError, match="16 of 16 rays did not converge"):
        contours(BEST, COVARIANCE, FREE, lambda p: np.full(len(p), np.nan))
