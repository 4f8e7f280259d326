"""``gpuhiggs fit``: from a workspace or datacards to everything that was asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import ValidationError

from gpuhiggs.errors import GpuhiggsError, InputError, MissingExtraError, RunError
from gpuhiggs.inference.answer import Answer
from gpuhiggs.inference.closure import closure
from gpuhiggs.inference.compatibility import compatibility
from gpuhiggs.inference.data import asimov, observed
from gpuhiggs.inference.fit import fit
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.goodness import MEASURES, Measure, goodness_of_fit
from gpuhiggs.inference.impacts import budget, impacts
from gpuhiggs.inference.inputs import frozen, load
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.model import Workspace
from gpuhiggs.inference.parametric import command as peak_command
from gpuhiggs.inference.parametric.command import PeakAnswer
from gpuhiggs.inference.posterior import sample_posterior
from gpuhiggs.inference.scan import Scan2DResult, ScanResult, grid_around, profile_scan, profile_scan_2d
from gpuhiggs.inference.significance import discovery, upper_limit
from gpuhiggs.inference.smoothing import Treated, Treatment, treat
from gpuhiggs.inference.toy_tests import toy_test
from gpuhiggs.inference.unfolding import unfolded

SCAN_POINTS, GRID_POINTS = 41, 31
MINIMISERS = ("newton", "minuit")


class Options(NamedTuple):
    """What is asked of a fit; the command's help describes each."""

    poi: tuple[str, ...] = ()
    scan: tuple[str, ...] = ()
    toys: int = 0
    asimov: bool = False
    postfit_asimov: bool = False
    set: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    minos: tuple[str, ...] = ()
    goodness_of_fit: Measure = "saturated"
    impacts: bool = False
    budget: bool = False
    compatibility: bool = False
    posterior: int = 0
    closure: int = 0
    unfold: tuple[str, ...] = ()
    treat: tuple[str, ...] = ()
    minimiser: Literal["newton", "minuit"] = "newton"
    mass: str | None = None
    measurement: str | None = None
    patch: str | None = None
    seed: int = 1


PEAKS = (".yaml", ".yml")


def answer(paths: Sequence[Path], options: Options) -> Answer | PeakAnswer:
    """Fit a workspace, datacards or, if the file is YAML, a peak on a smooth background.

    Raises
    ------
    InputError
        As `run`, or an option is not for a peak.
    """
    if not any(path.suffix in PEAKS for path in paths):
        return run(paths, options)
    if len(paths) != 1:
        msg = f"{' '.join(map(str, paths))}: a peak is fitted alone; gpuhiggs convert makes a datacard of it"
        raise InputError(msg)
    allowed = {"scan", "set", "freeze", "closure", "seed"}
    asked = {name for name, value in options._asdict().items() if value != Options._field_defaults[name]}
    other = sorted(asked - allowed)
    if other:
        option = "gof" if other[0] == "goodness_of_fit" else other[0].replace("_", "-")
        known = "--scan, --set, --freeze, --closure, --json and --plots"
        msg = f"{paths[0]}: of a peak {known} can be asked, not --{option}"
        raise InputError(msg)
    return peak_command.run(
        paths[0],
        scan=options.scan,
        settings=assignments(options.set),
        freeze=options.freeze,
        closure=options.closure,
        seed=options.seed,
    )


def run(paths: Sequence[Path], options: Options) -> Answer:
    """Fit, and answer what was asked.

    Raises
    ------
    InputError
        The input cannot be used, or an option says what cannot be.
    """
    settings = assignments(options.set)
    workspace = load(paths, poi=options.poi, mass=options.mass, measurement=options.measurement, patch=options.patch)
    workspace, treated = _treated(workspace, options.treat)
    if options.freeze:
        workspace = frozen(workspace, options.freeze, settings)
    model = flatten(workspace)
    _check(model, settings, options)
    try:
        data = asimov(model, settings) if options.asimov else observed(model, workspace)
    except InputError as error:
        msg = f"{', '.join(map(str, paths))}: {error}"
        raise InputError(msg) from error
    start = {name: value for name, value in settings.items() if name not in _held(model)}
    if options.postfit_asimov:
        before = fit(model, data, start=start, minimiser=options.minimiser)
        if not before.converged:
            msg = f"no data set after the fit: {' '.join(before.notes)}"
            raise RunError(msg)
        start = before.values() | settings
        data = asimov(model, start)
    minos = _minos(model, options.minos)
    best = fit(model, data, start=start, minos=minos, minimiser=options.minimiser)
    is_observed = not (options.asimov or options.postfit_asimov)
    answer = Answer(workspace, model, data, best, is_observed, notes=list(best.notes), treated=treated)
    if not best.converged:
        answer.is_well = False
        return answer
    _state(answer, settings, options)
    return answer


def _check(model: FlatModel, settings: dict[str, float], options: Options) -> None:
    """Refuse before the fit what would stop it after a while."""
    for name in settings:
        model.index(name)
    for text in options.scan:
        _axes(model, text)
    for what, given, known in (
        ("goodness of fit", options.goodness_of_fit, MEASURES), ("minimiser", options.minimiser, MINIMISERS),
    ):  # fmt: skip
        if given not in known:
            msg = f"{what} {given!r}, expected one of {', '.join(known)}"
            raise InputError(msg)
    if options.asimov and options.postfit_asimov:
        msg = "--asimov and --postfit-asimov: expected one of them"
        raise InputError(msg)
    predicted = assignments(options.unfold)
    if predicted and set(predicted) != set(model.pois):
        msg = f"--unfold of {', '.join(predicted)}, expected each of {', '.join(model.pois)} with its prediction"
        raise InputError(msg)


def _held(model: FlatModel) -> set[str]:
    return {model.names[i] for i in model.held()}


def _minos(model: FlatModel, asked: Sequence[str]) -> list[str]:
    held = _held(model)
    wanted = (*model.pois, *model.select(asked)) if asked else model.pois
    return [name for name in dict.fromkeys(wanted) if name not in held]


def _state(answer: Answer, settings: dict[str, float], options: Options) -> None:
    """Say everything after the fit; what cannot be said is a note, and a failure if it was asked for."""
    model, data, best = answer.model, answer.data, answer.best
    generator = np.random.default_rng(options.seed)

    def attempt(name: str, make: Callable[[], None], *, asked: bool) -> None:
        try:
            make()
        except MissingExtraError:
            raise
        except GpuhiggsError as error:
            answer.notes.append(f"no {name}: {error}")
            answer.is_well = answer.is_well and not asked

    def significance() -> None:
        test = discovery(model, data, best=best)
        if not test.converged:
            raise RunError(" ".join(("the fit without signal did not converge:", *test.background_only.notes)))
        answer.discovery = test

    def limits() -> None:
        answer.limit = upper_limit(model, data, best=best)
        if options.toys:
            answer.toy_test = toy_test(model, data, answer.limit.test.value, options.toys, generator)

    def goodness() -> None:
        answer.goodness = goodness_of_fit(
            model, data, options.goodness_of_fit, n_toys=options.toys, generator=generator, best=best
        )

    def scans() -> None:
        for text in options.scan:
            answer.scans[text] = _scan(answer, _axes(model, text))

    def sizes() -> None:
        answer.impacts = {name: impacts(model, data, poi=name, best=best) for name in model.pois}

    def shares() -> None:
        answer.budgets = {name: budget(model, data, poi=name, best=best) for name in model.pois}

    def agreement() -> None:
        answer.compatibility = compatibility(answer.workspace, data)

    def closes() -> None:
        answer.closure = closure(model, options.closure, generator, truth=settings)

    def marginals() -> None:
        answer.posterior = sample_posterior(model, data, draws=options.posterior, seed=options.seed)

    def cross_sections() -> None:
        predicted = assignments(options.unfold)
        answer.unfolded = unfolded(best, model.pois, [predicted[name] for name in model.pois])

    is_strength = len(model.pois) == 1 and model.bounds(model.poi)[0] <= 0.0 and model.poi not in _held(model)
    if is_strength:
        attempt("significance", significance, asked=False)
        attempt("limits", limits, asked=bool(options.toys))
    attempt("goodness of fit", goodness, asked=bool(options.toys))
    for name, make, asked in (
        ("scan", scans, options.scan), ("impacts", sizes, options.impacts), ("budget", shares, options.budget),
        ("compatibility", agreement, options.compatibility), ("closure", closes, options.closure),
        ("posterior", marginals, options.posterior), ("unfolding", cross_sections, options.unfold),
    ):  # fmt: skip
        if asked:
            attempt(name, make, asked=True)


Axis = tuple[str, np.ndarray | None]


def _axes(model: FlatModel, text: str) -> list[Axis]:
    """Read ``NAME``, ``NAME=LOW:HIGH:POINTS`` or, for two dimensions, two of these with a comma."""
    axes: list[Axis] = []
    for part in text.split(","):
        name, _, grid = part.partition("=")
        model.index(name)
        try:
            low, high, n = grid.split(":") if grid else ("0", "1", "2")
            points = np.linspace(float(low), float(high), int(n))
        except ValueError as error:
            msg = f"scan {text!r}: {grid!r}, expected LOW:HIGH:POINTS"
            raise InputError(msg) from error
        if not (len(points) > 1 and np.all(np.isfinite(points)) and points[0] < points[-1]):
            msg = f"scan {text!r}: {grid!r}, expected LOW:HIGH:POINTS with LOW < HIGH and two points at least"
            raise InputError(msg)
        axes.append((name, points if grid else None))
    if len(axes) > 2:
        msg = f"scan {text!r}: {len(axes)} parameters, expected one or two"
        raise InputError(msg)
    return axes


def _scan(answer: Answer, axes: Sequence[Axis]) -> ScanResult | Scan2DResult:
    model, data, best = answer.model, answer.data, answer.best
    points = SCAN_POINTS if len(axes) == 1 else GRID_POINTS
    grids = [grid_around(model, best, name, points) if grid is None else grid for name, grid in axes]
    names = [name for name, _ in axes]
    if len(axes) == 1:
        return profile_scan(model, data, names[0], grids[0], best=best)
    return profile_scan_2d(model, data, (names[0], names[1]), grids[0], grids[1], best=best)


def assignments(texts: Sequence[str]) -> dict[str, float]:
    """Read ``NAME=NUMBER``.

    Raises
    ------
    InputError
        If a text is none.
    """
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


def _treated(workspace: Workspace, texts: Sequence[str]) -> tuple[Workspace, tuple[Treated, ...] | None]:
    """Treat the templates as ``KEY=VALUE`` say."""
    if not texts:
        return workspace, None
    try:
        treatment = Treatment(**dict(text.split("=", 1) for text in texts))  # type: ignore[arg-type]
    except (ValidationError, ValueError) as error:
        known = "symmetrise=mean|larger, smooth=PASSES, prune_norm=SIZE, prune_shape=SIZE"
        msg = f"--treat {' '.join(texts)}, expected {known}"
        raise InputError(msg) from error
    return treat(workspace, treatment)
