"""Public releases of data as the package knows them: a YAML file each, and a list of files beside it.

Every number has its source in the YAML file. The list gives for each dataset the folder and then one file a line, with
its size and Adler-32 where the portal says them.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import math
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from ..config import Model, read_yaml, validate
from ..errors import ConfigError, choices


class File(NamedTuple):
    """One file of a dataset."""

    url: str
    bytes: int | None
    adler32: str | None


class Dataset(Model):
    """One dataset of a release."""

    kind: Literal["data", "simulation"]
    process: str
    """What it is drawn and fitted as, unless the configuration says otherwise."""
    title: str
    """Its name in the experiment."""
    record: int | None = None
    """Of the CERN Open Data portal: https://opendata.cern.ch/record/…"""
    doi: str | None = None
    dsid: int | None = None
    """Of ATLAS simulation: its number."""
    primary_dataset: str | None = None
    era: str | None = None
    """Of data: the part of the release's luminosity that it was taken in."""
    events: int | None = Field(default=None, ge=0)
    """Of all files of the record."""
    cross_section: float | None = Field(default=None, gt=0)
    """Of simulation, in pb, branching ratio and filter efficiency included; null: none is known."""
    source: str | None = None
    """Where the cross section comes from."""
    sum_of_weights: float | None = None
    """Of simulation: over all files of the record."""
    weight_unit: float = Field(default=1.0, gt=0)
    files_of_record: int | None = None
    """How many files the record has, if not all of them are listed."""
    note: str | None = None
    """What one has to know before using it."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "data":
            if self.cross_section is not None or self.sum_of_weights is not None:
                msg = "data have no cross_section and no sum_of_weights"
                raise ValueError(msg)
            if self.era is None or self.primary_dataset is None:
                msg = "data need an era and a primary_dataset"
                raise ValueError(msg)
        elif "cross_section" not in self.model_fields_set or self.source is None:
            msg = "simulation needs a cross_section (or null) and its source"
            raise ValueError(msg)
        if self.sum_of_weights is not None and not self.sum_of_weights > 0:
            msg = f"sum_of_weights must be positive, got {self.sum_of_weights}"
            raise ValueError(msg)
        return self


class Release(Model):
    """A release of data: datasets that belong together, and the luminosity of its data."""

    title: str
    luminosity: float = Field(gt=0)
    """Integrated luminosity of all its eras, fb⁻¹."""
    luminosity_source: str
    eras: dict[str, float]
    """Integrated luminosity of each era, fb⁻¹."""
    schema_: str = Field(alias="schema")
    weights_in_files: bool
    """Whether each file says its own sum of weights, which then is what counts."""
    lumi_mask: str | None = None
    """The file beside it that lists certified luminosity sections; none: all events are certified."""
    datasets: dict[str, Dataset] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not math.isclose(sum(self.eras.values()), self.luminosity, rel_tol=1e-3):
            msg = f"the eras add up to {sum(self.eras.values()):g} fb⁻¹, luminosity is {self.luminosity:g}"
            raise ValueError(msg)
        for name, dataset in self.datasets.items():
            if dataset.kind == "data" and dataset.era not in self.eras:
                msg = f"{name}: no luminosity for the era {dataset.era!r}; there is {', '.join(self.eras)}"
                raise ValueError(msg)
            if dataset.kind == "simulation" and not self.weights_in_files and dataset.sum_of_weights is None:
                msg = f"{name}: simulation without a sum_of_weights, which its files do not say"
                raise ValueError(msg)
        return self


class Entry(NamedTuple):
    """A dataset of a release by name."""

    path: Path
    """The YAML file of the release."""
    release_name: str
    release: Release
    name: str
    files: tuple[File, ...]

    @property
    def full_name(self) -> str:
        """The name that a configuration uses."""
        return f"{self.release_name}/{self.name}"

    @property
    def dataset(self) -> Dataset:
        """What is known of it."""
        return self.release.datasets[self.name]

    @property
    def size(self) -> int | None:
        """Bytes of all its files, if they are known."""
        sizes = [file.bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


def folder() -> Path:
    """Return where the releases of the package are."""
    return Path(str(resources.files(__name__.rpartition(".")[0])))


def release_names() -> list[str]:
    """Return the names of the releases of the package."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


@functools.cache
def load(path: Path) -> tuple[Release, dict[str, tuple[File, ...]]]:
    """Read a release, the package's or a user's own, and its list of files.

    Raises
    ------
    ConfigError
        If a key, a number or a line is wrong, or a dataset has no file.
    """
    release = validate(Release, read_yaml(path), str(path))
    files = _files(path.with_suffix(".files.txt"))
    if odd := sorted(set(files) ^ set(release.datasets)):
        msg = f"{path}: {', '.join(odd)}: either without files or without an entry"
        raise ConfigError(msg)
    return release, files


def _files(path: Path) -> dict[str, tuple[File, ...]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    found: dict[str, list[File]] = {}
    name = where = ""
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0] == "#":
            continue
        if len(words) != 3 or (words[0] != "=" and not name):
            msg = f"{path}, line {number}: expected '= dataset folder/' or 'name bytes adler32', got {line!r}"
            raise ConfigError(msg)
        if words[0] == "=":
            _, name, where = words
        else:
            size = None if words[1] == "-" else int(words[1])
            found.setdefault(name, []).append(File(where + words[0], size, None if words[2] == "-" else words[2]))
    return {key: tuple(files) for key, files in found.items()}


def entries(release_name: str, base: Path) -> Iterator[Entry]:
    """Yield the datasets of a release of the package, or of a user's own whose name ends in ``.yaml``.

    Raises
    ------
    ConfigError
        If there is no such release.
    """
    if release_name.endswith((".yaml", ".yml")):
        path = base / release_name
    else:
        path = folder() / f"{release_name}.yaml"
        if release_name not in release_names():
            known = choices(release_name, [*release_names(), "or a path that ends in .yaml"])
            msg = f"unknown release {release_name!r}; {known}"
            raise ConfigError(msg)
    release, files = load(path)
    for name in release.datasets:
        yield Entry(path, release_name, release, name, files[name])


def find(name: str, base: Path = Path()) -> list[Entry]:
    """Return the datasets whose name ``release/dataset`` is, or matches, *name*.

    Raises
    ------
    ConfigError
        If there is none.
    """
    release_name, slash, pattern = name.rpartition("/")
    if not slash:
        msg = f"{name!r} names no dataset: expected release/dataset; releases are {', '.join(release_names())}"
        raise ConfigError(msg)
    known = list(entries(release_name, base))
    found = [entry for entry in known if fnmatch.fnmatchcase(entry.name, pattern)]
    if not found:
        near = difflib.get_close_matches(pattern, [entry.name for entry in known], n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        msg = f"{release_name} has no dataset {pattern!r}{hint} (gpuhiggs datasets list {release_name}/)"
        raise ConfigError(msg)
    return found


def everything(pattern: str = "") -> list[Entry]:
    """Return the package's datasets whose full name contains or matches a pattern."""
    every = [entry for name in release_names() for entry in entries(name, folder())]
    if any(sign in pattern for sign in "*?["):
        return [entry for entry in every if fnmatch.fnmatchcase(entry.full_name, pattern)]
    return [entry for entry in every if pattern in entry.full_name]
