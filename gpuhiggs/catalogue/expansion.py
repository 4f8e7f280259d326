"""Datasets of the catalogue in a configuration: from their names to what a run needs of them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .releases import Entry, find

CATALOGUE = "catalogue"
"""The key of a dataset, and the word for a release's luminosity or its luminosity mask."""

ORIGIN = "root://eospublic.cern.ch//eos/opendata"
"""Where CERN keeps what the releases of the package list."""


def expand(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """Replace what a configuration at *path* takes from the catalogue; the rest stays as it is.

    A dataset's own keys win over the catalogue's. ``mirror`` replaces the beginning of its URLs, for files that were
    downloaded with the portal's folders below it.

    Raises
    ------
    ConfigError
        If a dataset is unknown, or its data have no common luminosity or mask.
    """
    datasets = raw.get("datasets")
    if not isinstance(datasets, list):
        return raw
    used: list[Entry] = []
    expanded: list[Any] = []
    for number, dataset in enumerate(datasets):
        if isinstance(dataset, dict) and CATALOGUE in dataset:
            found = _named(dataset, f"{path}: datasets.{number}", path.parent)
            used += found
            expanded += [_keys(entry, dataset, len(found) == 1, f"{path}: datasets.{number}") for entry in found]
        else:
            _refuse_misspelt(dataset, f"{path}: datasets.{number}")
            expanded.append(dataset)
    settings = {**raw, "datasets": expanded}
    if raw.get("luminosity") == CATALOGUE:
        settings["luminosity"] = luminosity(used, str(path))
    if raw.get("lumi_mask") == CATALOGUE:
        settings["lumi_mask"] = _mask(used, str(path))
    return settings


def _refuse_misspelt(dataset: Any, place: str) -> None:
    """Say what is meant by a key that is nearly the catalogue's: the model's own message would not know it."""
    for key in dataset if isinstance(dataset, dict) else ():
        if difflib.get_close_matches(str(key), [CATALOGUE], cutoff=0.8):
            msg = f"{place}: unknown key {key!r}; did you mean {CATALOGUE!r}?"
            raise ConfigError(msg)


def _named(dataset: dict[str, Any], place: str, base: Path) -> list[Entry]:
    try:
        return find(str(dataset[CATALOGUE]), base)
    except ConfigError as error:
        msg = f"{place}: {error}"
        raise ConfigError(msg) from error


def _keys(entry: Entry, own: dict[str, Any], alone: bool, place: str) -> dict[str, Any]:
    """Return a dataset's keys as the configuration's model has them."""
    if "name" in own and not alone:
        msg = f"{place}: {own[CATALOGUE]} is several datasets, which cannot all be named {own['name']!r}"
        raise ConfigError(msg)
    known = entry.dataset
    keys: dict[str, Any] = {"name": entry.name, "process": known.process, "kind": known.kind}
    if known.kind == "data":
        keys["primary_dataset"] = known.primary_dataset
    else:
        keys |= {"cross_section": known.cross_section, "weight_unit": known.weight_unit}
        if known.cross_section is None and "cross_section" not in own:
            msg = f"{place}: {entry.full_name} has no cross_section: {known.source}"
            raise ConfigError(msg)
        if not entry.release.weights_in_files:
            keys["sum_of_weights"] = known.sum_of_weights
    mirror = own.get("mirror", ORIGIN)
    keys["files"] = [file.url.replace(ORIGIN, str(mirror).rstrip("/"), 1) for file in entry.files]
    return keys | {key: value for key, value in own.items() if key not in (CATALOGUE, "mirror")}


def luminosity(used: list[Entry], place: str) -> float:
    """Return the luminosity of the eras that the data of a configuration were taken in; without data, of the release.

    Raises
    ------
    ConfigError
        If primary datasets were taken in different eras, or the datasets belong to different releases.
    """
    names = sorted({entry.release_name for entry in used})
    if len(names) != 1:
        there_is = ", ".join(names) or "none"
        msg = f"{place}: luminosity: expected datasets of one release, there is {there_is}; give it in fb⁻¹"
        raise ConfigError(msg)
    release = used[0].release
    eras: dict[str, set[str]] = {}
    for entry in used:
        if entry.dataset.kind == "data":
            eras.setdefault(str(entry.dataset.primary_dataset), set()).add(str(entry.dataset.era))
    if not eras:
        return release.luminosity
    common = next(iter(eras.values()))
    if any(found != common for found in eras.values()):
        each = "; ".join(f"{primary} of {', '.join(sorted(found))}" for primary, found in sorted(eras.items()))
        msg = f"{place}: luminosity: primary datasets of different eras ({each}) have no common one; give it in fb⁻¹"
        raise ConfigError(msg)
    return round(sum(release.eras[era] for era in common), 6)


def _mask(used: list[Entry], place: str) -> str | None:
    masks = {(entry.path.parent, entry.release.lumi_mask) for entry in used if entry.dataset.kind == "data"}
    if len(masks) != 1:
        msg = f"{place}: lumi_mask: expected data of one release of the catalogue"
        raise ConfigError(msg)
    where, mask = masks.pop()
    return None if mask is None else str(where / mask)
