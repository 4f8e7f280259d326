"""Where the numbers come from: datasets, what is to be known of them, what failed, and how to make the result again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .figure import Block, Missing, Section, Table, Words
from .numbers import Column, Numbers
from .record import Record


def datasets(run: Record) -> Table:
    """Return the table of datasets."""
    parts = run.results["datasets"]

    def column(name: str, key: str) -> Column:
        return Column(name, [part[key] for part in parts.values()])

    files = [f"{part['files_complete']} of {part['files']}" for part in parts.values()]
    columns = (
        Column("dataset", list(parts), independent=True),
        column("process", "process"),
        column("kind", "kind"),
        Column("files", files),
        column("events", "events"),
        Column("sum of weights", [part["sum_of_weights"] for part in parts.values()], format=".6g"),
        column("normalised to", "normalised_to"),
    )
    return Table("datasets", "Datasets", "What was read.", Numbers(columns))


def cautions(run: Record) -> list[Block]:
    """Return what a reader of the numbers has to know, and what failed."""
    found: list[Block] = []
    if failures := run.results["failures"]:
        lines = tuple(failure["error"] for failure in failures)
        found.append(Words(lines, "Not processed: no number here counts these files", "failure"))
    for part, fit in run.results.get("fit", {}).items():
        if not fit["converged"]:
            found.append(Words(tuple(fit["notes"]), f"The {part} fit did not converge: do not trust it", "failure"))
        elif fit["problems"]:
            found.append(Words(tuple(fit["problems"]), f"The {part} fit", "warning"))
    if warnings := run.results["warnings"]:
        found.append(Words(merged(warnings, list(run.results["datasets"])), "To be known", "warning"))
    blinding = run.results.get("blinding", {})
    if blinding.get("blind"):
        found.append(Words(("Blinded: data are withheld in the signal regions.",)))
    for entry in blinding.get("unblinded", ()):
        found.append(Words((f"Unblinded on {entry['when']}: {', '.join(entry['datasets'])}.",)))
    if "fit" in run.results and "observed" not in run.results["fit"] and not blinding.get("blind"):
        found.append(Words(("There are no data in this run: only expectations are shown.",)))
    return found


def merged(warnings: Sequence[str], datasets: Sequence[str]) -> tuple[str, ...]:
    """Say once what holds for several datasets, and of several branches."""
    where: dict[str, list[str]] = {}
    for warning in warnings:
        dataset, _, text = warning.partition(": ")
        known = dataset in datasets
        where.setdefault(_IN_FILES.sub("", text) if known else warning, []).extend([dataset] if known else [])
    absent: dict[tuple[str, ...], list[str]] = {}
    lines = []
    for text, names in where.items():
        if (branch := _ABSENT.fullmatch(text)) and names:
            absent.setdefault(tuple(names), []).append(branch[1])
        else:
            lines.append(text + _places(names, datasets))
    for names_, branches in absent.items():
        lines.append(f"no {', '.join(branches)}: taken as false{_places(names_, datasets)}")
    return tuple(lines)


_IN_FILES = re.compile(r" \(in (\d+) of \1 files\)$")
_ABSENT = re.compile(r"no (\S+): taken as false")


def _places(names: Sequence[str], datasets: Sequence[str]) -> str:
    if not names:
        return ""
    everywhere = len(names) > 1 and set(names) == set(datasets)
    return " (in every dataset)" if everywhere else f" ({', '.join(names)})"


_SHOWN = 3
"""So many names stand in one line of a terminal."""


def briefly(warnings: Sequence[str], datasets: Sequence[str]) -> tuple[str, ...]:
    """Say the same in few lines: trigger paths that files do not have are counted; the report names them all."""
    found, absent = [], []
    for warning in warnings:
        dataset, _, text = warning.partition(": ")
        if dataset in datasets and (branch := _ABSENT.fullmatch(_IN_FILES.sub("", text))):
            absent.append(branch[1])
        else:
            found.append(warning)
    absent = list(dict.fromkeys(absent))
    lines = list(merged(found, datasets))
    if absent:
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        names = ", ".join(absent[:_SHOWN])
        lines.append(f"{len(absent)} trigger paths are not in all files, and taken as false there: {names}{more}")
    return tuple(lines)


def again(run: Record) -> Words:
    """Say how the result can be made again, and by which it is recognised."""
    versions = ", ".join(f"{name} {version}" for name, version in run.results["versions"].items())
    return Words(
        (
            f"SHA-256 of all sums: {run.results['digest']}; the same on any device, with any chunks and any workers.",
            f"gpuhiggs run {run.folder / 'config.yaml'} makes it again.",
            f"{versions}; {run.results['platform']}.",
        ),
        "The same result again",
    )


def missing(sections: list[Section]) -> list[Block]:
    """List what a report does not show, and why."""
    found = [
        f"{section.group + ': ' if section.group else ''}{block.title}: {block.reason}"
        for section in sections
        for block in section.blocks
        if isinstance(block, Missing)
    ]
    return [Words(tuple(found))] if found else []
