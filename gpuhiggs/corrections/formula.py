"""Formulas in correctionlib's TFormula dialect: text to a program for :mod:`gpuhiggs.kernels.lookup_formula`.

The grammar is correctionlib's, which is stricter than ROOT's: numbers are ``-1.5e-3`` (no leading ``+`` or ``.``), a
minus binds tighter than ``^`` and stands before a name, a call or a bracket, and the names of functions are those of C.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from ..kernels.lookup_formula import BINARY, FIRST_BINARY, FIRST_UNARY, LOAD, STACK, UNARY

_TOKEN = re.compile(
    r"[ \t]*(?:(?P<parameter>\[[ \t]*\d+[ \t]*\])|(?P<variable>x\[[ \t]*\d+[ \t]*\])|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>\d+(?:\.\d*)?(?:e-?\d+)?)|(?P<sign>\|\||&&|[=!<>]=|[-+*/^<>(),]))"
)
_VARIABLES = "xyzt"
_PRECEDENCE = {"||": 0, "&&": 1, "==": 2, "!=": 2, ">": 3, "<": 3, ">=": 3, "<=": 3, "-": 4, "+": 4, "/": 5, "*": 5}
_PRECEDENCE |= {"^": 6}
_ONE = {name: code for code, name in enumerate(UNARY, FIRST_UNARY)}
_TWO = {name: code for code, name in enumerate(BINARY, FIRST_BINARY)} | {"pow": FIRST_BINARY + BINARY.index("^")}
_FUNCTIONS_OF_ONE = set(UNARY) - {"negative"}
_FUNCTIONS_OF_TWO = {"pow", "atan2", "max", "min"}


class _Parser:
    """A recursive-descent parser that writes operations in postfix order."""

    def __init__(
        self,
        text: str,
        operands: Sequence[int],
        parameters: Sequence[float],
        constant: Callable[[float], int],
        names: Mapping[str, int],
    ) -> None:
        self.text, self.operands, self.parameters, self.constant = text, operands, parameters, constant
        self.names = names
        self.place = 0
        self.operations: list[int] = []
        self.size = self.largest = 0

    def refuse(self, what: str) -> NoReturn:
        msg = f"formula {self.text!r}: {what} at position {self.place + 1}"
        raise ValueError(msg)

    def peek(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.place)
        return ("end", "") if match is None else (str(match.lastgroup), match.group(str(match.lastgroup)))

    def take(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.place)
        if match is None:
            self.refuse("expected a value")
        self.place = match.end()
        return str(match.lastgroup), match.group(str(match.lastgroup))

    def expect(self, sign: str) -> None:
        if self.peek()[1] != sign:
            self.refuse(f"expected {sign!r}")
        self.take()

    def emit(self, operation: int, change: int) -> None:
        self.operations.append(operation)
        self.size += change
        self.largest = max(self.largest, self.size)

    def load(self, operand: int) -> None:
        self.emit(LOAD | operand << 8, 1)

    def expression(self, lowest: int = 0) -> None:
        self.atom()
        while (precedence := _PRECEDENCE.get(self.peek()[1], -1)) >= lowest:
            sign = self.take()[1]
            self.expression(precedence if sign == "^" else precedence + 1)
            self.emit(_TWO[sign], -1)

    def atom(self) -> None:
        kind, token = self.take()
        if token == "-":
            self.negated()
        elif kind == "number":
            self.number(token)
        else:
            self.value(kind, token)

    def negated(self) -> None:
        """Read what stands behind a minus: digits at once make a negative number, else it is an operation."""
        if self.text[self.place : self.place + 1].isdigit():
            self.number("-" + self.take()[1])
            return
        kind, token = self.take()
        if kind == "number" or token == "-":
            self.refuse("expected a name, a function or '(' behind the minus before this,")
        self.value(kind, token)
        self.emit(_ONE["negative"], 0)

    def number(self, token: str) -> None:
        largest = sys.float_info.max  # where correctionlib's own reading of numbers ends
        self.load(self.constant(min(max(float(token), -largest), largest)))

    def value(self, kind: str, token: str) -> None:
        if token == "(":
            self.expression()
            self.expect(")")
        elif kind == "parameter":
            self.parameter(int(token.strip("[] \t")))
        elif kind == "variable":
            self.variable(int(token[2:-1]))
        elif kind == "name" and token in _FUNCTIONS_OF_ONE:
            self.expect("(")
            self.expression()
            self.expect(")")
            self.emit(_ONE[token], 0)
        elif kind == "name" and token in _FUNCTIONS_OF_TWO:
            self.expect("(")
            self.expression()
            self.expect(",")
            self.expression()
            self.expect(")")
            self.emit(_TWO[token], -1)
        elif kind == "name" and token in self.names:
            self.load(self.names[token])
        elif kind == "name" and len(token) == 1 and token in _VARIABLES and not self.names:
            self.variable(_VARIABLES.index(token))
        else:
            known = f"names are {', '.join(self.names)}; " if self.names else ""
            self.refuse(f"{token!r} is no value before this; {known}functions are {', '.join(sorted(_FUNCTIONS))};")

    def parameter(self, number: int) -> None:
        if number >= len(self.parameters):
            msg = f"formula {self.text!r}: parameter [{number}] is not given, there are {len(self.parameters)}"
            raise ValueError(msg)
        self.load(self.constant(self.parameters[number]))

    def variable(self, number: int) -> None:
        if number >= len(self.operands):
            msg = f"formula {self.text!r}: variable {number + 1} is not given, there are {len(self.operands)}"
            raise ValueError(msg)
        self.load(self.operands[number])


_FUNCTIONS = _FUNCTIONS_OF_ONE | _FUNCTIONS_OF_TWO


def program(
    text: str,
    operands: Sequence[int],
    parameters: Sequence[float],
    constant: Callable[[float], int],
    names: Mapping[str, int] | None = None,
) -> list[int]:
    """Return a formula's operations in postfix order.

    Parameters
    ----------
    operands
        Of the variables x, y, z, t (x[0], x[1], …).
    parameters
        The values of [0], [1], …
    constant
        Puts a number into the tables and returns its operand.
    names
        Operands of variables by names of one's own, which then take the place of x, y, z, t.

    Raises
    ------
    ValueError
        If correctionlib's grammar does not have it, a variable or parameter is not given, or the stack is too small.
    """
    parser = _Parser(text, operands, parameters, constant, names or {})
    parser.expression()
    if parser.text[parser.place :].strip(" \t"):
        parser.refuse("expected an operator")
    if parser.largest > STACK:
        msg = f"formula {text!r} needs a stack of {parser.largest}, there are {STACK}"
        raise ValueError(msg)
    return parser.operations
