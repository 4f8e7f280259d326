"""Formulas: the same language as correctionlib's, and the same values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import correctionlib
import correctionlib.schemav2 as schema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs import corrections
from gpuhiggs.corrections.formula import program
from gpuhiggs.errors import ConfigError
from gpuhiggs.kernels.lookup_formula import STACK

Write: TypeAlias = Callable[..., Path]
NAMES = ["x", "y", "z", "t"]
PARAMETERS = [7.0, 0.125]

ACCEPTED = [
    "2^3^2", "-x^2", "2-3-4", "1-2*3", "8/2*2", "2*8/2*4", "-1^2", "x-1", "x -1", "x-1-1", "2*-x", "2^-x", "-(x)",
    "- x", "1e3", "1.e3",
    "1.5e-2*x", "x==3 && y==4", "x==3||y==5", "(x>2)*(y>3)", "x>2>0", "1>2==0", "x>2 && y>3 || z>100",
    "max(x,y)", "min(x,y)*2", "pow(x,2)", "log(x)", "log10(100)", "[0]+[1]*x", " [ 0 ] ", "1 / 2 / 2", "2+3 == 5",
    "1<=1==1", "1==1<=1", "x*y/z*t", "x--1", "x - -1", "x+-1", "3-1", "3 -1", "-x+1", "-sqrt(4)^2", "1&&0", "0||1",
    "1||0&&0", "x^0.5", "12345678901234567890", "x!=3", "pow(2,3)^2", "-[0]", "3<=x", "x[0]+x[3]", "\tx\t", "((((x))))",
    "sqrt(0-1)", "1/0", "0/0==0", "max(0/0,1)", "max(1,0/0)", "min(0/0,1)", "min(1,0/0)", "0/0&&1", "0/0||0",
    "atanh(1)", "asin(2)", "acosh(0.5)", "log(0)", "pow(-8,3)", "pow(-8,0.5)", "10*-1", "2*3^2", "x<y<z",
    *(f"{name}(x/10)" for name in ("log", "log10", "exp", "erf", "sqrt", "abs", "cos", "sin", "tan", "acos", "asin")),
    *(f"{name}(x/10)" for name in ("atan", "cosh", "sinh", "tanh", "asinh", "atanh")), "acosh(x)", "atan2(x,-y)",
]  # fmt: skip
REFUSED = [
    "- 1", "--x", "!x", "1e+3", "1E3", ".5", "TMath::Log(x)", "fabs(3)", "a", "x y", "", "pi", "2*pi", "ln(x)", "1e-5x",
    "2.5.3", "0x10", "+1", "x=3", "max(x,y,z)", "max(x)", "sin x", "(x", "x)", "*x", "x**2", "[x]", "[9]", "x[4]", "x[",
    "sin(x,y)", "x&y", "x|y", "()", "1 2", "sinx", "u", "x;", "[0", "-[9]",
]  # fmt: skip


def _formula(expression: str) -> dict[str, Any]:
    return {
        "nodetype": "formula",
        "parser": "TFormula",
        "expression": expression,
        "variables": NAMES,
        "parameters": PARAMETERS,
    }


def _theirs(expression: str) -> Any:
    variables = [schema.Variable(name=name, type="real") for name in NAMES]
    node = schema.Formula.model_validate(_formula(expression))
    output = schema.Variable(name="out", type="real")
    return schema.Correction(name="c", version=1, inputs=variables, output=output, data=node).to_evaluator()


@pytest.mark.parametrize("expression", ACCEPTED)
def test_values(write: Write, expression: str) -> None:
    ours = corrections.load(write(dict.fromkeys(NAMES, "real"), c=_formula(expression)))["c"].compile()
    theirs = _theirs(expression)
    for point in [(3.0, 4.0, 5.0, 6.0), (-0.5, 0.25, 1e-3, 2.0), (9.5, -3.0, 0.0, 1.0)]:
        expected = theirs.evaluate(*point)
        assert ours.evaluate(*point) == pytest.approx(expected, rel=1e-14, abs=0.0, nan_ok=True)


@pytest.mark.parametrize("expression", REFUSED)
def test_refused(write: Write, expression: str) -> None:
    with pytest.raises(RuntimeError):
        _theirs(expression)
    with pytest.raises(ConfigError, match="formula"):
        corrections.load(write(dict.fromkeys(NAMES, "real"), c=_formula(expression)))["c"].compile()


def test_operator_without_a_right_side(write: Write) -> None:
    """Correctionlib reads it as if the operator were not there."""
    assert _theirs("x+").evaluate(3.0, 0.0, 0.0, 0.0) == 3.0
    with pytest.raises(ConfigError, match="expected a value at position 3"):
        corrections.load(write(dict.fromkeys(NAMES, "real"), c=_formula("x+")))["c"].compile()


def _expressions() -> st.SearchStrategy[str]:
    numbers = st.integers(0, 99).map(str) | st.floats(0.1, 99.0).map(lambda x: f"{x:.3f}")
    atoms = numbers | st.sampled_from(["x", "y", "z", "t", "[0]", "[1]", "x[1]", "-3", "-0.5"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        signs = st.sampled_from(["+", "-", "*", "/", "==", "!=", "<", ">", "<=", ">=", "&&", "||", " - ", " * "])
        calls = st.sampled_from(["exp(-abs({}))", "sqrt(abs({}))", "erf({})", "tanh({})", "atan({})", "-({})", "({})"])
        pairs = st.sampled_from(["max({},{})", "min({},{})", "pow(abs({}),0.5)+{}", "atan2({},{})"])
        return (
            st.tuples(inner, signs, inner).map("".join)
            | st.tuples(calls, inner).map(lambda pair: pair[0].format(pair[1]))
            | st.tuples(pairs, inner, inner).map(lambda three: three[0].format(*three[1:]))
        )

    return st.recursive(atoms, grow, max_leaves=12)


@settings(deadline=None, max_examples=150)
@given(_expressions())
def test_structure(expression: str) -> None:
    """Random expressions: the postfix program, run with correctionlib's own functions, is correctionlib's value.

    Cancellation may magnify last bits of the functions without bound, so the structure is tested apart from them.
    """
    values = (1.25, 2.5, 0.75, 3.0)
    constants: list[float] = []

    def constant(value: float) -> int:
        constants.append(value)
        return ~(len(constants) - 1)

    try:
        theirs = _theirs(expression)
    except RuntimeError:
        with pytest.raises(ValueError, match="formula"):
            program(expression, [0, 1, 2, 3], PARAMETERS, constant)
        return
    operations = program(expression, [0, 1, 2, 3], PARAMETERS, constant)
    assert _run(operations, values, constants) == pytest.approx(
        theirs.evaluate(*values), rel=1e-15, abs=0.0, nan_ok=True
    )


def _run(operations: list[int], values: tuple[float, ...], constants: list[float]) -> float:
    from gpuhiggs.kernels.lookup_formula import BINARY, FIRST_BINARY, FIRST_UNARY, UNARY

    one: dict[str, Any] = {
        "negative": np.negative,
        "abs": np.abs,
        "sqrt": np.sqrt,
        "exp": np.exp,
        "erf": _math("erf"),
        "tanh": _math("tanh"),
        "atan": _math("atan"),
    }
    two: dict[str, Any] = {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
        "^": _math("pow"),
        "atan2": _math("atan2"),
        "max": lambda x, y: y if x < y else x,
        "min": lambda x, y: y if y < x else x,
        "==": np.equal,
        "!=": np.not_equal,
        "<": np.less,
        ">": np.greater,
        "<=": np.less_equal,
        ">=": np.greater_equal,
        "&&": lambda x, y: x != 0 and y != 0,
        "||": lambda x, y: x != 0 or y != 0,
    }
    stack: list[Any] = []
    with np.errstate(all="ignore"):
        for operation in operations:
            code, operand = operation & 255, operation >> 8
            if code == 0:
                stack.append(np.float64(values[operand] if operand >= 0 else constants[~operand]))
            elif code < FIRST_BINARY:
                stack.append(np.float64(one[UNARY[code - FIRST_UNARY]](stack.pop())))
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(np.float64(two[BINARY[code - FIRST_BINARY]](left, right)))
    assert len(stack) == 1
    return float(stack[0])


def _math(name: str) -> Callable[..., float]:
    """Return a function of the C library, by a way on which no exception is made of a NaN or an infinity."""
    expression = f"{name}(x,y)" if name in {"pow", "atan2"} else f"{name}(x)"
    evaluator = _theirs(expression)
    return lambda x, y=0.0: float(evaluator.evaluate(float(x), float(y), 0.0, 0.0))


def test_too_deep() -> None:
    deep = "1+(" * STACK + "x" + ")" * STACK
    with pytest.raises(ValueError, match=f"a stack of {STACK + 1}, there are {STACK}"):
        program(deep, [0], [], lambda value: -1)
    program("1+(" * (STACK - 1) + "x" + ")" * (STACK - 1), [0], [], lambda value: -1)


def test_the_version_compared_with() -> None:
    """The grammar is that of correctionlib 2.8 and later, which has && and || and x[0]."""
    assert tuple(map(int, correctionlib.__version__.split(".")[:2])) >= (2, 8)
