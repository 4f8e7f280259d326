"""The ROOT histograms that a datacard names."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uproot

from gpuhiggs.errors import InputError
from gpuhiggs.inference.combine.card import Card
from gpuhiggs.inference.flat_model import FloatArray


class Template(NamedTuple):
    """A histogram: values, errors, edges; one bin without edges for a counting experiment."""

    values: FloatArray
    errors: FloatArray
    edges: tuple[float, ...] | None


class TemplateFiles:
    """The templates of one card; `mass` is what its $MASS stands for."""

    def __init__(self, card: Card, mass: str | None = None) -> None:
        self.card = card
        self._mass = mass

    def find(self, channel: str, process: str, systematic: str | None = None) -> Template | None:
        """Return a template, or None where the card has none: a counting experiment.

        Raises
        ------
        InputError
            The file or the histogram is missing, or the card names a RooWorkspace.
        """
        rule = self._rule(channel, process)
        if rule is None or rule[2] == "FAKE":
            return None
        names = rule[3]
        if len(names) < (1 if systematic is None else 2):
            msg = f"{self.card.source}: shapes of {process!r} in {channel!r} name no histogram for {systematic or 'it'}"
            raise InputError(msg)
        name = names[0] if systematic is None else names[1]
        for key, value in (("$CHANNEL", channel), ("$PROCESS", process), ("$SYSTEMATIC", systematic or "")):
            name = name.replace(key, value)
        if ":" in name:
            msg = f"{self.card.source}: {name!r} of {process!r} in {channel!r} is in a RooWorkspace: refused"
            raise InputError(msg)
        return self._read(self._path(rule[2]), name)

    def has(self, channel: str, process: str, systematic: str) -> bool:
        """Whether a varied template is there."""
        try:
            return self.find(channel, process, systematic + "Up") is not None
        except InputError:
            return False

    def _rule(self, channel: str, process: str) -> tuple[str, str, str, list[str]] | None:
        for c in (channel, "*"):
            for p in (process, "*"):
                for rule in reversed(self.card.shapes):
                    if rule[:2] == (p, c):
                        return rule
        return None

    def _path(self, name: str) -> Path:
        """Return where a file is: as the card says, or beside the card."""
        for path in (self.card.source.parent / name, self.card.source.parent / Path(name).name):
            if path.exists():
                return path
        msg = f"{self.card.source}: the file {name!r} of its shapes is missing"
        raise InputError(msg)

    def _read(self, path: Path, name: str) -> Template:
        histograms = _histograms(path)
        if "$MASS" in name:
            name = name.replace("$MASS", self._mass or _only_mass(path, name))
        if name not in histograms:
            msg = f"{self.card.source}: no histogram {name!r} in {path}"
            raise InputError(msg)
        return _template(path, name)


@functools.cache
def _open(path: Path) -> Any:
    return uproot.open(path)


@functools.cache
def _histograms(path: Path) -> frozenset[str]:
    return frozenset(_open(path).keys(cycle=False, filter_classname="TH1*"))


@functools.cache
def _template(path: Path, name: str) -> Template:
    histogram = _open(path)[name]
    values, variances = histogram.values(), histogram.variances()
    edges = tuple(map(float, histogram.axis().edges()))
    return Template(np.asarray(values, dtype=np.float64), np.sqrt(np.asarray(variances, dtype=np.float64)), edges)


def _only_mass(path: Path, name: str) -> str:
    """Return the mass for which there is a template, if it is one only."""
    pattern = re.compile(re.escape(name).replace(r"\$MASS", r"(\d+(?:\.\d+)?)"))
    masses = sorted({found[1] for key in _histograms(path) if (found := pattern.fullmatch(key))})
    if len(masses) != 1:
        msg = f"{path}: templates {name!r} for masses {masses or 'none'}: choose one with mass="
        raise InputError(msg)
    return masses[0]
