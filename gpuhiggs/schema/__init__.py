"""Schemas: which branch of which file format holds a column.

A schema is a YAML file of the package. For each column it names the branch, or the branches of the format's versions
in order of preference; ``scale`` converts units to GeV and cm; ``simulation: true`` marks what data do not have;
``absent`` is the value where a version of the format has no such branch, with the reason beside it.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..errors import ConfigError, choices

NAMES = ("nanoaod", "atlas-open-data-2020", "atlas-open-data-2025")


class Branch(BaseModel):
    """Where one column comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branches: tuple[str, ...]
    scale: float = 1.0
    simulation: bool = False
    absent: int | float | None = None
    reason: str = ""


class Schema(BaseModel):
    """The branches of one file format, by collection and field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    trees: tuple[str, ...]
    """Names that the tree of events may have."""
    collections: dict[str, dict[str, Branch]]
    runs: str | None = None
    """The tree with one entry a run, which has the sums of weights."""
    sections: str | None = None
    """The tree with one entry a luminosity section."""
    sum_of_weights: tuple[str, ...] = Field(default=())
    """Its branches, in order of preference."""

    @field_validator("collections", mode="before")
    @classmethod
    def _short_forms(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Accept a name or a list of names where nothing else is to be said of a branch."""
        return {
            collection: {field: _spelled_out(entry) for field, entry in columns.items()}
            for collection, columns in value.items()
        }

    def branch(self, collection: str, field: str) -> Branch:
        """Return where a column comes from.

        Raises
        ------
        ConfigError
            If the schema has no such column.
        """
        columns = self.collections.get(collection)
        if columns is None or field not in columns:
            known = ", ".join(sorted(self.collections if columns is None else columns))
            msg = f"schema {self.name}: no column {collection}.{field}; known: {known}"
            raise ConfigError(msg)
        return columns[field]


def _spelled_out(entry: Any) -> Any:
    if isinstance(entry, str):
        return {"branches": [entry]}
    if isinstance(entry, list):
        return {"branches": entry}
    if isinstance(entry.get("branches"), str):
        return {**entry, "branches": [entry["branches"]]}
    return entry


@functools.cache
def load(name: str) -> Schema:
    """Load a schema of the package by name.

    Raises
    ------
    ConfigError
        If there is no schema of this name.
    """
    if name not in NAMES:
        msg = f"unknown schema {name!r}; {choices(name, NAMES)}"
        raise ConfigError(msg)
    text = (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
    return Schema.model_validate({"name": name, **yaml.safe_load(text)})
