"""The elementary functions against mpmath, C99's special values, and the Python interpreter."""

from __future__ import annotations

import importlib
import math
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs.kernels import real

Floats = npt.NDArray[np.float64]

N_IDENTITY = 20_000
N_ACCURACY = 3_000
TINIEST, SMALLEST_NORMAL, LARGEST = 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308
SPECIAL = [0.0, math.inf, 1.0, 0.5, 2.0, 3.0, 1e5, 1e22, 2.0**52 - 0.5, 2.0**53, TINIEST, SMALLEST_NORMAL, LARGEST]
SPECIAL += [math.nan, *(-x for x in SPECIAL)]
FINITE = st.floats(allow_nan=False, allow_infinity=False)

unhurried = settings(deadline=None)  # the first call of a function compiles it


# --- arguments: each range that a function treats in its own way, and their borders ----------------------------------


def _uniform(low: float, high: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda rng, n: rng.uniform(low, high, n)


def _sizes(low: float, high: float) -> Callable[[np.random.Generator, int], Floats]:
    """Log-uniform, of both signs."""
    return lambda rng, n: np.exp(rng.uniform(math.log(low), math.log(high), n)) * rng.choice([-1.0, 1.0], n)


def _positive(low: float, high: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda rng, n: np.abs(_sizes(low, high)(rng, n))


def _subnormal(rng: np.random.Generator, n: int) -> Floats:
    return rng.integers(1, 2**52, n).view(np.float64)


def _near_one(rng: np.random.Generator, n: int) -> Floats:
    return 1.0 + _sizes(1e-16, 0.4)(rng, n)


def _near_quarter_turns(rng: np.random.Generator, n: int) -> Floats:
    """The float64 next to multiples of π/2, where the reduced argument is smallest, and their neighbours."""
    turns = rng.integers(-63_000, 63_000, n)
    return turns * (math.pi / 2) * (1.0 + rng.integers(-1, 2, n) * 2.0**-52)


LOGS = [_positive(1e-307, 1e308), _uniform(0.5, 2.0), _near_one, _subnormal]
ANGLES = [_uniform(-7.0, 7.0), _uniform(-1e5, 1e5), _sizes(1e-300, 7.0), _near_quarter_turns]
HYPERBOLIC = [_uniform(-1.1, 1.1), _uniform(-7.0, 7.0), _uniform(-710.4, 710.4), _sizes(1e-300, 30.0)]
EVERYWHERE = [_uniform(-1.0, 1.0), _uniform(-7.0, 7.0), _sizes(1e-3, 1e3), _sizes(1e-300, 1e300)]

RANGES = {
    "exp": [_uniform(-745.0, 709.7), _uniform(-1.0, 1.0), _sizes(1e-300, 1.0), _uniform(-745.1, -708.0)],
    "log": LOGS,
    "log10": LOGS,
    "sin": ANGLES,
    "cos": ANGLES,
    "tan": ANGLES,
    "sinh": HYPERBOLIC,
    "cosh": HYPERBOLIC,
    "tanh": EVERYWHERE,
    "asinh": EVERYWHERE,
    "atan": EVERYWHERE,
    "acosh": [lambda rng, n: 1.0 + _positive(1e-16, 1.0)(rng, n), _positive(1.0, 1e3), _positive(1.0, 1e300)],
    "asin": [_uniform(-1.0, 1.0), lambda rng, n: 1.0 - _positive(1e-16, 1.0)(rng, n), _sizes(1e-20, 1.0)],
    "atanh": [_uniform(-1.0, 1.0), lambda rng, n: 1.0 - _positive(1e-16, 1.0)(rng, n), _sizes(1e-20, 1.0)],
    "acos": [_uniform(-1.0, 1.0), lambda rng, n: 1.0 - _positive(1e-16, 1.0)(rng, n), _sizes(1e-20, 1.0)],
    "erf": EVERYWHERE,
    "sqrt": LOGS,
    "floor": [*EVERYWHERE, _uniform(-1e16, 1e16)],
}
BORDERS = {
    "exp": [709.782712893384, -745.1332191019411, -708.3964185322641, 0.34657359027997264],
    "log": [math.sqrt(0.5), math.sqrt(2.0), SMALLEST_NORMAL, TINIEST, LARGEST],
    "log10": [math.sqrt(0.5), math.sqrt(2.0), SMALLEST_NORMAL, TINIEST, LARGEST],
    "sin": [math.nextafter(1e5, 0.0), math.pi, math.pi / 2, math.pi / 4, TINIEST, SMALLEST_NORMAL],
    "cos": [math.nextafter(1e5, 0.0), math.pi, math.pi / 2, math.pi / 4, TINIEST, SMALLEST_NORMAL],
    "tan": [math.nextafter(1e5, 0.0), math.pi, math.pi / 2, math.pi / 4, TINIEST, SMALLEST_NORMAL],
    "sinh": [710.4758600739439, 0.34657359027997264, 18.0, 19.0, 27.7, TINIEST],
    "cosh": [710.4758600739439, 0.34657359027997264, 18.0, 19.0, 27.7, TINIEST],
    "tanh": [20.0, 0.34657359027997264, 18.0, 19.0, TINIEST],
    "asinh": [2.0**-27, 2.0**27, 1.0, TINIEST, LARGEST],
    "atan": [math.sqrt(2.0) - 1.0, math.sqrt(2.0) + 1.0, 1.0, TINIEST, LARGEST],
    "acosh": [1.0, 2.0**27, LARGEST],
    "asin": [0.5, 1.0, 2.0**-60, TINIEST],
    "atanh": [1.0, 2.0**-27, TINIEST],
    "acos": [0.5, 1.0, TINIEST],
    "erf": [0.9375, 6.0, 1.0, TINIEST],
    "sqrt": [TINIEST, LARGEST],
    "floor": [2.0**51, 2.0**52, 2.0**53, 1.0, TINIEST, LARGEST],
}
WORST = {  # where the largest errors were found
    "exp": (-93.905202440593257,),
    "log": (0.7063825218337042,),
    "log10": (1.4141230546329184,),
    "pow": (0.8709118554032625, 5067.4838641794295),
    "sin": (3.9023080798626926,),
    "cos": (-0.81174541063137085,),
    "tan": (3.9047044187266744,),
    "sinh": (0.24681010995277239,),
    "cosh": (-1.0415104586358219,),
    "tanh": (0.25289377697347803,),
    "asinh": (0.34365304405672553,),
    "atan": (-0.4175175184561925,),
    "atan2": (0.4674352173352219, 1.0859206626078408),
    "acosh": (1.5405443770860512,),
    "asin": (0.5255321124928751,),
    "atanh": (-0.4517675183182346,),
    "acos": (0.55602473800703189,),
    "erf": (0.94307836865728645,),
    "sqrt": (2.0,),
    "floor": (0.5,),
}


def _with_neighbours(name: str) -> list[float]:
    """Return the borders of a function, of both signs, and the float64 next to them, as far as it is finite there."""
    function = getattr(real, name)
    borders = [sign * x for x in BORDERS[name] for sign in (1.0, -1.0)]
    near = [y for x in borders for y in (math.nextafter(x, -math.inf), x, math.nextafter(x, math.inf))]
    return [x for x in near if math.isfinite(x) and math.isfinite(function(x))]


def arguments(name: str, n: int) -> list[tuple[float, ...]]:
    """Return about *n* arguments of a function inside its range: random ones from each part, and the borders."""
    rng = np.random.default_rng(sum(map(ord, name)))
    if name == "pow":
        base = np.concatenate([_positive(1e-300, 1e300)(rng, n // 2), _near_one(rng, n - n // 2)])
        base[base == 1.0] = 1.5
        power = rng.uniform(-708.0, 709.0, n) / np.log(base) * rng.choice([1.0, 0.01], n)
        return list(zip(base.tolist(), power.tolist(), strict=True))
    if name == "atan2":
        parts = [
            np.concatenate([_sizes(1e-300, 1e300)(rng, n // 4), rng.normal(size=n // 4), _sizes(0.1, 10.0)(rng, n // 4),
                            _subnormal(rng, n // 4)])
            for _ in range(2)
        ]  # fmt: skip
        return list(zip(parts[0].tolist(), parts[1].tolist(), strict=True))
    ranges = RANGES[name]
    drawn = np.concatenate([draw(rng, n // len(ranges)) for draw in ranges]).tolist()
    return [(x,) for x in [*drawn, *_with_neighbours(name)]]


# --- accuracy --------------------------------------------------------------------------------------------------------

STATED = {  # the reference, and the largest error in ulp that the docstring states
    "exp": (mp.exp, 0.80),
    "log": (mp.log, 0.89),
    "log10": (mp.log10, 0.76),
    "pow": (mp.power, 0.82),
    "sin": (mp.sin, 0.92),
    "cos": (mp.cos, 0.90),
    "tan": (mp.tan, 1.21),
    "sinh": (mp.sinh, 1.04),
    "cosh": (mp.cosh, 0.67),
    "tanh": (mp.tanh, 1.10),
    "asinh": (mp.asinh, 0.91),
    "atan": (mp.atan, 0.83),
    "atan2": (mp.atan2, 0.88),
    "acosh": (mp.acosh, 0.78),
    "asin": (mp.asin, 0.64),
    "atanh": (mp.atanh, 0.75),
    "acos": (mp.acos, 0.70),
    "erf": (mp.erf, 1.33),
    "sqrt": (mp.sqrt, 0.5),
    "floor": (mp.floor, 0.0),
}


def _error_in_ulp(got: float, exact: Any) -> float:
    if exact == 0:
        return 0.0 if got == 0.0 else math.inf
    exponent = max(int(mp.frexp(exact)[1]), -1021)
    return float(mp.ldexp(abs(mp.mpf(got) - exact), 53 - exponent))


@pytest.mark.parametrize("name", STATED)
def test_accuracy(name: str) -> None:
    reference, bound = STATED[name]
    function = getattr(real, name)
    with mp.workdps(40):
        errors = [
            (_error_in_ulp(function(*values), reference(*map(mp.mpf, values))), values)
            for values in [WORST[name], *arguments(name, N_ACCURACY)]
        ]
    assert max(errors)[0] <= bound, max(errors)
    assert errors[0][0] > bound - 0.02 or bound == 0.5, errors[0]


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_beyond_the_stated_range(name: str) -> None:
    """Large angles lose digits, but slowly and never sanity."""
    rng = np.random.default_rng(5)
    for x in [*_sizes(1e5, 1e15)(rng, 1000).tolist(), 1e22, 1e100, 1e300, LARGEST]:
        got = getattr(real, name)(x)
        assert -1.0 <= got <= 1.0
        with mp.workdps(400):
            assert abs(got - getattr(mp, name)(mp.mpf(x))) <= max(2.0**-65 * abs(x), 2.0**-53)


def test_powers_of_ten_have_exact_logarithms() -> None:
    for k in range(-307, 309):
        assert real.log10(float(f"1e{k}")) == k


def test_pairs_are_their_parts() -> None:
    for (x,) in arguments("sin", 1000):
        assert real.sincos(x) == (real.sin(x), real.cos(x))
    for (x,) in arguments("sinh", 1000):
        assert real.sinhcosh(x) == (real.sinh(x), real.cosh(x))


@pytest.mark.parametrize(
    ("name", "last", "beyond"),
    [
        ("exp", 709.782712893384, math.inf),
        ("exp", -745.1332191019411, 0.0),
        ("sinh", 710.4758600739439, math.inf),
        ("sinh", -710.4758600739439, -math.inf),
        ("cosh", 710.4758600739439, math.inf),
        ("log", 0.0, math.nan),
        ("asin", 1.0, math.nan),
        ("asin", -1.0, math.nan),
        ("acos", 1.0, math.nan),
        ("acos", -1.0, math.nan),
    ],
)
def test_where_a_range_ends(name: str, last: float, beyond: float) -> None:
    function = getattr(real, name)
    assert function(last) not in {beyond, math.inf}
    assert _bits(function(math.nextafter(last, math.copysign(math.inf, last or -1.0)))) == _bits(beyond)


# --- special values --------------------------------------------------------------------------------------------------


def _bits(x: float) -> int:
    return int(np.float64(x).view(np.int64))


def _agrees(got: float, c99: float) -> bool:
    """Zeros, infinities and NaN to the bit, with one NaN; other values roughly, since they are tested above."""
    if math.isnan(c99):
        return _bits(got) == _bits(math.nan)
    if c99 == 0.0 or math.isinf(c99) or abs(c99) == 1.0:
        return _bits(got) == _bits(c99)
    return math.isclose(got, c99, rel_tol=1e-15, abs_tol=TINIEST)


UNARY = {name: f"arc{name[1:]}" for name in ("asinh", "acosh", "atanh", "asin", "acos", "atan")}


@pytest.mark.parametrize("name", [*sorted(set(RANGES) - {"erf"})])
def test_special_values_of_one_argument(name: str) -> None:
    """NumPy hands these to the C library, which follows C99 where the result is special."""
    function, c99 = getattr(real, name), getattr(np, UNARY.get(name, name))
    values = [x for x in SPECIAL if not (name in {"sin", "cos", "tan"} and 1e5 < abs(x) < math.inf)]
    with np.errstate(all="ignore"):
        for x in values:
            assert _agrees(function(x), c99(np.float64(x))), x


def test_special_values_of_erf() -> None:
    for x in SPECIAL:
        assert _agrees(real.erf(x), math.erf(x)), x


@pytest.mark.parametrize(("name", "c99"), [("pow", np.power), ("atan2", np.arctan2), ("copysign", np.copysign)])
def test_special_values_of_two_arguments(name: str, c99: Any) -> None:
    function = getattr(real, name)
    more = [-math.inf, 0.3, -0.3, 1.0 + 2.0**-52, 1.0 - 2.0**-53, 2.0**53 - 1.0, 2.0**64, -(2.0**64), 1e-300, -1075.0]
    with np.errstate(all="ignore"):
        for x in [*SPECIAL, *more]:
            for y in [*SPECIAL, *more]:
                if not (name == "copysign" and math.isnan(x)):
                    expected = c99(np.array([x, 2.0]), np.array([y, 3.0]))[0]  # alone, x**0.5 would be NumPy's √x
                    assert _agrees(function(x, y), expected), (x, y)


def test_is_nan() -> None:
    assert [x for x in SPECIAL if real.is_nan(x)] == [x for x in SPECIAL if x != x]


# --- exact properties ------------------------------------------------------------------------------------------------


@unhurried
@given(FINITE)
def test_odd_functions(x: float) -> None:
    for function in (real.sin, real.tan, real.sinh, real.tanh, real.asinh, real.atan, real.erf):
        assert _bits(function(-x)) == _bits(-function(x))


@unhurried
@given(st.floats(-1.0, 1.0))
def test_odd_functions_of_a_ratio(x: float) -> None:
    for function in (real.asin, real.atanh):
        assert _bits(function(-x)) == _bits(-function(x))


@unhurried
@given(FINITE)
def test_even_functions(x: float) -> None:
    for function in (real.cos, real.cosh):
        assert _bits(function(-x)) == _bits(function(x))


@unhurried
@given(FINITE)
def test_results_stay_in_range(x: float) -> None:
    for function in (real.sin, real.cos, real.tanh, real.erf):
        assert -1.0 <= function(x) <= 1.0
    assert abs(real.atan(x)) <= math.pi / 2
    assert real.cosh(x) >= 1.0
    assert real.exp(x) >= 0.0


@unhurried
@given(FINITE, FINITE)
def test_atan2_is_odd_in_y_and_sees_signs_only_by_quadrant(y: float, x: float) -> None:
    assert _bits(real.atan2(-y, x)) == _bits(-real.atan2(y, x))
    assert abs(real.atan2(y, x)) <= math.pi
    assert (abs(real.atan2(y, x)) <= math.pi / 2) == (math.copysign(1.0, x) > 0.0) or abs(y) > 2**50 * abs(x)


@unhurried
@given(FINITE, FINITE)
def test_floor_and_sqrt_are_monotonic(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert real.floor(low) <= real.floor(high)
    assert low - 1.0 <= real.floor(low) <= low
    assert real.sqrt(abs(low)) <= real.sqrt(abs(high)) or abs(low) > abs(high)


@unhurried
@given(st.floats(min_value=TINIEST, max_value=LARGEST), st.floats(min_value=1e-12, max_value=1.0))
def test_log_and_exp_are_monotonic_beyond_their_error(x: float, step: float) -> None:
    assert real.log(x) <= real.log(x * (1.0 + step)) or x * (1.0 + step) < x
    assert real.exp(math.log(x)) <= real.exp(math.log(x) + step)


# --- identity --------------------------------------------------------------------------------------------------------


def _evaluate(name: str) -> Floats:
    """Evaluate a function at N_IDENTITY points and at the special ones, handed over in turn as float and as float64."""
    points = arguments(name, N_IDENTITY)
    width = len(points[0])
    points += [(x,) for x in SPECIAL] if width == 1 else [(x, y) for x in SPECIAL for y in SPECIAL]
    points += [(x,) for x in _sizes(1e-320, 1e308)(np.random.default_rng(3), 500).tolist()] if width == 1 else []
    function = getattr(real, name)
    return np.array([function(*(p if i % 2 else map(np.float64, p))) for i, p in enumerate(points)], dtype=np.float64)


def evaluate_all() -> dict[str, Floats]:
    """Evaluate every function; the pairs are covered by their parts (test_pairs_are_their_parts)."""
    return {name: _evaluate(name) for name in STATED}


def test_cpu_build_gives_the_bits_of_the_interpreter(tmp_path: Path) -> None:
    """A process of its own, since numba is switched off for good at import; there, a warning is an error too."""
    results = str(tmp_path / "bits.npz")
    code = (
        "import numpy, runpy; from gpuhiggs.kernels import real; assert not hasattr(real.exp, 'py_func'); "
        f"numpy.savez({results!r}, **runpy.run_path({__file__!r})['evaluate_all']())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", code], env=environment, check=True)
    interpreted = np.load(results)
    for name, compiled in evaluate_all().items():
        assert compiled.size >= N_IDENTITY
        different = compiled.view(np.int64) != interpreted[name].view(np.int64)
        assert not different.any(), (name, compiled[different][:3], interpreted[name][different][:3])


def test_coefficients_are_the_fitted_ones() -> None:
    fitted = runpy.run_path(str(Path(__file__).with_name("fit_real.py")))["polynomials"]()
    for place, coefficients in fitted.items():
        module, name = place.split(".")
        assert getattr(importlib.import_module(f"gpuhiggs.kernels.{module}"), name) == coefficients, place
