"""``gpuhiggs interpret``: what follows from the measurements beyond a fit of their rates, one question a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich import get_console
from rich.console import Console
from rich.table import Table

from ..errors import InputError, choices
from . import benchmarks, gluon_fusion, mass_precision, projections, sm, vacuum, width
from .combination import combine, prepare
from .command import read_inputs, write
from .tables import load

LUMINOSITIES = (36.0, 138.0, 300.0, 1000.0, 3000.0)
"""fb⁻¹: of 2016, Run 2, Run 3 about, and the HL-LHC."""


@dataclass(frozen=True)
class Options:
    """What a question may be given; a None or empty option was not."""

    data: tuple[str, ...] = ()
    model: str | None = None
    runs: tuple[Path, ...] = ()
    luminosity: tuple[float, ...] = ()
    m_h: float | None = None
    sqrt_s: float | None = None

    def mass(self, default: float = sm.M_H) -> float:
        """Return m_H in GeV."""
        return default if self.m_h is None else self.m_h

    def energy(self) -> float:
        """Return √s in TeV."""
        return 13.0 if self.sqrt_s is None else self.sqrt_s

    def given(self) -> list[str]:
        """Return the names of the options that were given."""
        return [name for name, value in vars(self).items() if value not in (None, ())]


class Answer(NamedTuple):
    """A table to show, and the JSON form of everything."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    found: dict[str, Any]
    notes: tuple[str, ...] = ()


class Question(NamedTuple):
    """A question: which options it takes, and who answers."""

    takes: tuple[str, ...]
    answer: Callable[[Options], Answer]


def _width(options: Options) -> Answer:
    model = options.model or "kappa-effective"
    m_h = options.mass()
    inputs = read_inputs(options.data or ("atlas-run2",), model)
    found = width.measured(prepare(model, inputs), m_h)
    total, error = found["total"]
    standard = {decay: sm.partial_width(decay, m_h) for decay in sm.DECAYS}
    rows = [
        (name, value, spread, standard[name].value if name in standard else None)
        for name, (value, spread) in found.items()
        if name != "total"
    ]
    rows.append(("total", total, error, sm.total_width(m_h).value))
    off_shell = {}
    for name, entry in load("width")["off_shell"].items():
        mu_on = combine("mu", read_inputs([f"{name}-run2"], "mu")).parameters["mu"]
        on = width.Interval(mu_on.value, -(mu_on.minus or -mu_on.error), mu_on.plus or mu_on.error)
        computed = width.from_off_shell(width.Interval(**entry["mu_off"]), on, m_h)
        off_shell[name] = {"width": computed.to_json(), "published": entry["width"], "source": entry["source"]}
    form: dict[str, Any] = {
        "data": [item.name for item in inputs],
        "model": model,
        "m_h": m_h,
        "widths_MeV": {name: {"value": v, "error": e} for name, (v, e) in found.items()},
        "sm_MeV": {name: v.value for name, v in standard.items()} | {"total": sm.total_width(m_h).value},
        "lifetime_s": {"value": width.lifetime(total), "error": width.lifetime(total) * error / total},
        "off_shell": off_shell,
        "average": load("width")["average"],
    }
    time, spread = (1e22 * part for part in form["lifetime_s"].values())
    notes = [f"lifetime ħ/Γ = ({time:.3g} ± {spread:.2g})·10⁻²² s"]
    for name, part in off_shell.items():
        value, minus, plus = part["width"].values()
        notes.append(f"{name}: {value:.2g} -{minus:.2g} +{plus:.2g} MeV from off-shell and on-shell strengths")
    title = f"Widths in MeV, {model}: {', '.join(form['data'])}"
    return Answer(title, ("decay", "width", "error", "SM"), rows, form, tuple(notes))


def _projections(options: Options) -> Answer:
    model = options.model or "kappa-effective"
    luminosities = options.luminosity or LUMINOSITIES[2:]
    published = load("projections")
    points = [point for scenario in ("S1", "S2") for point in projections.project(luminosities, scenario, model)]
    rows = []
    for name in points[0].errors:
        known = published["S2"].get(name) if model == "kappa-effective" else None
        rows.append((name, *(100 * point.errors[name] for point in points), known))
    columns = ("", *(f"{p.scenario}, {p.luminosity:g} fb⁻¹" for p in points), "published S2, 3000 fb⁻¹")
    form = {"model": model, "points": [point.to_json() for point in points], "published": published}
    note = (
        "each of two experiments measures as ATLAS does in Run 2; in S1 systematic and theory errors stay, in S2 theory"
        " halves and systematic errors fall with the statistical ones to a floor of one half"
    )
    return Answer(f"Errors of {model} in %, for each experiment's luminosity", columns, rows, form, (note,))


def _mass(options: Options) -> Answer:
    luminosities = options.luminosity or LUMINOSITIES
    channels = [mass_precision.from_run(run) for run in options.runs]
    notes: tuple[str, ...] = ("statistical precision of pseudo-experiments; energy and momentum scales come on top",)
    if not channels:
        channels = [mass_precision.channel(name) for name in load("mass")["channels"]]
        notes += ("peaks of published analyses; --run takes those of your own runs",)
    points = [point for which in channels for point in mass_precision.precision(which, luminosities)]
    rows = [(point.channel, point.luminosity, 1e3 * point.precision, 1e3 * point.error) for point in points]
    form = {"channels": [which._asdict() for which in channels], "points": [point.to_json() for point in points]}
    columns = ("channel", "fb⁻¹", "precision, MeV", "its error")
    return Answer("Precision of the mass against luminosity", columns, rows, form, notes)


def _vacuum(options: Options) -> Answer:
    m_h = options.mass()
    sm.check_mass(m_h)
    found = vacuum.instability((m_h, sm.M_H_ERROR))
    rows: list[tuple[Any, ...]] = [("log₁₀(Λ/GeV)", found.log10_scale, found.error)]
    rows += [(f"  from {name}", None, part) for name, part in found.parts.items()]
    inputs = {"m_h": (m_h, sm.M_H_ERROR), "m_top": vacuum.M_TOP, "alpha_s": vacuum.ALPHA_S}
    form = found.to_json() | {"inputs": inputs}
    return Answer("Scale at which the electroweak vacuum turns unstable", ("", "value", "error"), rows, form)


def _benchmarks(options: Options) -> Answer:
    found = benchmarks.benchmarks(read_inputs(options.data or ("atlas-run2",), "mu"))
    rows = [
        (b.name, b.model, ", ".join(f"{k} = {v:.3g}" for k, v in b.parameters.items()), b.rise, b.rise_sm,
         "yes" if b.excluded else "no")
        for b in found
    ]  # fmt: skip
    columns = ("benchmark", "model", "point", "-2Δln L", "of the SM", "excluded at 95 %")
    return Answer("Benchmarks beyond the SM", columns, rows, {"benchmarks": [b.to_json() for b in found]})


def _orders(options: Options) -> Answer:
    sqrt_s, m_h = options.energy(), options.mass(125.0)
    kappa = combine("kappa-effective", read_inputs(options.data or ("atlas-run2",), "kappa-effective"))
    found = gluon_fusion.orders(sqrt_s, m_h, kappa.parameters["kappa_g"].value)
    rows = [(order.name, order.value, order.low, order.high, order.kappa_g) for order in found]
    form = {"sqrt_s": sqrt_s, "m_h": m_h, "orders": [order.to_json() for order in found]}
    columns = ("order", "σ, pb", "low", "high", "κ_g against it")
    return Answer(f"gg → H at {sqrt_s:g} TeV, m_H = {m_h:g} GeV, order by order", columns, rows, form)


def _sm(options: Options) -> Answer:
    sqrt_s, m_h = options.energy(), options.mass()
    sections = {mode: sm.cross_section(mode, sqrt_s, m_h) for mode in (*sm.MODES, "ggZH")}
    rows: list[tuple[Any, ...]] = [
        (f"σ({mode})", s.value, "pb", f"+{s.scale_plus:.1%} -{s.scale_minus:.1%} ⊕ {s.pdf_alpha_s:.1%}")
        for mode, s in sections.items()
    ]
    widths = {decay: sm.partial_width(decay, m_h) for decay in sm.DECAYS}
    ratios = {decay: sm.branching_ratio(decay, m_h) for decay in sm.DECAYS}
    rows += [(f"B({d})", ratio, "", f"{widths[d].uncertainty:.1%} (partial width)") for d, ratio in ratios.items()]
    total = sm.total_width(m_h)
    rows.append(("Γ_H", total.value, "MeV", f"{total.uncertainty:.1%}"))
    form = {
        "sqrt_s": sqrt_s, "m_h": m_h, "cross_sections_pb": {mode: s._asdict() for mode, s in sections.items()},
        "branching_ratios": ratios, "partial_widths_MeV": {decay: w._asdict() for decay, w in widths.items()},
        "total_width_MeV": total._asdict(),
    }  # fmt: skip
    title = f"Standard Model at {sqrt_s:g} TeV, m_H = {m_h:g} GeV"
    return Answer(title, ("", "value", "unit", "uncertainty (scale ⊕ PDF+α_s)"), rows, form)


QUESTIONS = {
    "width": Question(("data", "model", "m_h"), _width),
    "projections": Question(("model", "luminosity"), _projections),
    "mass": Question(("runs", "luminosity"), _mass),
    "vacuum": Question(("m_h",), _vacuum),
    "benchmarks": Question(("data",), _benchmarks),
    "orders": Question(("data", "sqrt_s", "m_h"), _orders),
    "sm": Question(("sqrt_s", "m_h"), _sm),
}
FLAGS = {
    "data": "--data", "model": "--model", "runs": "--run", "luminosity": "--luminosity", "m_h": "--m-h",
    "sqrt_s": "--sqrt-s",
}  # fmt: skip


def ask(name: str, options: Options) -> Answer:
    """Answer a question.

    Raises
    ------
    InputError
        If it is unknown, does not take an option that was given, or as its answer says.
    """
    if name not in QUESTIONS:
        msg = f"unknown question {name!r}; {choices(name, QUESTIONS)}"
        raise InputError(msg)
    question = QUESTIONS[name]
    if wrong := [option for option in options.given() if option not in question.takes]:
        msg = f"{FLAGS[wrong[0]]} says nothing to {name}; it takes {', '.join(FLAGS[o] for o in question.takes)}"
        raise InputError(msg)
    return question.answer(options)


def run(name: str, options: Options, json_file: Path | None = None, console: Console | None = None) -> dict[str, Any]:
    """Answer a question, print its table, and write its JSON form if a file is named.

    Raises
    ------
    InputError
        As `ask` does.
    RunError
        If the file cannot be written.
    """
    answer = ask(name, options)
    table = Table(title=answer.title, title_justify="left")
    for i, column in enumerate(answer.columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    for row in answer.rows:
        table.add_row(*(_cell(value) for value in row))
    console = console or get_console()
    console.print(table)
    for note in answer.notes:
        console.print(f"· {note}", soft_wrap=True)
    if json_file is not None:
        write(json_file, answer.found)
    return answer.found


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


__all__: Sequence[str] = ("QUESTIONS", "Answer", "Options", "ask", "run")
