"""The report: one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..config import RunConfig

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1.5rem; color: #1a1a1a; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
.answer { font-size: 1.4rem; } .quiet { color: #666; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.5rem; }
.failed { color: #a00000; } code { overflow-wrap: anywhere; }
@media print { .figures { display: block; } figure { break-inside: avoid; } }
"""


_PARTS = ("expected", "observed", "control")


def page(config: RunConfig, results: dict[str, Any], figures: Sequence[tuple[Path, str]]) -> str:
    """Return the page.

    Parameters
    ----------
    results
        The content of ``results.json``.
    figures
        PNG files and what each shows.
    """
    title = f"{config.title or 'gpuhiggs'}: {results['selection'].replace('_', ' ')}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">Selection: {escape(results["reference"])}</p>',
        *_answer(results.get("fit")),
        *_no_fit(results.get("fit_error")),
        *_blinding(results["blinding"]),
        *_warnings(results["warnings"]),
        *_failures(results["failures"]),
        "<h2>Figures</h2>",
        '<div class="figures">',
        *(_figure(path, caption) for path, caption in figures),
        "</div>",
        "<h2>Events expected</h2>",
        _yields(results["yields"]),
        "<h2>Cutflow</h2>",
        "<p>Events expected, with the number of entries in brackets.</p>",
        _cutflow(results["cutflow"]),
        *_nuisances(results.get("fit")),
        "<h2>Datasets</h2>",
        _datasets(results["datasets"]),
        "<h2>This run</h2>",
        f"<p>SHA-256 of the accumulators: <code>{results['digest']}</code></p>",
        f'<p class="quiet">{escape(", ".join(f"{k} {v}" for k, v in results["versions"].items()))}; '
        f"{escape(results['platform'])}</p>",
    ]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>\n{body}\n</body></html>\n"
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f'<figcaption>{escape(caption)} (<a href="{path.stem}.pdf">PDF</a>)</figcaption></figure>'
    )


def interval(estimate: dict[str, float | None]) -> str:
    """Return a fitted value with its errors as text."""
    value, error = estimate["value"], estimate["error"]
    minus, plus = estimate["minus"], estimate["plus"]
    if minus is None or plus is None:
        return f"{value:.3f} ± {error:.3f}"
    return f"{value:.3f} {minus:+.3f} {plus:+.3f}".replace("-", "−")


def _answer(fit: dict[str, Any] | None) -> list[str]:
    if fit is None:
        return []
    lines = []
    for name, label in (("observed", "Observed"), ("expected", "Expected (Asimov, μ = 1)")):
        if name in fit:
            part = fit[name]
            warning = "" if part["converged"] else " — <strong>the fit did not converge</strong>"
            discovery = part["discovery"]
            significance = f", significance {discovery['significance']:.1f} σ" if discovery else ""
            lines.append(
                f'<p class="answer">{label}: μ = {interval(part["parameters"]["mu"])}{significance}{warning}</p>'
            )
            lines.extend(f'<p class="failed">{escape(problem)}</p>' for problem in part["problems"])
    if "observed" not in fit:
        what = "Data are withheld in the signal regions" if "control" in fit else "There are no data in this run"
        lines.append(f'<p class="quiet">{what}: only expectations are shown.</p>')
    return lines


def _no_fit(error: str | None) -> list[str]:
    return [] if error is None else [f'<p class="failed">There is no fit: {escape(error)}</p>']


def _blinding(blinding: dict[str, Any]) -> list[str]:
    if blinding["blind"]:
        return ['<p class="quiet">Blinded: data are withheld in the signal regions.</p>']
    return [
        f'<p class="quiet">Unblinded on {escape(entry["when"])}: {escape(", ".join(entry["datasets"]))}.</p>'
        for entry in blinding["unblinded"]
    ]


def _warnings(warnings: list[str]) -> list[str]:
    if not warnings:
        return []
    return ["<h2>To be known</h2><ul>", *(f"<li>{escape(warning)}</li>" for warning in warnings), "</ul>"]


def _failures(failures: list[dict[str, Any]]) -> list[str]:
    if not failures:
        return []
    items = "".join(f"<li>{escape(failure['error'])}</li>" for failure in failures)
    return [f'<h2 class="failed">Not processed</h2><p>These files are not part of any number here.</p><ul>{items}</ul>']


def _events(part: dict[str, float | None]) -> str:
    return "withheld" if part["value"] is None else f"{part['value']:.2f} ± {part['error']:.2f}"


def _total(parts: Iterable[dict[str, float | None]]) -> dict[str, float | None]:
    """Add up yields; the sum of what is withheld in part is withheld."""
    value, variance = 0.0, 0.0
    for part in parts:
        if part["value"] is None or part["error"] is None:
            return {"value": None, "error": None}
        value, variance = value + part["value"], variance + part["error"] ** 2
    return {"value": value, "error": variance**0.5}


def _yields(yields: dict[str, dict[str, dict[str, float | None]]]) -> str:
    categories = [name for name in next(iter(yields.values()), {}) if _nonzero(yields, name)]
    if not categories:
        return "<p>No event is selected.</p>"
    rows = [[category, *(_events(part[category]) for part in yields.values())] for category in categories]
    rows.append(["all", *(_events(_total(part.values())) for part in yields.values())])
    return _table(["category", *yields], rows)


def _nonzero(yields: dict[str, dict[str, dict[str, float | None]]], category: str) -> bool:
    return any((part[category]["error"] or 0.0) > 0 for part in yields.values())


def counted(row: dict[str, Any]) -> str:
    """Return a row of a cutflow as text: events expected, and entries."""
    return "withheld" if row["events"] is None else f"{row['events']:.4g} ({row['entries']})"


def _cutflow(by_process: dict[str, Any]) -> str:
    if not by_process:
        return "<p>No dataset could be processed.</p>"
    rows = [
        [steps[0]["step"].replace("_", " "), *map(counted, steps)] for steps in zip(*by_process.values(), strict=True)
    ]
    return _table(["cut", *by_process], rows)


def _nuisances(fit: dict[str, Any] | None) -> list[str]:
    """List the fitted parameters, less the per-bin factors of the simulation's statistics."""
    if fit is None:
        return []
    names = [name for name in fit["expected"]["parameters"] if "[" not in name]
    rows = [[name, *(_fitted(fit[part]["parameters"].get(name)) for part in _PARTS if part in fit)] for name in names]
    return [
        "<h2>Fitted parameters</h2>",
        _table(["parameter", *(part for part in _PARTS if part in fit)], rows),
    ]


def _fitted(estimate: dict[str, float | None] | None) -> str:
    """Return a fitted parameter as text; one that the bins of this fit do not depend on is not there."""
    return "–" if estimate is None else interval(estimate)


def _datasets(datasets: dict[str, Any]) -> str:
    rows = [
        [
            name,
            dataset["process"],
            dataset["kind"],
            f"{dataset['files_complete']} of {dataset['files']}",
            f"{dataset['events']}",
            dataset["normalised_to"],
        ]
        for name, dataset in datasets.items()
    ]
    return _table(["dataset", "process", "kind", "files", "events", "normalised to"], rows)
