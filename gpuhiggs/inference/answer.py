"""What a fit answered: the results that were asked for, as objects, as JSON and as a page of text."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpuhiggs.errors import InputError
from gpuhiggs.inference.closure import Closure
from gpuhiggs.inference.compatibility import Compatibility
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import Estimate, FitResult
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.goodness import GoodnessOfFit
from gpuhiggs.inference.impacts import Budget, Impact
from gpuhiggs.inference.model import Workspace
from gpuhiggs.inference.posterior import Posterior
from gpuhiggs.inference.scan import Scan2DResult, ScanResult
from gpuhiggs.inference.significance import DiscoveryResult, LimitResult
from gpuhiggs.inference.smoothing import Treated
from gpuhiggs.inference.toy_tests import ToyTest
from gpuhiggs.inference.unfolding import Unfolded

SHOWN = 10
"""Impacts on the page of text; all are in the JSON."""


@dataclass
class Answer:
    """A fit and what follows from it; None, or empty, is what was not asked for or cannot be said (`notes` say why)."""

    workspace: Workspace
    model: FlatModel
    data: Data
    best: FitResult
    is_observed: bool
    """Whether the data are those that were observed; else they are an Asimov data set."""
    notes: list[str] = field(default_factory=list)
    is_well: bool = True
    """Whether everything that was asked for is there."""
    discovery: DiscoveryResult | None = None
    limit: LimitResult | None = None
    toy_test: ToyTest | None = None
    goodness: GoodnessOfFit | None = None
    scans: dict[str, ScanResult | Scan2DResult] = field(default_factory=dict)
    impacts: dict[str, tuple[Impact, ...]] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    compatibility: Compatibility | None = None
    posterior: Posterior | None = None
    closure: Closure | None = None
    unfolded: Unfolded | None = None
    treated: tuple[Treated, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: keys that are always there, and those of what is asked for more rarely."""
        limits = None if self.limit is None else self.limit.to_json()
        if limits is not None and self.toy_test is not None:
            limits["toys"] = self.toy_test.to_json()
        form = {
            "parameters": self.best.to_json()["parameters"],
            "nll": self.best.nll,
            "converged": self.best.converged,
            "significance": None if self.discovery is None else self.discovery.significance,
            "p_value": None if self.discovery is None else self.discovery.p_value,
            "limits": limits,
            "goodness_of_fit": None if self.goodness is None else self.goodness.to_json(),
            "scans": {text: scan.to_json() for text, scan in self.scans.items()} or None,
            "impacts": {name: [one.to_json() for one in found] for name, found in self.impacts.items()} or None,
            "budget": {name: one.to_json() for name, one in self.budgets.items()} or None,
        }
        for name in ("compatibility", "posterior", "closure", "unfolded"):
            found = getattr(self, name)
            if found is not None:
                form[name] = found.to_json()
        if self.treated is not None:
            form["treated"] = [one.to_json() for one in self.treated]
        return form

    def to_text(self) -> str:
        """Return the page of text."""
        lines = [f"{name} = {_interval(self.best.parameters[name])}" for name in self.model.pois]
        lines.append(f"-ln L = {self.best.nll:.6f}" + ("" if self.best.converged else "   NOT CONVERGED"))
        if self.discovery is not None:
            lines.append(f"significance {self.discovery.significance:.3f} σ   p-value {self.discovery.p_value:.4g}")
        if self.limit is not None:
            lines.append(_limit(self.limit, self.toy_test))
        if self.goodness is not None:
            lines.append(_goodness(self.goodness))
        if self.compatibility is not None:
            lines += _compatibility(self.compatibility)
        if self.closure is not None:
            lines.append(_closure(self.closure))
        if self.posterior is not None:
            lines += _posterior(self.posterior, self.model.pois)
        if self.unfolded is not None:
            lines += _unfolded(self.unfolded)
        for name, shares in self.budgets.items():
            parts = {**shares.groups, "statistical": shares.statistical}
            lines += [f"  {name}: {group:<20} {minus:+.4g} {plus:+.4g}" for group, (minus, plus) in parts.items()]
        for name, found in self.impacts.items():
            lines += [f"  {name}: {i.name:<30} {i.down:+.4g} {i.up:+.4g}" for i in found[:SHOWN]]
        if self.treated is not None:
            lines += _treated(self.treated)
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def check_output(file: Path | None, folder: Path | None) -> None:
    """Refuse, before anything is fitted, a file or folder that could not be written.

    Raises
    ------
    InputError
        The file's folder is none, or the folder cannot be made.
    """
    if file is not None and not file.resolve().parent.is_dir():
        msg = f"{file}: cannot be written: there is no folder {file.parent}"
        raise InputError(msg)
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{folder}: cannot be made: {error.strerror}"
            raise InputError(msg) from error


def write_json(form: Mapping[str, Any], path: Path) -> None:
    """Write the JSON form; NaN and infinity become null. Nothing half-written is left.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    text = json.dumps(_plain(form), indent=2, allow_nan=False)
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
            file.write(text + "\n")
        Path(file.name).chmod(0o644)
        os.replace(file.name, path)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror}"
        raise InputError(msg) from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _interval(estimate: Estimate) -> str:
    error = "" if math.isnan(estimate.error) else f" ± {estimate.error:.4g}"
    sides = ""
    if estimate.minus is not None and estimate.plus is not None:
        sides = f"  {estimate.minus:+.4g} {estimate.plus:+.4g}"
    return f"{estimate.value:.5g}{error}{sides}"


def _limit(limit: LimitResult, toys: ToyTest | None) -> str:
    expected = " ".join("-" if value is None else f"{value:.4g}" for value in limit.expected)
    seen = "none" if limit.observed is None else f"{limit.observed:.5g}"
    text = f"95 % CLs limit {seen}   expected {expected}   CLs({limit.test.value:g}) {limit.test.cls:.6g}"
    return text if toys is None or toys.cls is None else f"{text}, {toys.cls:.4g} with toys"


def _goodness(found: GoodnessOfFit) -> str:
    p = found.p_value if found.p_toys is None else found.p_toys
    text = "" if p is None else f"   p-value {p:.4g}"
    return f"{found.measure} {found.statistic:.5g} / {found.degrees}{text}"


def _compatibility(found: Compatibility) -> list[str]:
    first = f"channels: χ² {found.statistic:.4f} / {found.degrees}   p-value {found.p_value:.4g}"
    shared = set(found.common.parameters)
    own = {name: e for name, e in found.separate.parameters.items() if name not in shared}
    return [first, *(f"  {name} = {_interval(estimate)}" for name, estimate in own.items())]


def _closure(found: Closure) -> str:
    return (
        f"{found.n} toys with {found.parameter} = {found.truth:g}: pulls {found.mean:+.3f} ± {found.mean_error:.3f}, "
        f"width {found.width:.3f}, bias {found.bias:+.3f} σ, coverage {100 * found.coverage:.1f} %, "
        f"{found.n_failed} failed"
    )


def _posterior(found: Posterior, pois: Sequence[str]) -> list[str]:
    lines = []
    for name in [name for name in pois if name in found.names]:
        low, high = found.interval(name)
        k = found.names.index(name)
        lines.append(
            f"posterior of {name}: 68 % in [{low:.4g}, {high:.4g}], 95 % below {found.upper_limit(name):.4g}; prior "
            f"{found.priors[name]}; R̂ {found.r_hat[k]:.4f}, {found.effective[k]:.0f} effective draws"
        )
    return lines


def _unfolded(found: Unfolded) -> list[str]:
    rows = zip(found.names, found.values, found.minus, found.plus, found.predicted, strict=True)
    return [
        f"  {name}: {value:.4g} {minus:+.4g} {plus:+.4g}   predicted {p:.4g}" for name, value, minus, plus, p in rows
    ]


def _treated(found: Sequence[Treated]) -> list[str]:
    actions = [one.action for one in found]
    parts = [f"{actions.count(action)} {action}" for action in dict.fromkeys(actions)]
    return [f"templates: {', '.join(parts) or 'nothing to do'}"]
