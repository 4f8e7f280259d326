"""How good a classifier is, in numbers: events count with their weights, errors come from the bootstrap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.classify.model import Classifier
from gpuhiggs.classify.predict import predict

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BOOTSTRAPS = 100


class Estimate(NamedTuple):
    """A value and its statistical error."""

    value: float
    error: float


class Roc(NamedTuple):
    """Efficiencies of the signal and the background for falling thresholds, shape (n,); the band is one σ."""

    background: Floats
    signal: Floats
    band: Floats
    area: Estimate


def auc(score: Floats, is_signal: Bools, weight: Floats) -> float:
    """Return the area under the ROC curve: the chance that a signal event has the higher score, ties counting half."""
    order = np.argsort(score, kind="stable")
    score, signal, weight = score[order], is_signal[order], weight[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(score) > 0]))
    s = np.add.reduceat(np.where(signal, weight, 0.0), first)
    b = np.add.reduceat(np.where(signal, 0.0, weight), first)
    below = np.cumsum(b) - b
    total = s.sum() * b.sum()
    return float((s * (below + 0.5 * b)).sum() / total) if total > 0 else float("nan")


def roc(score: Floats, is_signal: Bools, weight: Floats, seed: int) -> Roc:
    """Return the ROC curve at 101 background efficiencies, with its band."""
    grid = np.linspace(0.0, 1.0, 101)
    random = np.random.default_rng(seed)
    curves, areas = [], []
    for _ in range(BOOTSTRAPS):
        again = weight * random.poisson(1.0, len(weight))
        curves.append(_curve(score, is_signal, again, grid))
        areas.append(auc(score, is_signal, again))
    area = Estimate(auc(score, is_signal, weight), float(np.std(areas)))
    return Roc(grid, _curve(score, is_signal, weight, grid), np.std(curves, axis=0), area)


def _curve(score: Floats, is_signal: Bools, weight: Floats, grid: Floats) -> Floats:
    order = np.argsort(-score, kind="stable")
    s = np.cumsum(np.where(is_signal, weight, 0.0)[order])
    b = np.cumsum(np.where(is_signal, 0.0, weight)[order])
    found: Floats = np.interp(grid, np.concatenate([[0.0], b / b[-1]]), np.concatenate([[0.0], s / s[-1]]))
    return found


def confusion(scores: Floats, label: NDArray[np.int64], weight: Floats) -> Floats:
    """Return the share of each class's events that a model takes for each class, shape (classes, classes).

    An event is taken for the class of its highest score, *scores* having shape (events, classes).
    """
    n = scores.shape[1]
    taken = np.argmax(scores, axis=1)
    counts = np.bincount(label * n + taken, weight, n * n).reshape(n, n)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def kolmogorov_smirnov(a: Floats, weight_a: Floats, b: Floats, weight_b: Floats) -> tuple[float, float]:
    """Return the distance of two weighted distributions, and the chance of a larger one (asymptotic, Smirnov 1948).

    The numbers of events are the effective ones, (Σw)²/Σw².
    """
    points = np.concatenate([a, b])
    order = np.argsort(points, kind="stable")
    steps_a = np.concatenate([weight_a / weight_a.sum(), np.zeros(len(b))])[order]
    steps_b = np.concatenate([np.zeros(len(a)), weight_b / weight_b.sum()])[order]
    last = np.append(np.diff(points[order]) > 0, True)
    distance = float(np.max(np.abs(np.cumsum(steps_a) - np.cumsum(steps_b))[last]))
    n = [w.sum() ** 2 / (w**2).sum() for w in (weight_a, weight_b)]
    scaled = distance * np.sqrt(n[0] * n[1] / (n[0] + n[1]))
    k = np.arange(1, 101)
    chance = 2.0 * np.sum((-1.0) ** (k - 1) * np.exp(-2.0 * k**2 * scaled**2)) if scaled > 0.2 else 1.0
    return distance, float(np.clip(chance, 0.0, 1.0))


def importance(
    model: Classifier, values: Floats, is_signal: Bools, weight: Floats, seed: int, repeats: int = 3
) -> dict[str, Estimate]:
    """Return by how much the area under the ROC curve falls when an input is shuffled, for each input."""
    random = np.random.default_rng(seed)
    whole = auc(predict(model, values)[:, 0], is_signal, weight)
    found = {}
    for column, name in enumerate(model.inputs):
        losses = []
        for _ in range(repeats):
            shuffled = values.copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            losses.append(whole - auc(predict(model, shuffled)[:, 0], is_signal, weight))
        found[name] = Estimate(float(np.mean(losses)), float(np.std(losses)))
    return found


def calibration(score: Floats, is_signal: Bools, weight: Floats, bins: int = 20) -> list[tuple[float, float, float]]:
    """Return mean score, share of signal and its error by bins of the score."""
    which = np.minimum((score * bins).astype(np.int64), bins - 1)
    rows = []
    for k in range(bins):
        w, s = weight[which == k], is_signal[which == k]
        if w.sum() > 0:
            share = float(w[s].sum() / w.sum())
            effective = w.sum() ** 2 / (w**2).sum()
            mean = float((w * score[which == k]).sum() / w.sum())
            rows.append((mean, share, float(np.sqrt(max(share * (1 - share), 0.0) / effective))))
    return rows


def sculpting(mass: Floats, score: Floats, weight: Floats, parts: int = 4) -> list[dict[str, float]]:
    """Compare the mass of background events in quarters of their score with that of the others, by KS.

    A score that knows the mass makes a bump out of a smooth background.
    """
    edges = np.quantile(score, np.linspace(0, 1, parts + 1)[1:-1])
    which = np.searchsorted(edges, score, side="right")
    rows = []
    for part in range(parts):
        inside = which == part
        if inside.any() and not inside.all():
            d, p = kolmogorov_smirnov(mass[inside], weight[inside], mass[~inside], weight[~inside])
            rows.append({"part": part, "distance": d, "p_value": p})
    return rows
