"""Cuts: from the configuration's tree to the NamedTuple that a kernel declares, every value checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError, choices
from ..kernels.language import Range, fields, is_tuple_type, leaf_kind


def build_cuts(tuple_type: type, values: Any, place: str, given: Mapping[str, Any] | None = None) -> Any:
    """Build a kernel's NamedTuple of cuts from the configuration's tree; every cut must be there.

    Parameters
    ----------
    given
        Fields that do not come from the configuration.

    Raises
    ------
    ConfigError
        If a cut is unknown, missing, no number, or out of its range.
    """
    given = given or {}
    hints = {name: hint for name, hint in fields(tuple_type).items() if name not in given}
    if not isinstance(values, dict):
        msg = f"{place}: expected the cuts {', '.join(hints)}, got {values!r}"
        raise ConfigError(msg)
    for key in values:
        if key not in hints:
            msg = f"{place}: unknown key {key!r}; {choices(key, hints)}"
            raise ConfigError(msg)
    built = dict(given)
    for name, hint in hints.items():
        if name not in values:
            msg = f"{place}: {name} is missing"
            raise ConfigError(msg)
        if is_tuple_type(hint):
            built[name] = build_cuts(hint, values[name], f"{place}.{name}")
        else:
            built[name] = _cut(values[name], *leaf_kind(hint), f"{place}.{name}")
    return tuple_type(**built)


def _cut(value: Any, kind: type, allowed: Range | None, place: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)) or value != value:
        msg = f"{place}: expected {'a whole number' if kind is int else 'a number'}, got {value!r}"
        raise ConfigError(msg)
    if allowed and not allowed.low <= value <= allowed.high:
        msg = f"{place}: expected a value between {allowed.low} and {allowed.high}, got {value}"
        raise ConfigError(msg)
    return float(value) if kind is float else int(value)
