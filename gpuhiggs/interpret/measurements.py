"""Published measurements as package data, in the project's own schema, and what may be combined with what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator

from ..config import Model
from ..errors import InputError, choices
from . import sm
from .tables import load

Array = npt.NDArray[np.float64]
View = Literal["strengths", "stxs", "production"]

PUBLISHED = ("atlas-run2", "cms-run2", "lhc-run1", "atlas-run2-80fb", "cms-run2-36fb")
ALSO_CALLED = {"run1": "lhc-run1", "atlas-cms-run1": "lhc-run1"}
"""Other names of published sets, as a user may try them."""
COMPOSITE = {
    "VH": ("WH", "ZH"),
    "tH": ("tHq", "tHW"),
    "top": ("ttH", "tHq", "tHW"),
    "inclusive": sm.MODES,
}
"""Production that is measured together: its parts weigh as their SM cross sections."""
COMPOSITE_DECAYS = {"VV": ("WW", "ZZ"), "all": sm.DECAYS}
"""Decays that are measured together; ``all`` with the branching ratios of the SM."""
INVISIBLE = "inv"
"""A decay that has no SM rate: what is measured is its branching ratio."""

Positive = Annotated[float, Field(gt=0)]


class Entry(Model):
    """One measured rate over its SM value."""

    name: str
    decay: str
    """A decay, or ``stxs``: all decays together, as the production bins are measured."""
    production: dict[str, float]
    """Share of each process in the expected signal."""
    value: float
    minus: Positive
    plus: Positive
    stat_minus: Positive | None = None
    stat_plus: Positive | None = None


class Supplement(Entry):
    """An entry that joins a fit only where the model has one of these parameters: it alone constrains them."""

    joins: tuple[str, ...]


class Bin(Model):
    """A bin of the simplified template cross sections, over its SM value."""

    name: str
    cross_section: Positive
    """SM prediction in pb."""
    value: float
    minus: Positive
    plus: Positive
    stat_minus: Positive | None = None
    stat_plus: Positive | None = None
    theory_minus: float = 0.0
    theory_plus: float = 0.0
    """Relative uncertainty of the prediction, which the errors do not contain."""


class Tables(Model):
    """The file of a set of measurements; a correlation matrix is given by the rows of its lower triangle."""

    title: str
    source: str
    sqrt_s: float
    m_h: float
    theory_in_errors: bool
    """Whether the errors contain those of the SM prediction."""
    events: tuple[str, ...]
    """What was recorded; two sets that share an item overlap."""
    strengths: tuple[Entry, ...]
    correlation: tuple[tuple[float, ...], ...]
    supplements: tuple[Supplement, ...] = ()
    production: tuple[Entry, ...] = ()
    """Cross sections by production mode, with the branching ratios of the SM."""
    production_correlation: tuple[tuple[float, ...], ...] = ()
    stxs: tuple[Bin, ...] = ()
    stxs_correlation: tuple[tuple[float, ...], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Tables:
        for name, entries, rows in (
            ("correlation", self.strengths, self.correlation),
            ("production_correlation", self.production, self.production_correlation),
            ("stxs_correlation", self.stxs, self.stxs_correlation),
        ):
            if [len(row) for row in rows] != list(range(1, len(entries) + 1)):
                msg = f"{name}: needs the lower triangle of {len(entries)} rows, row i with i numbers"
                raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Measurements:
    """Measured rates over their SM values, with their correlations.

    Attributes
    ----------
    name, title, source
        What it is called, what it is, and where the numbers come from.
    sqrt_s, m_h
        TeV and GeV: where the SM prediction is taken.
    theory_in_errors
        Whether the errors contain those of the SM prediction: no theory nuisances on top then.
    events
        What was recorded; sets that share an item overlap.
    entries
        What was measured.
    correlation
        Shape (N, N).
    supplements
        Entries that join only the models that have a parameter which they alone constrain; uncorrelated.
    theory
        Relative uncertainty of the prediction of each entry that no nuisance stands for, shape (N,).
    theory_scale
        Factor on what the theory nuisances do, for projections.
    view
        Which of a publication's tables the entries are.
    notes
        What a reader of a combination has to know of it.
    """

    name: str
    title: str
    source: str
    sqrt_s: float
    m_h: float
    theory_in_errors: bool
    events: frozenset[str]
    entries: tuple[Entry, ...]
    correlation: Array
    supplements: tuple[Supplement, ...] = ()
    theory: Array | None = None
    theory_scale: float = 1.0
    view: View = "strengths"
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> Array:
        """Measured values, shape (N,)."""
        return np.array([entry.value for entry in self.entries])

    @property
    def errors(self) -> Array:
        """Lower and upper errors, positive, shape (2, N)."""
        return np.array([[entry.minus for entry in self.entries], [entry.plus for entry in self.entries]])

    @property
    def stat_errors(self) -> Array | None:
        """Statistical errors as `errors`, None where the publication does not give them."""
        if any(entry.stat_minus is None for entry in self.entries):
            return None
        return np.array([[e.stat_minus or 0.0 for e in self.entries], [e.stat_plus or 0.0 for e in self.entries]])

    @cached_property
    def production_shares(self) -> Array:
        """Return the share of each of `sm.MODES` in the expected signal of each entry, shape (N, modes).

        Raises
        ------
        InputError
            If an entry's production has no scaling rule.
        """
        shares = np.zeros((len(self.entries), len(sm.MODES)))
        for row, entry in zip(shares, self.entries, strict=True):
            for process, share in entry.production.items():
                parts = COMPOSITE.get(process, (process,))
                self._known(entry, "production", parts, sm.MODES, (*sm.MODES, *COMPOSITE))
                sigma = np.array([sm.cross_section(mode, self.sqrt_s, self.m_h).value for mode in parts])
                row[[sm.MODES.index(mode) for mode in parts]] += share * sigma / sigma.sum()
        return shares

    @cached_property
    def decay_shares(self) -> Array:
        """Return the share of each of `sm.DECAYS`, and last of the invisible one, in each entry, shape (N, decays + 1).

        Raises
        ------
        InputError
            If an entry's decay has no scaling rule.
        """
        names = (*sm.DECAYS, INVISIBLE)
        shares = np.zeros((len(self.entries), len(names)))
        for row, entry in zip(shares, self.entries, strict=True):
            parts = COMPOSITE_DECAYS.get(entry.decay, (entry.decay,))
            self._known(entry, "decay", parts, names, (*names, *COMPOSITE_DECAYS))
            ratio = np.array([1.0 if d == INVISIBLE else sm.branching_ratio(d, self.m_h) for d in parts])
            row[[names.index(decay) for decay in parts]] = ratio / ratio.sum()
        return shares

    def _known(self, entry: Entry, what: str, parts: Sequence[str], names: Sequence[str], said: Sequence[str]) -> None:
        if unknown := [part for part in parts if part not in names]:
            msg = f"{self.name}: {entry.name}: no scaling rule for {what} {unknown[0]!r}; {choices(unknown[0], said)}"
            raise InputError(msg)

    def joined(self, parameters: Sequence[str]) -> Measurements:
        """Return the set with those supplements among its entries that constrain one of these parameters."""
        added = tuple(entry for entry in self.supplements if set(entry.joins) & set(parameters))
        n, total = len(self.entries), len(self.entries) + len(added)
        correlation = np.eye(total)
        correlation[:n, :n] = self.correlation
        theory = None if self.theory is None else np.append(self.theory, np.zeros(len(added)))
        return replace(self, entries=self.entries + added, correlation=correlation, supplements=(), theory=theory)


def read(name: str, content: dict[str, Any], view: View = "strengths", *, repair: bool = False) -> Measurements:
    """Build a set of measurements from the content of its file.

    Parameters
    ----------
    name
        What to call it in messages and results.
    content
        As `Tables` describes it.
    view
        ``stxs`` takes the bins of the simplified template cross sections, ``production`` the cross sections by
        production mode, where there are any.
    repair
        Replace a correlation matrix that is not positive definite by the nearest that is, instead of refusing it.

    Raises
    ------
    InputError
        If the content is not as described, the correlation matrix not positive definite, or the mass or energy outside
        the tables of SM predictions.
    """
    try:
        tables = Tables.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"{name}: {place}: {first['msg']} (got {first['input']!r:.80})"
        raise InputError(msg) from error
    sm.check_mass(tables.m_h)
    sm.check_energy(tables.sqrt_s)
    view = view if view != "strengths" and getattr(tables, view) else "strengths"
    entries, rows = tables.strengths, tables.correlation
    if view == "production":
        entries, rows = tables.production, tables.production_correlation
    elif view == "stxs":
        entries, rows = tuple(_as_entry(item) for item in tables.stxs), tables.stxs_correlation
    theory = None
    if view == "stxs" and not tables.theory_in_errors:
        theory = np.array([(item.theory_minus + item.theory_plus) / 2 for item in tables.stxs])
    return Measurements(
        name=name,
        title=tables.title,
        source=tables.source,
        sqrt_s=tables.sqrt_s,
        m_h=tables.m_h,
        theory_in_errors=tables.theory_in_errors,
        events=frozenset(tables.events),
        entries=entries,
        correlation=positive_definite(_full(rows), name, repair=repair),
        supplements=tables.supplements if view == "strengths" else (),
        theory=theory,
        view=view,
    )


def _as_entry(item: Bin) -> Entry:
    fields = item.model_dump(exclude={"cross_section", "theory_minus", "theory_plus"})
    return Entry(decay="stxs", production={item.name: 1.0}, **fields)


def _full(rows: Sequence[Sequence[float]]) -> Array:
    lower = np.zeros((len(rows), len(rows)))
    for position, row in enumerate(rows):
        lower[position, : position + 1] = row
    return np.tril(lower) + np.tril(lower, -1).T


def positive_definite(matrix: Array, name: str, *, repair: bool = False, floor: float = 1e-6) -> Array:
    """Return a correlation matrix that has an inverse.

    With *repair*, eigenvalues below *floor* are raised to it and the diagonal is scaled back to 1.

    Raises
    ------
    InputError
        If an element is not within [-1, 1] or the diagonal not 1; or an eigenvalue is not positive, without *repair*.
    """
    if np.any(abs(matrix) > 1.0 + 1e-9) or not np.allclose(np.diag(matrix), 1.0):
        msg = f"{name}: a correlation matrix has 1 on its diagonal and nothing outside [-1, 1]"
        raise InputError(msg)
    values, vectors = np.linalg.eigh(matrix)
    if values[0] > 1e-10:
        return matrix
    if not repair:
        msg = (
            f"{name}: the correlation matrix is not positive definite: its smallest eigenvalue is {values[0]:.3g};"
            " correct it, or allow the repair (--repair)"
        )
        raise InputError(msg)
    raised = (vectors * np.maximum(values, floor)) @ vectors.T
    scale = np.sqrt(np.diag(raised))
    return np.asarray(raised / np.outer(scale, scale))


def check_known(name: str) -> str:
    """Return the name of one of `PUBLISHED`, which may also be called as `ALSO_CALLED` says.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    name = ALSO_CALLED.get(name, name)
    if name not in PUBLISHED:
        known = choices(name, PUBLISHED)
        msg = f"unknown data {name!r}: neither a finished run's folder nor published; {known}"
        raise InputError(msg)
    return name


@cache
def published(name: str, view: View = "strengths", *, repair: bool = False) -> Measurements:
    """Return a set of `PUBLISHED` measurements.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    name = check_known(name)
    return read(name, load(name), view, repair=repair)


def check_overlap(inputs: Sequence[Measurements]) -> None:
    """Refuse a combination that counts events twice.

    Raises
    ------
    InputError
        If two of the inputs share events.
    """
    for one, other in itertools.combinations(inputs, 2):
        if shared := one.events & other.events:
            msg = f"{one.name} and {other.name} share events ({', '.join(sorted(shared))}): they cannot be combined"
            raise InputError(msg)
