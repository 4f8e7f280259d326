"""Integer sums: bins against boost-histogram, sums against exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import boost_histogram as bh
import hist
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from bench.in_memory import exact
from gpuhiggs.errors import RunError
from gpuhiggs.histogram import (
    Accumulators,
    Axis,
    Counts,
    HistogramSpec,
    Wide,
    sum_of_squares,
    sum_of_weights,
    to_hist,
)
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.fill import (
    LAUNCH_FILLS,
    Counter,
    Histograms,
    count,
    fill,
    is_weight,
    quantise,
    uniform_bin,
    variable_bin,
)
from gpuhiggs.kernels.language import record

Array = np.ndarray[Any, Any]

FINITE = st.floats(-1e6, 1e6)
ANY = st.floats()
WEIGHTS = st.floats(-2047, 2047)


def _half(n: int) -> float:
    """Return a weight half-way between two integers of 2⁻³⁰."""
    return (n + 0.5) * 2.0**-30


def _variable_bin_at(histograms: Any, x: Any, bins: Any, start: Any) -> Any:
    return variable_bin(x, bins, record(histograms, Histograms).edges, start)


def _fill_at(histograms: Any, x: Any, category: Any, weight: Any, scale: Any) -> None:
    at = record(histograms, Histograms)
    for i in range(x.size):
        fill(at, 0, category[i], x[i], 0, quantise(weight[i] * scale))


def _count_at(counter: Any, weight: Any) -> None:
    at = record(counter, Counter)
    for i in range(weight.size):
        count(at, i % 2, quantise(weight[i]))


compiled_variable_bin: Callable[..., int] = njit(_variable_bin_at, error_model="numpy")
compiled_fill: Callable[..., None] = njit(_fill_at, error_model="numpy")
compiled_count: Callable[..., None] = njit(_count_at, error_model="numpy")


def fill_all(accumulators: Accumulators, x: Array, category: Array, weight: Array, scale: float = 1.0) -> None:
    """Fill many values into the first histogram."""
    kernel = launch.record(Histograms, accumulators.kernel)
    compiled_fill(kernel.address, x, category, weight, scale)


# --- bins ----------------------------------------------------------------------------------------------------------


@given(bins=st.integers(1, 500), low=FINITE, width=st.floats(1e-3, 1e6), values=st.lists(ANY, max_size=20))
def test_uniform_bins(bins: int, low: float, width: float, values: list[float]) -> None:
    axis: Any = bh.axis.Regular(bins, low, low + width)
    edges = axis.edges
    values += [float(f(edge)) for edge in edges[:: 1 + bins // 20] for f in (float, _above, _below)] + [low + width]
    assert [uniform_bin(x, bins, low, low + width) - 1 for x in values] == axis.index(np.array(values)).tolist()


@given(edges=st.lists(FINITE, min_size=2, max_size=30, unique=True), values=st.lists(ANY, max_size=20))
def test_variable_bins(edges: list[float], values: list[float]) -> None:
    edges = sorted(edges)
    values += [float(f(edge)) for edge in edges for f in (float, _above, _below)]
    accumulators = Accumulators([_spec(edges=(-7.0, 8.0)), _spec(edges=tuple(edges))])
    kernel = launch.record(Histograms, accumulators.kernel)
    found = [compiled_variable_bin(kernel.address, x, len(edges) - 1, 2) - 1 for x in values]  # two edges come before
    axis: Any = bh.axis.Variable(edges)
    assert found == axis.index(np.array(values)).tolist()


def _above(x: float) -> float:
    return math.nextafter(x, math.inf)


def _below(x: float) -> float:
    return math.nextafter(x, -math.inf)


def _spec(bins: int = 2, low: float = 0.0, high: float = 2.0, **more: Any) -> HistogramSpec:
    edges = more.pop("edges", ())
    return HistogramSpec("h", Axis("x", "x", len(edges) - 1 if edges else bins, low, high, edges), ("a", "b"), **more)


# --- weights -------------------------------------------------------------------------------------------------------


@given(
    st.one_of(WEIGHTS, st.floats(width=32, min_value=-2047, max_value=2047), st.integers(-(2**41), 2**41).map(_half))
)
def test_quantise(w: float) -> None:
    """The formulas in exact arithmetic, with one rounding where float64 rounds."""
    q, hi, lo = quantise(w)
    square = Fraction(float(Fraction(w) ** 2))
    assert q == math.floor(float(Fraction(w) * 2**30 + Fraction(1, 2)))
    assert (hi, lo) == (math.floor(square), math.floor(float((square - math.floor(square)) * 2**40 + Fraction(1, 2))))
    assert abs(Fraction(q, 2**30) - Fraction(w)) <= Fraction(1, 2**31)
    assert abs(hi + Fraction(lo, 2**40) - Fraction(w) ** 2) <= Fraction(1, 2**41) + square / 2**53


@given(st.floats(width=32, min_value=-2047, max_value=2047))
def test_generator_weights_are_rounded_to_nearest(w: float) -> None:
    """A float32 has bits to spare: no second rounding."""
    assert quantise(w)[0] == math.floor(Fraction(w) * 2**30 + Fraction(1, 2))


@given(ANY)
def test_is_weight(w: float) -> None:
    assert is_weight(w) is (abs(w) < 2048)


@pytest.mark.parametrize(("n_events", "unit"), [(10**8, 2**7), (10**7, 2**17)])
def test_many_large_weights(n_events: int, unit: int) -> None:
    """|genWeight| up to 2.3e5, of both signs, in three bins; a launch may fill a bin LAUNCH_FILLS times.

    The generator weights are multiples of 2⁻¹³, so that the sums are known exactly, as integers.
    """
    rng = np.random.default_rng(2)
    sign = np.where(rng.random(LAUNCH_FILLS) < 0.3, -1, 1)
    integers = sign * np.minimum(2**23 * rng.lognormal(3, 2, LAUNCH_FILLS), 2.3e5 * 2**13).astype(np.float32).astype(
        int
    )
    weight = (integers / 2**13).astype(np.float32)
    assert (weight.astype(float) * 2**13 == integers).all()
    assert abs(weight).max() > 2.2e5
    x = rng.choice([-1.0, 0.5, 1.5], LAUNCH_FILLS, p=[0.01, 0.98, 0.01])
    accumulators = Accumulators([_spec()])
    counts = Counts()
    launches = [LAUNCH_FILLS] * (n_events // LAUNCH_FILLS) + [n_events % LAUNCH_FILLS]
    for n in launches:
        fill_all(accumulators, x[:n], np.zeros(n, int), weight[:n], 1.0 / unit)
        accumulators.drain(counts, "d")

    shift = 13 + int(math.log2(unit))  # w = integers · 2⁻ˢʰⁱᶠᵗ
    q, squares = integers << (30 - shift), integers * integers
    hi = squares >> (2 * shift)
    rest = squares - (hi << (2 * shift))
    lo = rest << (40 - 2 * shift) if shift <= 20 else (rest + (1 << (2 * shift - 41))) >> (2 * shift - 40)
    expected: list[int] = []
    for values in (q, hi, lo):
        for x_bin in (-1.0, 0.5, 1.5):
            inside = x == x_bin
            tail = inside[: launches[-1]]
            expected.append(
                sum(values[inside].tolist()) * (len(launches) - 1) + sum(values[: launches[-1]][tail].tolist())
            )
    sumw, sumw2 = exact(counts.sums["d", "h/sumw"]), exact(counts.sums["d", "h/sumw2"])
    assert [*sumw[:3], *sumw2[0:6:2], *sumw2[1:6:2]] == expected
    assert not any(sumw[3:] + sumw2[6:])
    assert abs(expected[1]) > 2**63 or unit > 2**7  # one int64 would not have been enough


def test_counter() -> None:
    weights = np.random.default_rng(1).normal(0, 100, 1000)
    counter = Counter(np.zeros(8, np.int64))
    at = launch.record(Counter, counter)
    compiled_count(at.address, weights)
    for row in (0, 1):
        rows = np.array([quantise(w) for w in weights[row::2]])
        assert counter.sums[4 * row : 4 * row + 4].tolist() == [500, *rows.sum(axis=0).tolist()]


# --- merging -------------------------------------------------------------------------------------------------------

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.lists(INT64, min_size=3, max_size=3), min_size=1, max_size=20))
def test_wide_sums_are_exact(rows: list[list[int]]) -> None:
    total = sum((Wide.of(np.array(row)) for row in rows[1:]), Wide.of(np.array(rows[0])))
    assert exact(total) == [sum(column) for column in zip(*rows, strict=True)]
    assert ((total.low >= 0) & (total.low < 2**32)).all()


@given(st.integers(-(2**84), 2**84))
def test_wide_is_rounded_once(value: int) -> None:
    assert Wide(np.array([value >> 32]), np.array([value & 0xFFFFFFFF])).to_float().tolist() == [float(value)]


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), st.lists(INT64, min_size=2, max_size=2)
)


def _counts(sums: dict[tuple[str, str], list[int]]) -> Counts:
    counts = Counts()
    for (dataset, name), values in sums.items():
        counts.add(dataset, name, np.array(values))
    return counts


@given(COUNTS, COUNTS, COUNTS)
def test_counts_merge_in_any_order(a: Any, b: Any, c: Any) -> None:
    one, two, three = map(_counts, (a, b, c))
    digest = (one + two + three).digest()
    assert digest == (three + (two + one)).digest() == ((two + three) + one).digest()
    assert digest == (one + two + three + Counts()).digest()


@given(COUNTS, st.integers(0, 10))
def test_digest_sees_every_bit(a: Any, place: int) -> None:
    counts = _counts(a)
    before = counts.digest()
    for key in a:
        changed = Counts({**counts.sums, key: counts.sums[key] + Wide.of(np.array([0, 1 << place]))})
        assert changed.digest() != before


# --- histograms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", [(), (-1.0, 0.0, 0.1, 3.0)], ids=["uniform", "variable"])
@settings(max_examples=30)
@given(data=st.lists(st.tuples(st.floats(-2, 4) | ANY, WEIGHTS, st.sampled_from([0, 1])), max_size=50))
def test_to_hist(edges: tuple[float, ...], data: list[tuple[float, float, int]]) -> None:
    """Two datasets, each scaled, against hist's own filling."""
    spec = _spec(bins=5, low=-1.0, high=3.0, edges=edges)
    accumulators = Accumulators([spec])
    counts = Counts()
    expected = hist.Hist(hist.axis.IntCategory([0, 1]), spec.axis.to_hist(), storage=hist.storage.Weight())
    for dataset, scale in (("d", 2.0), ("e", 0.25)):
        part = np.array(data[:: 1 if dataset == "d" else 2]).reshape(-1, 3)
        x, weight, category = np.ascontiguousarray(part.T)
        fill_all(accumulators, x, category.astype(int), weight)
        accumulators.drain(counts, dataset)
        expected.fill(category.astype(int), x, weight=scale * weight)
    found: Any = to_hist(counts, [("d", 2.0), ("e", 0.25)], spec).view(flow=True)
    plain: Any = expected.view(flow=True)
    n = 2 * len(data) + 1  # each fill is rounded to 2⁻³⁰ and its square to 2⁻⁴⁰
    np.testing.assert_allclose(found.value, plain.value, rtol=1e-12, atol=n * 2.0**-30)
    np.testing.assert_allclose(found.variance, plain.variance, rtol=1e-12, atol=n * 2.0**-38)


def test_read_out_is_in_units_of_the_weight() -> None:
    accumulators = Accumulators([_spec()])
    fill_all(accumulators, np.array([0.5, 0.5]), np.array([1, 1]), np.array([-1.5, 3.25]))
    counts = Counts()
    accumulators.drain(counts, "d")
    assert sum_of_weights(counts.sums["d", "h/sumw"])[1, 1].tolist() == [1.75]
    assert sum_of_squares(counts.sums["d", "h/sumw2"])[1, 1].tolist() == [1.5**2 + 3.25**2]
    accumulators.drain(counts, "d")  # filled nothing since
    assert sum_of_weights(counts.sums["d", "h/sumw"]).sum() == 1.75


@pytest.mark.parametrize("category", [-1, 2])
def test_category_that_does_not_exist(category: int) -> None:
    accumulators = Accumulators([_spec()])
    fill_all(accumulators, np.array([0.5]), np.array([category]), np.array([1.0]))
    assert not accumulators.kernel.sumw.any()
    with pytest.raises(RunError, match="1 fills went to a category"):
        accumulators.drain(Counts(), "d")
