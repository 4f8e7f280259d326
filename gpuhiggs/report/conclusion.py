"""What a run makes of its sums: histograms, skims, fit, and the page; and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hist
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import backgrounds, measurement, normalisation, skim
from ..config import RunConfig
from ..engine.tally import Tally
from ..errors import InputError, RunError
from . import band, page, progress, provenance, run_folder, run_sections, strength
from .record import Record
from .stages import Stages

FAILURES_SHOWN = 20
"""So many are printed; the report has them all."""


def write(
    config: RunConfig,
    folder: Path,
    tally: Tally,
    pieces: skim.Pieces | None,
    stages: Stages,
    *,
    workers: int,
    device: str,
    resume: bool,
) -> dict[str, Any]:
    """Make of the sums all that a run leaves: histograms, skims, fit, and the page; return ``results.json``."""
    with stages.stage("histograms"):
        histograms, varied = normalisation.histograms(config, tally), normalisation.varied(config, tally)
        aside = backgrounds.left_out(config)
        histograms = {
            name: {process: h for process, h in by_process.items() if process not in aside}
            for name, by_process in histograms.items()
        }
        estimated, problem = _estimate(config, tally)
        if estimated is not None:
            for name, template in estimated.templates.items():
                histograms[name] = {estimated.process: template, **histograms[name]}
        results = run_folder.summary(config, tally, histograms)
        results["blinding"] = run_folder.unblinded(folder, config)
        if estimated is not None:
            results["nonprompt"] = estimated.summary
            results["warnings"].extend(estimated.notes)
            histograms |= estimated.control
        elif problem is not None:
            results["nonprompt_error"] = problem
            results["warnings"].append(problem)
    if pieces is not None:
        with stages.stage("skim"):
            _skim(config, tally, pieces, folder / run_folder.SKIM, results, resume=resume)
    with stages.stage("fit"):
        _fit(config, tally, folder, histograms, varied, results, estimated)
    systematics = band.templates(config, varied)
    templates = band.by_category(config, varied)
    run_folder.write_results(folder, config, results, histograms, systematics, templates)  # whatever is drawn
    performance = {
        "stages": stages.seconds,
        "workers": max(workers, 1),
        "device": device,
        "progress": progress.kept(folder),
        "by_worker": {name: worker._asdict() for name, worker in sorted(tally.times.workers.items())},
        "slowest_files": [file._asdict() for file in tally.times.slowest],
    }
    record = Record(folder.resolve().name, folder, config, results, histograms, systematics, performance)
    with stages.stage("report"):
        page.publish(folder, strength.head(record), run_sections.sections(record))
    run_folder.write_text(folder / run_folder.PERFORMANCE, json.dumps(performance, indent=1))
    return results


def _skim(
    config: RunConfig, tally: Tally, pieces: skim.Pieces, folder: Path, results: dict[str, Any], *, resume: bool
) -> None:
    """Write the skims; what a run that is taken up again did before without one cannot be in it, and is a warning."""
    if (finished := pieces.finished(tally)) is not None:
        results["skim"] = finished
        return
    try:
        results["skim"] = [part._asdict() for part in skim.write(config, tally, pieces, folder)]
    except RunError as error:
        if not resume:
            raise
        results["warnings"].append(f"no new skim: {error}")
    else:
        if not tally.failures:
            pieces.finish(tally, results["skim"])


def _estimate(config: RunConfig, tally: Tally) -> tuple[backgrounds.Estimate | None, str | None]:
    """Return the background from data, or why there is none: the rest of a run stands, but its fit does not."""
    try:
        return backgrounds.estimate(config, tally), None
    except InputError as error:
        return None, str(error)


def _fit(
    config: RunConfig,
    tally: Tally,
    folder: Path,
    histograms: dict[str, dict[str, hist.Hist[Any]]],
    varied: dict[str, dict[str, hist.Hist[Any]]],
    results: dict[str, Any],
    estimated: backgrounds.Estimate | None,
) -> None:
    """Fit the model where there is one; add to the results. The histograms stand, whatever the model makes of them."""
    if config.model is None:
        return
    if "nonprompt_error" in results:
        results["fit_error"] = f"a background is missing: {results['nonprompt_error']}"
        return
    missing = normalisation.incomplete(config, tally)
    if missing and not config.execution.allow_partial:
        results["fit_error"] = f"a part is missing: {'; '.join(missing)}"
        return
    try:
        measured = measurement.measure(config, histograms, varied, estimated)
    except InputError as error:
        results["fit_error"] = str(error)
        return
    results["fit"] = measured.to_json()
    if measured.treated:
        results["treatment"] = [one.to_json() for one in measured.treated]
    run_folder.write_text(folder / run_folder.WORKSPACE, measured.workspace.model_dump_json(indent=1))


def tell(console: Console, results: dict[str, Any]) -> None:
    """Print the cutflow, the signal strength, what is to be known and what went wrong."""
    for warning in provenance.briefly(results["warnings"], list(results["datasets"])):
        console.print(f"[yellow]{escape(warning)}", highlight=False)
    if results["cutflow"]:
        table = Table("cut", *results["cutflow"], title="Events expected")
        for rows in zip(*results["cutflow"].values(), strict=True):
            table.add_row(rows[0]["step"], *map(_counted, rows))
        console.print(table)
    for category, found in results.get("nonprompt", {}).get("yields", {}).items():
        console.print(f"fakes, {category}: {found['value']:.3g} ± {found['error']:.2g} events", highlight=False)
    for part, fitted in results.get("fit", {}).items():
        if part == "control":
            continue  # what it says of the backgrounds is in the report; of the signal it says nothing
        mu = strength.interval(fitted["parameters"]["mu"])
        discovery = fitted["discovery"]
        significance = f", significance {discovery['significance']:.2f} σ" if discovery else ""
        console.print(f"{part}: mu = {mu}{significance}", highlight=False)
        for problem in fitted["problems"]:
            console.print(f"[yellow]{escape(problem)}", highlight=False)
        if not fitted["converged"]:
            console.print(f"[red]the {part} fit did not converge: {escape(' '.join(fitted['notes']))}")
    if "fit_error" in results:
        console.print(f"[red]no fit:[/red] {escape(results['fit_error'])}", highlight=False)
    for failure in results["failures"][:FAILURES_SHOWN]:
        console.print(f"[red]failed:[/red] {escape(failure['error'])}", highlight=False)
    if (more := len(results["failures"]) - FAILURES_SHOWN) > 0:
        console.print(f"[red]failed:[/red] and {more} more, all in {run_folder.RESULTS}", highlight=False)


def _counted(row: dict[str, Any]) -> str:
    events = row["events"]
    if events is None:
        return "withheld"
    return f"{events:,.0f}" if abs(events) >= 1000 else f"{events:.4g}"
