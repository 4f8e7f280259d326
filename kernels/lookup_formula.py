"""Formulas of corrections: programs in postfix order, run on a small stack.

An operation is an int64: its code in the low eight bits, above them what it loads. The meaning of each is that of
correctionlib's formulas, which is C++'s; the elementary functions are :mod:`.real`'s.
"""

from __future__ import annotations

from gpuhiggs.kernels import real
from gpuhiggs.kernels.language import local, scalar

STACK = 32
"""Capacity of the stack; the compiler refuses a formula that needs more."""

LOAD = 0
"""Push a variable (operand >= 0) or a constant (~operand)."""
UNARY = (
    "negative", "abs", "sqrt", "exp", "log", "log10", "erf",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
)  # fmt: skip
"""Operations on the top of the stack, by code from 1."""
BINARY = ("+", "-", "*", "/", "^", "atan2", "max", "min", "==", "!=", ">", "<", ">=", "<=", "&&", "||")
"""Operations on the two upper entries of the stack, by code from 32."""
FIRST_UNARY, FIRST_BINARY = 1, 32


@scalar
def unary(code, x):
    """Return an operation of one value."""
    if code == 1:
        return -x
    if code == 2:
        return abs(x)
    if code == 3:
        return real.sqrt(x)
    if code == 4:
        return real.exp(x)
    if code == 5:
        return real.log(x)
    if code == 6:
        return real.log10(x)
    if code == 7:
        return real.erf(x)
    return transcendental(code, x)


@scalar
def transcendental(code, x):
    """Return a circular or hyperbolic function or an inverse of one."""
    if code == 8:
        return real.sin(x)
    if code == 9:
        return real.cos(x)
    if code == 10:
        return real.tan(x)
    if code == 11:
        return real.asin(x)
    if code == 12:
        return real.acos(x)
    if code == 13:
        return real.atan(x)
    if code == 14:
        return real.sinh(x)
    if code == 15:
        return real.cosh(x)
    if code == 16:
        return real.tanh(x)
    if code == 17:
        return real.asinh(x)
    if code == 18:
        return real.acosh(x)
    return real.atanh(x)


@scalar
def compare(code, x, y):
    """Return whether a relation holds."""
    if code == 40:
        return x == y
    if code == 41:
        return x != y
    if code == 42:
        return x > y
    if code == 43:
        return x < y
    if code == 44:
        return x >= y
    if code == 45:
        return x <= y
    if code == 46:
        return x != 0.0 and y != 0.0
    return x != 0.0 or y != 0.0


@scalar
def binary(code, x, y):
    """Return an operation of two values; a relation that holds is 1."""
    if code == 32:
        return x + y
    if code == 33:
        return x - y
    if code == 34:
        return x * y
    if code == 35:
        return x / y
    if code == 36:
        return real.pow(x, y)
    if code == 37:
        return real.atan2(x, y)
    if code == 38:
        return y if x < y else x
    if code == 39:
        return y if y < x else x
    return 1.0 if compare(code, x, y) else 0.0


@scalar
def run(tables, first, n, variables):
    """Return what the *n* operations that begin at *first* in the nodes leave on the stack."""
    stack = local(STACK)
    top = -1
    for i in range(first, first + n):
        operation = tables.nodes[i]
        code = operation & 255
        if code == LOAD:
            operand = operation >> 8
            top += 1
            stack[top] = variables[operand] if operand >= 0 else tables.values[~operand]
        elif code < FIRST_BINARY:
            stack[top] = unary(code, stack[top])
        else:
            top -= 1
            stack[top] = binary(code, stack[top], stack[top + 1])
    return stack[0]
