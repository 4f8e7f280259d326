"""``gpuhiggs combine``: read measurements, fit a model, tell and write the result."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import get_console
from rich.console import Console
from rich.table import Table

from ..errors import InputError, RunError
from . import joint_results, models, operators, smeft
from .combination import Combination, Estimate, Problem, combine, prepare
from .measurements import ALSO_CALLED, PUBLISHED, Measurements, View, published
from .planes import plane
from .posterior import Posterior, sample, weighted


def read_inputs(names: Sequence[str], model: str, *, repair: bool = False) -> list[Measurements]:
    """Return the inputs by name: published ones, or folders of the project's own runs, which make one input together.

    Beside measurements without the uncertainties of the SM's prediction, own runs are fitted without them too.

    Raises
    ------
    InputError
        If one is neither, or given twice.
    """
    names = [name if Path(name).is_dir() else ALSO_CALLED.get(name, name) for name in names]
    if twice := {name for name in names if list(names).count(name) > 1}:
        msg = f"data given twice: {', '.join(sorted(twice))}"
        raise InputError(msg)
    view = models.VIEWS.get(model, "strengths")
    own = [Path(name) for name in names if name not in PUBLISHED and Path(name).is_dir()]
    found = [published(name, view, repair=repair) for name in names if Path(name) not in own]
    if own:
        without = any(not item.theory_in_errors for item in found)
        found.append(joint_results.load(own, without_prediction=without))
    return found


def run(
    data: Sequence[str],
    model: str,
    *,
    json_file: Path | None = None,
    chosen: Sequence[str] = (),
    points: int = 0,
    repair: bool = False,
    posterior: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Fit *model* to *data*; print a table, and write the JSON form if a file is named.

    Raises
    ------
    InputError
        If data, model or operators are unknown, or options contradict each other.
    RunError
        If the fit does not converge or the file cannot be written.
    """
    factory = models.find(model)
    if chosen and not model.startswith("smeft"):
        msg = f"--operator is for smeft-linear and smeft-quadratic, not for {model}"
        raise InputError(msg)
    inputs = read_inputs(data, model, repair=repair)
    if posterior and model.startswith("smeft") and not chosen:
        msg = "--posterior of a SMEFT model needs --operator: the operators to sample together"
        raise InputError(msg)
    if points and len(factory(inputs).parameters) != 2:
        msg = f"--plane needs a model of two parameters; {model} has {len(factory(inputs).parameters)}"
        raise InputError(msg)
    console = console or get_console()
    if model.startswith("smeft"):
        found = _smeft(model, inputs, chosen)
    else:
        result = combine(model, inputs, budget=True)
        found = result.to_json()
    if posterior:
        sampled = smeft.model(chosen, quadratic=model == "smeft-quadratic") if chosen else model
        found["posterior"] = _posterior(prepare(sampled, inputs), console).to_json()
    if points:
        found["plane"] = _plane(model, inputs, points)
    _tell(console, found)
    if json_file is not None:
        write(json_file, found)
    return found


def _posterior(problem: Problem, console: Console) -> Posterior:
    """Sample by weighted points, and by NUTS where too few of them count: where the posterior has several parts."""
    with contextlib.suppress(RunError):
        drawn = weighted(problem)
        if drawn.converged:
            return drawn
    console.print("· the posterior is far from a Gaussian: sampling by NUTS, which takes minutes", soft_wrap=True)
    return sample(problem)


def _smeft(model: str, inputs: Sequence[Measurements], chosen: Sequence[str]) -> dict[str, Any]:
    """Fit the chosen operators together; or, without any, each alone and the constrained directions together."""
    quadratic = model == "smeft-quadratic"
    if chosen:
        return combine(smeft.model(chosen, quadratic=quadratic), inputs, budget=True).to_json()
    alone = operators.one_at_a_time(inputs, quadratic=quadratic)
    eigen = operators.directions(inputs)
    together = combine(operators.rotated(eigen, quadratic=False), inputs)
    found = together.to_json()
    found["directions"] = {"parameters": found["parameters"], **eigen.to_json()}
    found["parameters"] = {name: _alone(name, fit) for name, fit in alone.items()}
    found["notes"] = [
        "parameters: each operator alone, all others at 0; correlation, chi2, ndof and p_sm: the constrained directions"
        " together, linear",
        *together.notes,
    ]
    return found


def _alone(name: str, fit: Combination) -> dict[str, Any]:
    return fit.parameters[name].to_json() | {"chi2": fit.chi2, "p_sm": fit.p_sm}


def _plane(model: str, inputs: Sequence[Measurements], points: int) -> dict[str, Any]:
    """Profile over the field's own plane: linear in cos(β-α), κ and m_A, logarithmic in tan β."""
    problem = prepare(model, inputs)
    axes = []
    for parameter in problem.model.parameters:
        if parameter.name == "tan_beta":
            axes.append(np.geomspace(max(parameter.low, 0.1), parameter.high, points))
        elif parameter.name.startswith("kappa"):
            axes.append(np.linspace(0.7, 1.3, points))
        elif parameter.name == "m_A":
            axes.append(np.linspace(parameter.low, 1000.0, points))
        else:
            axes.append(np.linspace(parameter.low, parameter.high, points))
    x, y = problem.model.names
    return plane(problem, x, axes[0], y, axes[1]).to_json()


def _tell(console: Console, found: dict[str, Any]) -> None:
    table = Table(title=f"{found['model']}: {', '.join(found['data'])}", title_justify="left")
    for column, justify in (("parameter", "left"), ("value", "right"), ("error", "right"), ("minus", "right"),
                            ("plus", "right"), ("95 %", "right")):  # fmt: skip
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for name, estimate in found["parameters"].items():
        numbers = ["" if (v := estimate[key]) is None else f"{v:.4g}" for key in ("value", "error", "minus", "plus")]
        limit = ", ".join(
            f"{sign} {estimate[key]:.4g}" for key, sign in (("upper_95", "<"), ("lower_95", ">")) if key in estimate
        )
        table.add_row(name, *numbers, limit)
    console.print(table)
    if "posterior" in found:
        console.print(_marginals(found["posterior"]))
    console.print(f"χ² = {found['chi2']:.2f} for {found['ndof']} degrees of freedom; p(SM) = {found['p_sm']:.3f}")
    for note in found["notes"]:
        console.print(f"· {note}", soft_wrap=True)


def _marginals(found: dict[str, Any]) -> Table:
    state = "" if found["converged"] else " (NOT converged)"
    columns = ("parameter", "mean", "sd", "median", "68 %", "95 %", "prior")
    table = Table(*columns, title=f"posterior{state}", title_justify="left")
    for name, part in found["parameters"].items():
        intervals = (f"{part[f'low_{p}']:.4g} … {part[f'high_{p}']:.4g}" for p in (68, 95))
        numbers = (f"{part[key]:.4g}" for key in ("mean", "sd", "median"))
        table.add_row(name, *numbers, *intervals, found["priors"][name])
    return table


def tell_known(console: Console | None = None) -> None:
    """Print every model and every published set of measurements."""
    console = console or get_console()
    table = Table("model", "it measures")
    views: tuple[View, ...] = ("strengths", "production", "stxs")
    inputs = {view: [published("atlas-run2", view)] for view in views}
    for name, factory in models.MODELS.items():
        made = factory(inputs[models.VIEWS.get(name, "strengths")])
        names = ", ".join(made.names[:10]) + (f", … ({len(made.names)})" if len(made.names) > 10 else "")
        table.add_row(name, f"{made.title}: {names}")
    console.print(table)
    sets = Table("data", "it is", "source")
    for name in PUBLISHED:
        found = published(name)
        sets.add_row(name, found.title, found.source)
    console.print(sets)


def write(path: Path, found: dict[str, Any]) -> None:
    """Write a result as JSON under a temporary name, and rename it.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise RunError(msg) from error
    finally:
        temporary.unlink(missing_ok=True)


__all__ = ["Estimate", "read_inputs", "run", "tell_known", "write"]
