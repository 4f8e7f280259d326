"""The ROOT histograms that a datacard names."""

from __future__ import annotations

import difflib
import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uproot

from gpuhiggs.errors import InputError
from gpuhiggs.inference.combine.card import Card, ShapeRule
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

    def find(self, channel: str, process: str, systematic: str = "") -> Template | None:
        """Return a template, or None where the card has none: a counting experiment.

        Raises
        ------
        InputError
            The file or the histogram is missing, or the card names a RooWorkspace.
        """
        place = self._place(channel, process, systematic)
        if place is None:
            return None
        rule, path, name = place
        if name not in _histograms(path):
            near = difflib.get_close_matches(name, _histograms(path), n=3)
            hint = f"; near: {', '.join(near)}" if near else ""
            msg = f"{self.card.where(rule.line)}: no histogram {name!r} in {path}{hint}"
            raise InputError(msg)
        return _template(path, name)

    def has(self, channel: str, process: str, systematic: str) -> bool:
        """Whether a varied template is there: as in Combine, its upper side tells."""
        place = self._place(channel, process, systematic + "Up")
        return place is not None and place[2] in _histograms(place[1])

    def _place(self, channel: str, process: str, systematic: str) -> tuple[ShapeRule, Path, str] | None:
        """Return the rule, the file and the name of a template."""
        rule = self._rule(channel, process)
        if rule is None or rule.file == "FAKE":
            return None
        if len(rule.names) < (2 if systematic else 1):
            what = f"no histogram of {systematic}" if systematic else "no histogram"
            msg = f"{self.card.where(rule.line)}: shapes of {process!r} in {channel!r} name {what}"
            raise InputError(msg)

        def filled(text: str) -> str:
            for key, value in (("$CHANNEL", channel), ("$PROCESS", process), ("$SYSTEMATIC", systematic)):
                text = text.replace(key, value)
            return text if self._mass is None else text.replace("$MASS", self._mass)

        name = filled(rule.names[1 if systematic else 0])
        if ":" in name:
            msg = f"{self.card.where(rule.line)}: {name!r} of {process!r} in {channel!r} is in a RooWorkspace: refused"
            raise InputError(msg)
        path = self._path(rule, filled(rule.file))
        if "$MASS" in name:
            name = name.replace("$MASS", _only_mass(path, name))
        return rule, path, name

    def _rule(self, channel: str, process: str) -> ShapeRule | None:
        for c in (channel, "*"):
            for p in (process, "*"):
                for rule in reversed(self.card.shapes):
                    if (rule.process, rule.channel) == (p, c):
                        return rule
        return None

    def _path(self, rule: ShapeRule, name: str) -> Path:
        """Return where a file is: as the card says, or beside the card."""
        for path in (self.card.source.parent / name, self.card.source.parent / Path(name).name):
            if path.is_file():
                return path.resolve()
        msg = f"{self.card.where(rule.line)}: the file {name!r} is missing; looked for from {self.card.source.parent}"
        raise InputError(msg)


@functools.cache
def _open(path: Path) -> Any:
    try:
        return uproot.open(path)
    except Exception as error:  # whatever a file that is no ROOT file makes uproot stumble over
        msg = f"{path}: cannot be read as a ROOT file: {str(error).strip().splitlines()[0]}"
        raise InputError(msg) from error


@functools.cache
def _histograms(path: Path) -> frozenset[str]:
    return frozenset(_open(path).keys(cycle=False, filter_classname="TH1*"))


@functools.cache
def _template(path: Path, name: str) -> Template:
    histogram = _open(path)[name]
    values, variances = histogram.values(), histogram.variances()
    if not (np.all(np.isfinite(values)) and np.all(variances >= 0.0)):
        msg = f"{path}: histogram {name!r} has a bin that is no finite number, or a negative variance"
        raise InputError(msg)
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
