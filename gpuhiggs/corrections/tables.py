"""Trees of correctionlib's nodes to the flat tables of :mod:`gpuhiggs.kernels.lookup`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import correctionlib.schemav2 as schema
import numpy as np

from ..errors import ConfigError
from ..kernels import lookup, lookup_hash
from . import formula

LARGEST_KEY = 2**53
"""Integers up to here are exact in float64, in which kernels hold the inputs."""

_DISTRIBUTIONS = {"stdflat": lookup_hash.FLAT, "stdnormal": lookup_hash.STDNORMAL, "normal": lookup_hash.NORMAL}
_OPERATIONS = {"+": lookup.ADD, "*": lookup.MULTIPLY, "/": lookup.DIVIDE, "last": lookup.LAST}
_FLOWS = {"clamp": lookup.CLAMP, "wrap": lookup.WRAP, "error": lookup.OUTSIDE}


class Operand(NamedTuple):
    """Where an input's value comes from while a tree is compiled."""

    kind: str
    """``real``, ``int`` or ``string``."""
    key: str | None
    """Of a string that the configuration fixes: its value."""
    number: int | None
    """Of all else: the operand, a variable or ~place of a constant."""
    keys: tuple[str, ...] = ()
    """Of a string that varies: the variable says which of these."""


Scope = dict[str, Operand]


def number(scope: Scope, name: str, place: str) -> int:
    """Return the operand of an input that has to be a number.

    Raises
    ------
    ConfigError
        If it is a string.
    """
    operand = scope[name]
    if operand.number is None or operand.kind == "string":
        msg = f"{place}: the input {name!r} is a string, expected a number"
        raise ConfigError(msg)
    return operand.number


class Writer:
    """Writes nodes and constants, each different one once: what is equal has the same reference."""

    def __init__(self) -> None:
        self.nodes: list[int] = []
        self.values: list[float] = []
        self.slots = 0
        self.tabulated = True
        self._written: dict[tuple[Any, ...], int] = {}

    def tables(self) -> lookup.Lookup:
        """Return the tables written so far."""
        return lookup.Lookup(np.array(self.nodes or [0], np.int64), np.array(self.values or [0.0], np.float64))

    def constant(self, *values: float) -> int:
        """Return ~place of a run of constants."""
        key = ("constant", *(float(value).hex() for value in values))
        if key not in self._written:
            self._written[key] = ~len(self.values)
            self.values.extend(values)
        return self._written[key]

    def node(self, *content: int) -> int:
        """Return the reference of a node."""
        self.tabulated &= content[0] in (lookup.BINNING, lookup.CATEGORY, lookup.ERROR)
        if content not in self._written:
            self._written[content] = len(self.nodes)
            self.nodes.extend(content)
        return self._written[content]

    def error(self, code: int) -> int:
        """Return the reference of an error."""
        return self.node(lookup.ERROR, code)

    def needs(self, slots: int) -> None:
        """Note how many variables an evaluation has to make room for."""
        self.slots = max(self.slots, slots)


class Tree:
    """Compiles the nodes of one correction."""

    def __init__(self, writer: Writer, correction: schema.Correction, first_free: int) -> None:
        self.writer, self.correction, self.first_free = writer, correction, first_free
        self._compilers: dict[type, Callable[[Any, Scope, str], int]] = {
            schema.Binning: self._binning,
            schema.MultiBinning: self._multibinning,
            schema.Category: self._category,
            schema.Formula: self._formula,
            schema.FormulaRef: self._formula_reference,
            schema.Transform: self._transform,
            schema.HashPRNG: self._hashprng,
        }
        self._transforms = self._rules = 0
        writer.needs(first_free)

    def compile(self, node: Any, scope: Scope, place: str) -> int:
        """Return the reference of a node; *place* says in errors where it is.

        Raises
        ------
        ConfigError
            If the node is of a kind that kernels do not evaluate, or asks for what is not given.
        """
        if isinstance(node, float):
            return self.writer.constant(node)
        compiler = self._compilers.get(type(node))
        if compiler is None:
            known = ", ".join(sorted(kind.__name__.lower() for kind in self._compilers))
            msg = f"{place}: nodes of type {node.nodetype!r} are not supported; known: {known}"
            raise ConfigError(msg)
        return compiler(node, scope, place)

    def _outside(self, flow: Any, scope: Scope, place: str) -> tuple[int, int]:
        if isinstance(flow, str):
            return _FLOWS[flow], self.writer.error(lookup.OUT_OF_RANGE)
        return lookup.OUTSIDE, self.compile(flow, scope, f"{place}.flow")

    def _axis(self, edges: Any, operand: int) -> tuple[int, int, int, int]:
        if isinstance(edges, list):
            return operand, len(edges) - 1, 0, ~self.writer.constant(*map(float, edges))
        return operand, edges.n, 1, ~self.writer.constant(edges.low, edges.high)

    def _bins(self, node: Any, names: Sequence[str], edges: Sequence[Any], scope: Scope, place: str) -> int:
        flow, outside = self._outside(node.flow, scope, place)
        axes = [self._axis(one, number(scope, name, place)) for one, name in zip(edges, names, strict=True)]
        content = [self.compile(entry, scope, f"{place}.content[{i}]") for i, entry in enumerate(node.content)]
        return self.writer.node(lookup.BINNING, flow, outside, len(axes), *(x for axis in axes for x in axis), *content)

    def _binning(self, node: schema.Binning, scope: Scope, place: str) -> int:
        return self._bins(node, [node.input], [node.edges], scope, place)

    def _multibinning(self, node: schema.MultiBinning, scope: Scope, place: str) -> int:
        if len(node.edges) != len(node.inputs):
            msg = f"{place}: {len(node.edges)} axes for the inputs {', '.join(node.inputs)}"
            raise ConfigError(msg)
        return self._bins(node, node.inputs, node.edges, scope, place)

    def _category(self, node: schema.Category, scope: Scope, place: str) -> int:
        operand = scope[node.input]
        expected = str if operand.kind == "string" else int
        if operand.kind == "real" or any(not isinstance(item.key, expected) for item in node.content):
            msg = f"{place}: the keys of the category are not of the type of its input {node.input!r}, {operand.kind}"
            raise ConfigError(msg)
        content = {item.key: item.value for item in node.content}
        if operand.key is not None:
            return self._chosen(node, content, operand.key, scope, place)
        if operand.kind == "string":
            keys = [(i, self._chosen(node, content, key, scope, place)) for i, key in enumerate(operand.keys)]
            otherwise = self.writer.error(lookup.UNKNOWN_KEY)
        else:
            if too_large := [key for key in content if abs(int(key)) > LARGEST_KEY]:
                msg = f"{place}: the key {too_large[0]} is beyond 2⁵³, exact in float64 no more"
                raise ConfigError(msg)
            found = ((int(key), self.compile(value, scope, f"{place}[{key}]")) for key, value in content.items())
            keys = sorted(found)
            otherwise = self._default(node, scope, place)
        return self.writer.node(
            lookup.CATEGORY, operand.number or 0, len(keys), otherwise, *(k for k, _ in keys), *(r for _, r in keys)
        )

    def _default(self, node: schema.Category, scope: Scope, place: str) -> int:
        if node.default is None:
            return self.writer.error(lookup.UNKNOWN_KEY)
        return self.compile(node.default, scope, f"{place}.default")

    def _chosen(self, node: schema.Category, content: dict[Any, Any], key: str, scope: Scope, place: str) -> int:
        """Return what a known string leads to."""
        if key in content:
            return self.compile(content[key], scope, f"{place}[{key}]")
        if node.default is None:
            msg = f"{place}: unknown key {key!r} for the input {node.input!r}; known: {', '.join(map(str, content))}"
            raise ConfigError(msg)
        return self.compile(node.default, scope, f"{place}.default")

    def _program(self, node: schema.Formula, parameters: Sequence[float], scope: Scope, place: str) -> int:
        if wrong := [name for name in node.variables if scope[name].kind != "real"]:
            msg = f"{place}: formulas take real inputs, {wrong[0]!r} is {scope[wrong[0]].kind}"
            raise ConfigError(msg)
        operands = [number(scope, name, place) for name in node.variables]
        try:
            operations = formula.program(node.expression, operands, parameters, self.writer.constant)
        except ValueError as error:
            msg = f"{place}: {error}"
            raise ConfigError(msg) from error
        return self.writer.node(lookup.FORMULA, len(operations), *operations)

    def _formula(self, node: schema.Formula, scope: Scope, place: str) -> int:
        return self._program(node, node.parameters or [], scope, place)

    def _formula_reference(self, node: schema.FormulaRef, scope: Scope, place: str) -> int:
        generic = self.correction.generic_formulas or []
        if node.index >= len(generic):
            msg = f"{place}: formularef {node.index}, but there are {len(generic)} generic formulas"
            raise ConfigError(msg)
        return self._program(generic[node.index], node.parameters, scope, place)

    def _transform(self, node: schema.Transform, scope: Scope, place: str) -> int:
        operand = scope[node.input]
        number(scope, node.input, place)
        slot = self.first_free + self._transforms
        self._rules += 1
        if self._rules > lookup.RULES:
            msg = f"{place}: more than {lookup.RULES} transforms are rules of one another"
            raise ConfigError(msg)
        rule = self.compile(node.rule, scope, f"{place}.rule")
        self._rules -= 1
        self._transforms += 1
        self.writer.needs(slot + 1)
        content = self.compile(node.content, scope | {node.input: operand._replace(number=slot)}, f"{place}.content")
        self._transforms -= 1
        return self.writer.node(lookup.TRANSFORM, slot, int(operand.kind == "int"), rule, content)

    def _hashprng(self, node: schema.HashPRNG, scope: Scope, place: str) -> int:
        entries = [2 * number(scope, name, place) + int(scope[name].kind == "int") for name in node.inputs]
        return self.writer.node(lookup.RANDOM, _DISTRIBUTIONS[node.distribution], len(entries), *entries)


def compound(
    writer: Writer,
    node: schema.CompoundCorrection,
    corrections: Mapping[str, schema.Correction],
    scope: Scope,
    first_free: int,
    place: str,
) -> int:
    """Return the reference of a compound correction.

    Raises
    ------
    ConfigError
        If a part of it, or one of its inputs, is not there.
    """
    copies: list[int] = []
    updates: list[int] = []
    for name in node.inputs_update:
        if name not in scope or scope[name].kind != "real":
            msg = f"{place}: inputs_update: {name!r} is none of its real inputs"
            raise ConfigError(msg)
        slot = first_free + len(updates)
        copies += [number(scope, name, place), slot]
        updates.append(slot)
        scope = scope | {name: scope[name]._replace(number=slot)}
    free = first_free + len(updates)
    writer.needs(free)
    parts = []
    for name in node.stack:
        part = corrections.get(name)
        if part is None:
            msg = f"{place}: its part {name!r} is not in the file"
            raise ConfigError(msg)
        if missing := [variable.name for variable in part.inputs if variable.name not in scope]:
            msg = f"{place}: its part {name!r} has the input {missing[0]!r}, which {place} has not"
            raise ConfigError(msg)
        parts.append(Tree(writer, part, free).compile(part.data, scope, f"{place}/{name}"))
    return writer.node(
        lookup.COMPOUND, _OPERATIONS[node.input_op], _OPERATIONS[node.output_op],
        len(copies) // 2, len(updates), len(parts), *copies, *updates, *parts,
    )  # fmt: skip
