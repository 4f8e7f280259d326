"""The factors of a workspace's blocks as flat arrays: strengths, normalisations, rational functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuhiggs.inference.expressions import Rational, parse
from gpuhiggs.inference.model import Channel, Sample
from gpuhiggs.inference.modifiers import Formula, GammaCount, Lumi, NormFactor, NormSys
from gpuhiggs.kernels import statistical_model as kernel


def lay_out_factors(blocks: Sequence[tuple[Channel, Sample]], index: dict[str, int]) -> dict[str, Any]:
    """Make the factors of blocks, each once however many blocks share it."""
    known: dict[tuple[Any, ...], int] = {}
    rationals: list[Rational] = []
    starts, members = [0], []
    for _, sample in blocks:
        for modifier in sample.modifiers:
            key: tuple[Any, ...]
            if isinstance(modifier, NormFactor | Lumi | GammaCount):
                key = (kernel.VALUE, index[modifier.parameter], 0.0, 0.0)
            elif isinstance(modifier, NormSys):
                up, down = math.log(modifier.up), math.log(modifier.down)
                kind = {"code1": kernel.EXPONENTIAL, "code4": kernel.CODE4, "combine": kernel.ASYMMETRIC}
                key = (kind[modifier.interpolation], index[modifier.parameter], up, down)
                if key[0] == kernel.ASYMMETRIC and up == -down:
                    key = (kernel.EXPONENTIAL, *key[1:])
            elif isinstance(modifier, Formula):
                expression = parse(modifier.expression)
                if expression not in rationals:
                    rationals.append(expression)
                key = (kernel.RATIONAL, rationals.index(expression), 0.0, 0.0)
            else:
                continue
            members.append(known.setdefault(key, len(known)))
        starts.append(len(members))
    keys = list(known)
    return {
        "factor_kind": [key[0] for key in keys],
        "factor_parameter": [key[1] for key in keys],
        "factor_up": [key[2] for key in keys],
        "factor_down": [key[3] for key in keys],
        "factor_series": np.array([code4_series(key[2], key[3]) for key in keys]).ravel(),
        "block_factor_start": starts,
        "block_factor": members,
        **_rationals(rationals, index),
    }


def _rationals(rationals: Sequence[Rational], index: dict[str, int]) -> dict[str, Any]:
    starts, numerators = [0], [0]
    variables: list[int] = []
    denominators: list[int] = []
    coefficients: list[float] = []
    powers: list[int] = []
    power_starts: list[int] = []
    for expression in rationals:
        names = expression.variables
        variables += [index[name] for name in names]
        starts.append(len(variables))
        for part in expression:
            for monomial, coefficient in part.items():
                power_starts.append(len(powers))
                coefficients.append(coefficient)
                powers += [dict(monomial).get(name, 0) for name in names]
            (denominators if len(denominators) < len(numerators) else numerators).append(len(coefficients))
    return {
        "rational_start": starts,
        "variable": variables,
        "numerator_start": numerators,
        "denominator_start": denominators,
        "coefficient": coefficients,
        "power_start": power_starts,
        "power": powers,
    }


def code4_series(log_up: float, log_down: float) -> list[float]:
    """Return a₁ … a₆ of HistFactory's code 4, from the logarithms of both factors.

    The odd and the even coefficients each solve three equations: value, slope and curvature at ±1.
    """
    up, down = math.exp(log_up), math.exp(log_down)
    slope_up, slope_down = up * log_up, -down * log_down
    curve_up, curve_down = up * log_up**2, down * log_down**2
    odd, odd_slope, odd_curve = (up - down) / 2, (slope_up + slope_down) / 2, (curve_up - curve_down) / 2
    a5 = (3 * odd - 3 * odd_slope + odd_curve) / 8
    a3 = (odd_slope - odd) / 2 - 2 * a5
    a1 = odd - a3 - a5
    even, even_slope, even_curve = (up + down) / 2 - 1, (slope_up - slope_down) / 2, (curve_up + curve_down) / 2
    a6 = (8 * even - 5 * even_slope + even_curve) / 8
    a4 = even_slope / 2 - even - 2 * a6
    a2 = even - a4 - a6
    return [a1, a2, a3, a4, a5, a6]
