"""The background of fakes that a run has taken from its own data: yields, rates, and how the check comes out."""

from __future__ import annotations

import itertools
from typing import Any

from .figure import Block, Missing, Table, Words
from .numbers import Column, Errors, Numbers, symmetric
from .record import Record


def blocks(run: Record) -> list[Block]:
    """Return its tables; nothing where the configuration asks for no such background."""
    if (error := run.results.get("nonprompt_error")) is not None:
        return [Missing("Background from data", error)]
    found: dict[str, Any] | None = run.results.get("nonprompt")
    if found is None:
        return []
    parts: list[Block] = []
    for key, title, of in (
        ("yields", "Background from data", "category"), ("opposite_sign", "Opposite-sign method", "final state"),
        ("same_sign", "Same-sign method", "final state"), ("pairs", "Pairs of photons and jets", "origin"),
    ):  # fmt: skip
        if key in found and "value" in next(iter(_rows(found[key])), {}):
            parts.append(_table(f"nonprompt_{key}", title, of, found[key]))
    if "fake_rates" in found:
        parts.append(_rates(found["fake_rates"]))
    if "deviation" in found.get("same_sign", {}):
        parts.append(_check(found["same_sign"]))
    return parts


def _rows(rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in rows.values() if isinstance(row, dict)]


def _table(name: str, title: str, of: str, rows: dict[str, dict[str, float | None]]) -> Table:
    errors = [row["error"] for row in rows.values()]
    both = Errors(errors, [None if error is None else -error for error in errors])
    columns = (
        Column(of, [name.replace("_", " ") for name in rows], independent=True),
        Column("events", [row["value"] for row in rows.values()], errors=(both,)),
    )
    return Table(
        name, title, "Events predicted from control regions of data, with all uncertainties.", Numbers(columns)
    )


def _rates(found: dict[str, Any]) -> Table:
    edges = found["pt_edges"]
    columns = [Column("pt [GeV]", [f"{a:g}-{b:g}" for a, b in itertools.pairwise(edges)], independent=True)]
    columns += [
        Column(name, table["value"], errors=(symmetric(table["error"], "stat"),))
        for name, table in found["rates"].items()
    ]
    caption = (
        "How often a relaxed object passes the full selection, measured in this run with prompt simulation subtracted; "
        "inner and outer are in |η|."
    )
    return Table("fake_rates", "Rates of fakes", caption, Numbers(tuple(columns)))


def _check(found: dict[str, float]) -> Words:
    return Words(
        (
            f"Pairs of like charges: {found['data']:.0f} in data, {found['prompt']:.1f} of prompt simulation, "
            f"{found['predicted']:.1f} ± {found['error']:.1f} fakes predicted: {found['deviation']:+.1f} σ.",
        )
    )
