"""``gpuhiggs fit PEAK.yaml``: a peak on a smooth background, with the choice of its function profiled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2, norm

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.parametric.bias import Bias, bias
from gpuhiggs.inference.parametric.choice import Choice, Spectra, profile
from gpuhiggs.inference.parametric.declaration import PeakModel, read

POINTS, WIDTHS = 25, 3.0
STEPS = 8
"""Steps at most towards the end of an interval, which is found to 1 % of its length."""


@dataclass(frozen=True)
class Scan:
    """-2 ln L of a parameter, functions and everything else profiled; `functions` are the best ones at each value."""

    parameter: str
    values: FloatArray
    twice_nll: FloatArray
    functions: list[dict[str, str]]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "parameter": self.parameter,
            "values": self.values.tolist(),
            "twice_nll": self.twice_nll.tolist(),
            "converged": np.isfinite(self.twice_nll).tolist(),
            "functions": self.functions,
        }


class Goodness(NamedTuple):
    """Baker and Cousins' statistic of the best functions, and its p-value of the χ² distribution."""

    statistic: float
    degrees: int
    p_value: float | None


@dataclass
class PeakAnswer:
    """The best choice of functions and what follows from it."""

    model: PeakModel
    spectra: Spectra
    best: Choice
    intervals: dict[str, tuple[float | None, float | None]]
    """Of mu and the mass: minus (negative) and plus, functions profiled."""
    significance: float | None
    goodness: Goodness
    scans: dict[str, Scan] = field(default_factory=dict)
    closure: dict[str, Bias] | None = None
    """By the family of the background that toys were drawn from."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether everything that was asked for is there."""
        return not self.notes and all(np.all(np.isfinite(scan.twice_nll)) for scan in self.scans.values())

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the keys of every fit, and ``functions``."""
        fit = self.best.fit
        estimates = {
            name: dict(zip(
                ("value", "error", "minus", "plus"),
                (value, fit.errors[name], *self.intervals.get(name, (None, None))), strict=True,
            ))
            for name, value in fit.values.items()
        }  # fmt: skip
        form = {
            "parameters": estimates,
            "nll": fit.nll,
            "converged": fit.converged,
            "significance": self.significance,
            "p_value": None if self.significance is None else float(norm.sf(self.significance)),
            "limits": None,
            "goodness_of_fit": {"measure": "saturated", **self.goodness._asdict(), "p_toys": None, "n_toys": 0},
            "scans": {text: scan.to_json() for text, scan in self.scans.items()} or None,
            "impacts": None,
            "budget": None,
            "functions": {
                name: {
                    "best": self.best.functions[name].name,
                    "peak": asdict(category.peak),
                    "signal": category.signal,
                    "tests": {
                        family: {
                            "chosen": test.chosen.name,
                            "steps": [{"order": o, "nll": nll, "p_value": p} for o, nll, p in test.steps],
                        }
                        for family, test in self.model.tests[name].items()
                    },
                }
                for name, category in ((c.name, c) for c in self.model.categories)
            },
        }
        if self.closure is not None:
            form["closure"] = {family: one.to_json() for family, one in self.closure.items()}
        return form

    def to_text(self) -> str:
        """Return the page of text."""
        lines = []
        for name, unit in (("mu", ""), ("mass", " GeV")):
            value, error = self.best.fit.values[name], self.best.fit.errors[name]
            minus, plus = self.intervals.get(name, (None, None))
            sides = "" if minus is None or plus is None else f"  {minus:+.4g} {plus:+.4g}"
            lines.append(
                f"{name} = {value:.6g}{unit}" + (f" ± {error:.4g}{sides}" if name in self.intervals else " (held)")
            )
        lines.append(f"-ln L = {self.best.fit.nll:.6f}")
        if self.significance is not None:
            lines.append(f"significance {self.significance:.3f} σ   p-value {norm.sf(self.significance):.4g}")
        p = "" if self.goodness.p_value is None else f"   p-value {self.goodness.p_value:.4g}"
        lines.append(f"saturated {self.goodness.statistic:.5g} / {self.goodness.degrees}{p}")
        for name, functions in self.spectra.candidates.items():
            others = ", ".join(f.name for f in functions if f != self.best.functions[name])
            lines.append(f"  {name}: {self.best.functions[name].name}   (of {others or 'one'})")
        for family, one in (self.closure or {}).items():
            lines.append(
                f"  {one.n} toys of {family} with mu = {one.truth:g}: pulls {one.mean:+.3f} ± {one.mean_error:.3f}, "
                f"width {one.width:.3f}, {one.n_failed} failed"
            )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def run(
    path: Path, *, scan: Sequence[str] = (), settings: Mapping[str, float], freeze: Sequence[str], closure: int = 0,
    seed: int = 1,
) -> PeakAnswer:  # fmt: skip
    """Fit the strength and the mass of a declared peak.

    Parameters
    ----------
    scan
        ``mu`` or ``mass``, alone or with ``=LOW:HIGH:POINTS``.
    settings, freeze
        Values by name, and names of parameters that are held: at these, or where they start.
    closure, seed
        Toys of each family of backgrounds, with the strength of `settings`, or 1; and their seed.

    Raises
    ------
    InputError
        As `declaration.read`; a name is no parameter of the peak.
    RunError
        No choice of functions could be fitted.
    """
    grids = {text: _grid(text) for text in scan}
    model = read(path)
    spectra = Spectra(model.categories, model.candidates, model.nuisances, model.config.mass)
    shared = ("mu", "mass", *(nuisance.name for nuisance in model.nuisances))
    if unknown := [name for name in (*settings, *freeze) if name not in shared]:
        msg = f"{path}: no parameter {', '.join(unknown)}; known: {', '.join(shared)}"
        raise InputError(msg)
    if useless := [name for name in settings if name not in freeze and not (closure and name == "mu")]:
        msg = f"--set {', '.join(useless)}: of a peak it says where parameters are held, which --freeze names"
        raise InputError(msg)
    starts = {"mu": 1.0, "mass": model.config.mass}
    held = {name: settings.get(name, starts.get(name, 0.0)) for name in freeze}
    best = spectra.choose(fixed=held)
    notes: list[str] = []
    intervals = {n: _interval(spectra, best, n, held, notes) for n in ("mu", "mass") if n not in held}
    answer = PeakAnswer(
        model, spectra, best, intervals, _significance(spectra, best, held), _goodness(spectra, best, held)
    )
    for text, (name, grid) in grids.items():
        points = _around(best, name) if grid is None else grid
        answer.scans[text] = Scan(name, points, *profile(spectra, best, name, points, _others(held, name)))
    answer.notes = notes
    if closure:
        generator = np.random.default_rng(seed)
        answer.closure = bias(spectra, best, closure, generator, held, settings.get("mu", 1.0))
    return answer


def _others(held: Mapping[str, float], name: str) -> dict[str, float]:
    return {other: value for other, value in held.items() if other != name}


def _grid(text: str) -> tuple[str, FloatArray | None]:
    name, sign, grid = text.partition("=")
    try:
        low, high, n = grid.split(":") if sign else ("0", "1", "2")
        points = np.linspace(float(low), float(high), int(n))
    except ValueError:
        points = np.zeros(0)
    if name not in ("mu", "mass") or len(points) < 2 or not points[0] < points[-1]:
        msg = f"scan {text!r}, expected mu or mass, or one of them with =LOW:HIGH:POINTS"
        raise InputError(msg)
    return name, points if sign else None


def _around(best: Choice, name: str) -> FloatArray:
    value, error = best.fit.values[name], best.fit.errors[name]
    return np.linspace(value - WIDTHS * error, value + WIDTHS * error, POINTS)


def _interval(
    spectra: Spectra, best: Choice, name: str, held: Mapping[str, float], notes: list[str]
) -> tuple[float | None, float | None]:
    """Return the ends of the 68 % interval, functions profiled: where -2 ln L has risen by 1."""
    sides: list[float | None] = []
    for sign in (-1.0, 1.0):
        length, known = best.fit.errors[name], {0.0: 0.0}
        for _ in range(STEPS):
            try:
                point = spectra.choose(fixed={**held, name: best.fit.values[name] + sign * length}, start=best)
            except RunError as error:
                notes.append(f"no end of the interval of {name}: {error}")
                known = {}
                break
            known[length] = math.sqrt(max(2.0 * (point.penalised - best.penalised), 0.0))
            below = max((x for x, root in known.items() if root <= 1.0), default=0.0)
            above = min((x for x, root in known.items() if root > 1.0), default=None)
            if above is None:
                length *= 1.0 / max(known[length], 0.5) + 0.02
                continue
            found = below + (1.0 - known[below]) / (known[above] - known[below]) * (above - below)
            if abs(found - length) < 0.01 * found:
                length = found
                break
            length = found
        sides.append(sign * length if known else None)
    return sides[0], sides[1]


def _significance(spectra: Spectra, best: Choice, held: Mapping[str, float]) -> float | None:
    """Return √q₀ at the mass that was fitted or is held."""
    if "mu" in held:
        return None
    without = spectra.choose(fixed={**held, "mu": 0.0, "mass": best.fit.values["mass"]}, start=best)
    q0 = 2.0 * (without.penalised - best.penalised) if best.fit.values["mu"] > 0.0 else 0.0
    return math.sqrt(max(q0, 0.0))


def _goodness(spectra: Spectra, best: Choice, held: Mapping[str, float]) -> Goodness:
    model = spectra.model(best.functions)
    values = np.array([best.fit.values[name] for name in model.names])
    statistic = 0.0
    for category, (signal, background) in zip(model.categories, model.rates(values), strict=True):
        n, nu = category.counts, signal + background
        statistic += 2.0 * float((nu - n + n * np.log(np.where(n > 0.0, n / nu, 1.0))).sum())
    free = len(model.names) - len(model.nuisances) - len(set(held) & {"mu", "mass"})
    degrees = sum(len(category.counts) for category in model.categories) - free
    return Goodness(statistic, degrees, float(chi2.sf(statistic, degrees)) if degrees > 0 else None)
