"""Factors that are polynomials of parameters, or ratios of two: ``kappa_V**2 / (0.75 + 0.25*kappa_t**2)``."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gpuhiggs.errors import InputError

Monomial = tuple[tuple[str, int], ...]
"""Parameters and their powers, sorted by name; () is the constant."""
Polynomial = dict[Monomial, float]


class Rational(NamedTuple):
    """A ratio of two polynomials: coefficient of each monomial above and below the line."""

    numerator: Polynomial
    denominator: Polynomial

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the parameters, sorted."""
        return tuple(sorted({name for part in self for monomial in part for name, _ in monomial}))

    def at(self, values: Mapping[str, float]) -> float:
        """Return the value at given parameters."""
        above, below = (
            sum(c * _product(values[name] ** n for name, n in monomial) for monomial, c in part.items())
            for part in self
        )
        return above / below


def parse(text: str) -> Rational:
    """Read an expression of numbers, names, ``+ - * / **`` (integer powers, also ``pow(x, n)``) and brackets.

    Raises
    ------
    InputError
        The text is no expression, or has something else in it: a function, a power that is no integer.
    """
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body
        return _node(tree)
    except (SyntaxError, ValueError, TypeError, ZeroDivisionError, RecursionError, OverflowError) as error:
        msg = f"expression {text!r}: {error}; known: numbers, parameters, + - * / **n and brackets"
        raise InputError(msg) from error


def _node(node: ast.expr) -> Rational:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Rational({(): float(node.value)}, _ONE)
    if isinstance(node, ast.Name):
        return Rational({((node.id, 1),): 1.0}, _ONE)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        found = _node(node.operand)
        sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
        return Rational(_times(found.numerator, {(): sign}), found.denominator)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pow" and len(node.args) == 2:
        return _power(_node(node.args[0]), node.args[1])
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return _power(_node(node.left), node.right)
        operation = _OPERATIONS.get(type(node.op))
        if operation is not None:
            return operation(_node(node.left), _node(node.right))
    msg = f"{ast.unparse(node)!r} is not a polynomial or a ratio of polynomials"
    raise ValueError(msg)


def _power(base: Rational, exponent: ast.expr) -> Rational:
    value = ast.literal_eval(exponent)
    if value != int(value):
        msg = f"the power {value} is no integer"
        raise ValueError(msg)
    result = Rational(_ONE, _ONE)
    for _ in range(abs(int(value))):
        result = _multiply(result, base) if value > 0 else _divide(result, base)
    return result


def _add(a: Rational, b: Rational) -> Rational:
    if a.denominator == b.denominator:
        return Rational(_plus(a.numerator, b.numerator), a.denominator)
    above = _plus(_times(a.numerator, b.denominator), _times(b.numerator, a.denominator))
    return Rational(above, _times(a.denominator, b.denominator))


def _subtract(a: Rational, b: Rational) -> Rational:
    return _add(a, Rational(_times(b.numerator, {(): -1.0}), b.denominator))


def _multiply(a: Rational, b: Rational) -> Rational:
    return Rational(_times(a.numerator, b.numerator), _times(a.denominator, b.denominator))


def _divide(a: Rational, b: Rational) -> Rational:
    if not b.numerator:
        msg = "division by zero"
        raise ValueError(msg)
    return Rational(_times(a.numerator, b.denominator), _times(a.denominator, b.numerator))


def _plus(a: Polynomial, b: Polynomial) -> Polynomial:
    total = dict(a)
    for monomial, c in b.items():
        total[monomial] = total.get(monomial, 0.0) + c
    return {monomial: c for monomial, c in total.items() if c != 0.0}


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for left, c in a.items():
        for right, d in b.items():
            powers = dict(left)
            for name, n in right:
                powers[name] = powers.get(name, 0) + n
            monomial = tuple(sorted(powers.items()))
            total[monomial] = total.get(monomial, 0.0) + c * d
    return {monomial: c for monomial, c in total.items() if c != 0.0}


def _product(values: object) -> float:
    result = 1.0
    for value in values:  # type: ignore[attr-defined]
        result *= value
    return result


_ONE: Polynomial = {(): 1.0}
_OPERATIONS: dict[type[ast.operator], Callable[[Rational, Rational], Rational]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
}
