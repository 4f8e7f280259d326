"""The catalogue on the terminal: what there is, what is known of it, and whether the files agree."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console

from .. import schema
from ..catalogue.expansion import ORIGIN
from ..catalogue.releases import Entry, everything, find
from ..errors import ConfigError, GpuhiggsError
from ..read import EventFile
from ..read.opening import open_source

PER_EVENT = "sum_of_weights"
"""The branch of ATLAS Open Data that repeats the sum of weights in every event."""

GIVE_UP = 2
"""Files of a dataset that are tried when none can be reached: without a network each takes a while."""


def show_list(pattern: str) -> None:
    """Print a line for each dataset whose name contains or matches *pattern*.

    Raises
    ------
    ConfigError
        If there is none.
    """
    found = _matching(pattern)
    width = max(len(entry.full_name) for entry in found)
    lines = [f"{'dataset':{width}}  kind        process   files        GB     σ [pb]      events"]
    for entry in found:
        one = entry.dataset
        size = "-" if entry.size is None else f"{entry.size / 1e9:.2f}"
        sigma = "-" if one.cross_section is None else f"{one.cross_section:.5g}"
        events = "-" if one.events is None else str(one.events)
        name = f"{entry.full_name:{width}}  {one.kind:10}  {one.process:8}"
        lines.append(f"{name} {len(entry.files):6} {size:>9} {sigma:>10} {events:>11}")
    _console().print("\n".join(lines))


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False, markup=False)


def _matching(pattern: str) -> list[Entry]:
    found = find(pattern) if ".yaml/" in pattern else everything(pattern)
    if not found:
        msg = f"no dataset matches {pattern!r}: gpuhiggs datasets list shows all"
        raise ConfigError(msg)
    return found


def show(name: str, with_files: bool) -> None:
    """Print all that is known of datasets.

    Raises
    ------
    ConfigError
        If there is no dataset of this name.
    """
    console = _console()
    for entry in find(name):
        console.print("\n".join(_lines(entry, with_files)))


def _lines(entry: Entry, with_files: bool) -> Iterable[str]:
    yield entry.full_name
    known = entry.dataset.model_dump(exclude_defaults=True)
    record = known.pop("record", None)
    yield from (f"  {key}: {value}" for key, value in known.items())
    if record is not None:
        yield f"  record: https://opendata.cern.ch/record/{record}"
    if entry.dataset.kind == "data":
        release = entry.release
        yield f"  luminosity: {release.eras[str(entry.dataset.era)]} fb⁻¹ ({release.luminosity_source})"
    size = "" if entry.size is None else f", {entry.size / 1e9:.3f} GB"
    yield f"  files: {len(entry.files)}{size}"
    for file in entry.files if with_files else ():
        yield f"    {file.url}" + ("" if file.bytes is None else f"  {file.bytes} bytes  adler32 {file.adler32}")


class Found(NamedTuple):
    """What the files of a dataset say."""

    files: int
    events: int
    sum_of_weights: float | None
    wrong: tuple[str, ...]
    """What disagrees with the catalogue or could not be read."""


def inspect(entry: Entry, n_files: int | None, mirror: str) -> Found:
    """Open the files of a dataset, the first *n_files* of them, and compare them with the catalogue."""
    one, files = entry.dataset, entry.files[:n_files]
    events = opened = 0
    sums: list[float | None] = []
    wrong: list[str] = []
    for number, file in enumerate(files):
        if not opened and number == GIVE_UP:
            wrong.append(f"the other {len(files) - number} files were not tried")
            break
        url = file.url.replace(ORIGIN, mirror.rstrip("/"), 1)
        try:
            with EventFile(url, schema.load(entry.release.schema_).trees) as content:
                entries, weights = content.entries, _sum_of_weights(content, entry)
            source = open_source(url)
            size = source.size
            source.close()
        except (GpuhiggsError, OSError) as error:
            wrong.append(str(error) if url in str(error) else f"{url}: {error}")
            continue
        opened, events, sums = opened + 1, events + entries, [*sums, weights]
        if file.bytes is not None and size != file.bytes:
            wrong.append(f"{url}: {size} bytes, the catalogue has {file.bytes}")
    known = [value for value in sums if value is not None]
    repeated = not entry.release.weights_in_files
    total = None if not known or len(known) < len(sums) else known[0] if repeated else math.fsum(known)
    if opened == len(entry.files) and one.files_of_record is None:
        if one.events is not None and events != one.events:
            wrong.append(f"{events} events, the catalogue has {one.events}")
        wrong += _disagreement(total, one.sum_of_weights)
    elif repeated:
        wrong += _disagreement(total, one.sum_of_weights)
    return Found(opened, events, total, tuple(wrong))


def _sum_of_weights(content: EventFile, entry: Entry) -> float | None:
    if entry.dataset.kind == "data":
        return None
    if not entry.release.weights_in_files:
        if content.entries == 0 or PER_EVENT not in content.table.branches:
            return None
        return float(content.values([PER_EVENT], 0, 1)[PER_EVENT].content[0])
    return content.sum_of_weights(schema.load(entry.release.schema_))


def _disagreement(total: float | None, known: float | None) -> list[str]:
    """Compare sums of weights: files may hold them as float32."""
    if total is None or known is None or math.isclose(total, known, rel_tol=1e-6):
        return []
    return [f"the sum of weights is {total}, the catalogue has {known}"]


def check(pattern: str, n_files: int | None, mirror: str | None) -> int:
    """Open files of datasets and print what agrees and what does not; return the exit status.

    Raises
    ------
    ConfigError
        If no dataset matches.
    """
    console = _console()
    bad = 0
    for entry in _matching(pattern):
        found = inspect(entry, n_files, mirror or ORIGIN)
        weights = "" if found.sum_of_weights is None else f", Σw = {found.sum_of_weights}"
        verdict = "ok" if not found.wrong else "differs" if found.files else "not reached"
        console.print(
            f"{entry.full_name}: {verdict}: {found.files} of {len(entry.files)} files, {found.events} events{weights}"
        )
        for line in found.wrong:
            console.print(f"  {line}")
        bad += bool(found.wrong)
    return int(bad > 0)
