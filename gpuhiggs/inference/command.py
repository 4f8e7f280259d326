"""``gpuhiggs fit``: from a workspace or datacards to a page of numbers."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpuhiggs.errors import GpuhiggsError, InputError, RunError
from gpuhiggs.inference import combine
from gpuhiggs.inference.data import Data, asimov, observed
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.goodness import MEASURES, Measure, goodness_of_fit
from gpuhiggs.inference.impacts import budget, impacts
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.model import ParameterSetting, Workspace, load_workspace
from gpuhiggs.inference.pyhf_json import from_pyhf
from gpuhiggs.inference.pyhf_patch import patched
from gpuhiggs.inference.scan import grid_around, profile_scan, profile_scan_2d
from gpuhiggs.inference.significance import discovery, upper_limit
from gpuhiggs.inference.toy_tests import toy_test

SCAN_POINTS, GRID_POINTS = 41, 31


class Options(NamedTuple):
    """What is asked of a fit; the command's help describes each."""

    poi: tuple[str, ...] = ()
    scan: tuple[str, ...] = ()
    toys: int = 0
    asimov: bool = False
    set: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    minos: tuple[str, ...] = ()
    goodness_of_fit: Measure = "saturated"
    impacts: bool = False
    budget: bool = False
    mass: str | None = None
    measurement: str | None = None
    patch: str | None = None
    seed: int = 1


def run(paths: Sequence[Path], options: Options) -> tuple[dict[str, Any], list[str], bool]:
    """Fit; return the JSON form, notes for the reader, and whether all is well.

    Raises
    ------
    InputError
        The input cannot be used.
    """
    settings = _assignments(options.set)
    workspace = load(paths, options)
    if options.freeze:
        workspace = _frozen(workspace, options.freeze, settings)
    model = flatten(workspace)
    for name in settings:
        model.index(name)
    for text in options.scan:
        _axes(model, text)
    if options.goodness_of_fit not in MEASURES:
        msg = f"goodness of fit {options.goodness_of_fit!r}, expected one of {', '.join(MEASURES)}"
        raise InputError(msg)
    data = asimov(model, settings) if options.asimov else observed(model, workspace)
    start = {name: value for name, value in settings.items() if name not in _held(model)}
    best = fit(model, data, start=start, minos=_minos(model, options.minos))
    notes = list(best.notes)
    form: dict[str, Any] = {
        "parameters": best.to_json()["parameters"],
        "nll": best.nll,
        "converged": best.converged,
        "significance": None,
        "p_value": None,
        "limits": None,
        "goodness_of_fit": None,
        "scans": None,
        "impacts": None,
        "budget": None,
    }
    if not best.converged:
        return form, notes, False
    is_well = _statements(form, notes, model, data, best, options)
    return form, notes, is_well


def _held(model: FlatModel) -> set[str]:
    return {model.names[i] for i in model.held()}


def _minos(model: FlatModel, asked: Sequence[str]) -> list[str]:
    held = _held(model)
    wanted = (*model.pois, *model.select(asked)) if asked else model.pois
    return [name for name in dict.fromkeys(wanted) if name not in held]


def _statements(
    form: dict[str, Any], notes: list[str], model: FlatModel, data: Data, best: FitResult, options: Options
) -> bool:
    """Fill in everything after the fit; what cannot be said is a note, and a failure if it was asked for."""
    generator, is_well = np.random.default_rng(options.seed), True

    def attempt(name: str, make: Any, *, asked: bool) -> None:
        nonlocal is_well
        try:
            make()
        except GpuhiggsError as error:
            notes.append(f"no {name}: {error}")
            is_well = is_well and not asked

    def significance() -> None:
        test = discovery(model, data, best=best)
        if not test.converged:
            raise RunError(" ".join(("the fit without signal did not converge:", *test.background_only.notes)))
        form["significance"], form["p_value"] = test.significance, test.p_value

    def limits() -> None:
        form["limits"] = upper_limit(model, data, best=best).to_json()
        if options.toys:
            test = toy_test(model, data, form["limits"]["tested_value"], options.toys, generator)
            form["limits"]["toys"] = test.to_json()

    def goodness() -> None:
        found = goodness_of_fit(
            model, data, options.goodness_of_fit, n_toys=options.toys, generator=generator, best=best
        )
        form["goodness_of_fit"] = found.to_json()

    def scans() -> None:
        form["scans"] = {text: _scan(model, data, best, _axes(model, text)) for text in options.scan}

    def shares() -> None:
        form["budget"] = {name: budget(model, data, poi=name, best=best).to_json() for name in model.pois}

    def sizes() -> None:
        form["impacts"] = {
            name: [impact.to_json() for impact in impacts(model, data, poi=name, best=best)] for name in model.pois
        }

    is_strength = len(model.pois) == 1 and model.bounds(model.poi)[0] <= 0.0 and model.poi not in _held(model)
    if is_strength:
        attempt("significance", significance, asked=False)
        attempt("limits", limits, asked=bool(options.toys))
    attempt("goodness of fit", goodness, asked=bool(options.toys))
    if options.scan:
        attempt("scan", scans, asked=True)
    if options.impacts:
        attempt("impacts", sizes, asked=True)
    if options.budget:
        attempt("budget", shares, asked=True)
    return is_well


Axis = tuple[str, np.ndarray | None]


def _axes(model: FlatModel, text: str) -> list[Axis]:
    """Read ``NAME``, ``NAME=LOW:HIGH:POINTS`` or, for two dimensions, two of these with a comma."""
    axes: list[Axis] = []
    for part in text.split(","):
        name, _, grid = part.partition("=")
        model.index(name)
        try:
            low, high, n = grid.split(":") if grid else ("0", "1", "1")
            axes.append((name, np.linspace(float(low), float(high), int(n)) if grid else None))
        except ValueError as error:
            msg = f"scan {text!r}: {grid!r}, expected LOW:HIGH:POINTS"
            raise InputError(msg) from error
    if len(axes) > 2:
        msg = f"scan {text!r}: {len(axes)} parameters, expected one or two"
        raise InputError(msg)
    return axes


def _scan(model: FlatModel, data: Data, best: FitResult, axes: Sequence[Axis]) -> dict[str, object]:
    points = SCAN_POINTS if len(axes) == 1 else GRID_POINTS
    grids = [grid_around(model, best, name, points) if grid is None else grid for name, grid in axes]
    names = [name for name, _ in axes]
    if len(axes) == 1:
        return profile_scan(model, data, names[0], grids[0], best=best).to_json()
    return profile_scan_2d(model, data, (names[0], names[1]), grids[0], grids[1], best=best).to_json()


def _assignments(texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            msg = f"{text!r}, expected NAME=NUMBER"
            raise InputError(msg) from error
        if not sign or not math.isfinite(found[name]):
            msg = f"{text!r}, expected NAME=NUMBER"
            raise InputError(msg)
    return found


def _frozen(workspace: Workspace, names: Sequence[str], settings: Mapping[str, float]) -> Workspace:
    """Return the workspace with parameters, patterns or groups fixed at their values."""
    known = {setting.name: setting for setting in workspace.parameters}
    for name in flatten(workspace).select(names):
        old = known.get(name, ParameterSetting(name=name))
        known[name] = old.model_copy(update={"fixed": True, "initial": settings.get(name, old.initial)})
    return workspace.model_copy(update={"parameters": tuple(known.values())})


def load(paths: Sequence[Path], options: Options) -> Workspace:
    """Read the project's or pyhf's JSON, or datacards."""
    if all(path.suffix == ".json" for path in paths):
        if len(paths) != 1:
            msg = f"{len(paths)} workspaces, expected one; datacards can be combined"
            raise InputError(msg)
        return _with_pois(_load_json(paths[0], options), options.poi)
    signals = {}
    for text in options.poi:
        name, _, patterns = text.partition("=")
        if patterns:
            signals[name] = patterns.split(",")
    pois = [text.partition("=")[0] for text in options.poi] or ["r"]
    return combine.read(*paths, pois=pois, signals=signals, mass=options.mass)


def _load_json(path: Path, options: Options) -> Workspace:
    try:
        spec = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as JSON: {error}"
        raise InputError(msg) from error
    if not isinstance(spec, dict):
        msg = f"{path}: a JSON {type(spec).__name__}, expected a workspace"
        raise InputError(msg)
    if "format" in spec:
        return load_workspace(path)
    if options.patch:
        file, _, name = options.patch.partition(":")
        try:
            patch = json.loads(Path(file).read_text())
        except (OSError, ValueError) as error:
            msg = f"{file}: cannot be read as a patch: {error}"
            raise InputError(msg) from error
        spec = patched(spec, patch, name or None)
    try:
        return from_pyhf(spec, options.measurement)
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error


def _with_pois(workspace: Workspace, pois: Sequence[str]) -> Workspace:
    if not pois:
        return workspace
    return Workspace.model_validate({**workspace.model_dump(), "poi": pois[0], "pois": tuple(pois[1:])})


def write_json(form: Mapping[str, Any], path: Path) -> None:
    """Write the JSON form; NaN and infinity become null. Nothing half-written is left."""
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


def summary(form: Mapping[str, Any], notes: Sequence[str], pois: Sequence[str]) -> str:
    """Return the page of text."""
    lines = []
    for name in pois:
        e = form["parameters"][name]
        minus, plus = e["minus"], e["plus"]
        sides = "" if minus is None or plus is None else f"  {minus:+.4g} {plus:+.4g}"
        error = "" if e["error"] is None else f" ± {e['error']:.4g}"
        lines.append(f"{name} = {e['value']:.5g}{error}{sides}")
    lines.append(f"-ln L = {form['nll']:.6f}" + ("" if form["converged"] else "   NOT CONVERGED"))
    if form["significance"] is not None:
        lines.append(f"significance {form['significance']:.3f} σ   p-value {form['p_value']:.4g}")
    if form["limits"] is not None:
        limit = form["limits"]
        expected = " ".join("-" if value is None else f"{value:.4g}" for value in limit["expected"])
        seen = "none" if limit["observed"] is None else f"{limit['observed']:.5g}"
        lines.append(f"95 % CLs limit {seen}   expected {expected}   CLs({limit['tested_value']:g}) {limit['cls']:.6g}")
    if form["goodness_of_fit"] is not None:
        fit_quality = form["goodness_of_fit"]
        p = fit_quality["p_value"] if fit_quality["p_toys"] is None else fit_quality["p_toys"]
        text = "" if p is None else f"   p-value {p:.4g}"
        lines.append(f"{fit_quality['measure']} {fit_quality['statistic']:.5g} / {fit_quality['degrees']}{text}")
    for name, shares in (form["budget"] or {}).items():
        parts = {**shares["groups"], "statistical": shares["statistical"]}
        lines += [f"  {name}: {group:<20} {s['minus']:+.4g} {s['plus']:+.4g}" for group, s in parts.items()]
    for name, found in (form["impacts"] or {}).items():
        lines += [f"  {name}: {i['name']:<30} {i['down']:+.4g} {i['up']:+.4g}" for i in found[:10]]
    return "\n".join([*lines, *(f"note: {note}" for note in notes)])
