"""What a classifier gains in the full shape fit: ``python -m bench.classifier_gain [CHANNEL …] [--luminosity FB]``.

A model is trained on one simulation; on another, independent one stands the demo's statistical model, once with its
categories and once with each of them divided by the model's score, and both are fitted to what they expect. Simulated
statistics are left out of both fits: a real analysis has a hundred times these events. The jackknife over PARTS
independent parts of the simulation gives the statistical uncertainty of the gain, and corrects its bias: finer bins
seem to gain by the fluctuations of few events. Three gains are given: of σ(μ) as a whole; without the theory of the
signal, which no category can improve; of the statistical part alone.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpuhiggs import config as configuration
from gpuhiggs import engine, inference, normalisation
from gpuhiggs.classify import write
from gpuhiggs.classify.training import train
from gpuhiggs.config import RunConfig
from gpuhiggs.demo import analysis, models
from gpuhiggs.engine.work import serially
from gpuhiggs.errors import InputError
from gpuhiggs.inference.modifiers import StatError
from gpuhiggs.measurement import workspace
from gpuhiggs.report import training
from gpuhiggs.simulate import find_process, simulate
from gpuhiggs.simulate.triggers import PATHS

PARTS = 4
SEED = 1_000_000
"""Of the simulation that is fitted; that of training has seeds of its own, in ``gpuhiggs/classify/models``."""
RESULT = Path(__file__).parent / "results" / "classifier-gain.json"
LUMINOSITY = 138.0


class Study(NamedTuple):
    """What a channel is tried with."""

    events: dict[str, int]
    """Of each part, by process."""
    goal: float
    """Relative improvement of σ(μ)."""
    divided: str = "*"
    """Channels of the model that are divided by the score, as patterns between ``|``."""
    edges: tuple[float, ...] | None = None
    """Bins of the divided channels that have the model's own histogram, where they differ from the demo's."""


STUDIES = {
    "four_lepton": Study({"ggH_4l": 2500, "VBF_4l": 500, "qqZZ_4l_100to150": 5000}, 0.02),
    "dilepton": Study(
        {"ggH_emu": 6000, "VBF_emu": 1000, "WW_emu": 14000, "ttbar_emu": 12000, "DY_tautau_emu": 6000}, 0.10,
        "SR_*", (0, 6, 12, 18, 24, 30, 36),
    ),
    "diphoton": Study(
        {"ggH_gamgam": 5000, "VBF_gamgam": 1000, "WH_gamgam": 400, "ZH_gamgam": 400, "ttH_gamgam": 300,
         "qq_gamgam": 20000, "gg_gamgam": 12000, "gamma_jet": 24000}, 0.10,
        "ggF_0j_* | ggF_1j | ggF_2j | VBF",
    ),
}  # fmt: skip


def run_config(
    name: str, folder: Path, classifier: dict[str, Any] | None, workers: int, luminosity: float = LUMINOSITY
) -> RunConfig:
    """Simulate the parts, and return the configuration of a run on them."""
    demo, study = analysis.load(name), STUDIES[name]
    selection = configuration.shipped_selection(demo.selection)
    selection["triggers"] = {"all": [p for paths in selection["triggers"].values() for p in paths if p in PATHS]}
    model = demo.model.model_dump(exclude_unset=True)
    if classifier is not None:
        selection["classifier"] = classifier
        for channel in workspace.matching(list(demo.model.channels), "divided", study.divided):
            region = demo.model.channels[channel].model_dump(exclude_unset=True)
            if study.edges is not None and "histogram" not in region:
                region["edges"] = study.edges
            model["channels"][channel] = {**region, "divided": True}
    datasets = []
    for process, events in study.events.items():
        cross_section = find_process(process).cross_section / PARTS
        for part in range(PARTS):
            path = folder / f"{process}-{part}.root"
            simulate(process, events, path, seed=SEED + part, workers=workers)
            datasets.append(
                {"name": f"{process}-{part}", "process": demo.samples[process].process, "kind": "simulation",
                 "files": [str(path)], "cross_section": cross_section}
            )  # fmt: skip
    raw = {"selection": selection, "luminosity": luminosity, "datasets": datasets, "model": model}
    return configuration.validate(RunConfig, raw, name)


def expected(config: RunConfig, tally: Any, parts: list[int]) -> dict[str, float]:
    """Fit what is expected from some of the parts."""
    chosen = tuple(
        d.model_copy(update={"cross_section": (d.cross_section or 0.0) * PARTS / len(parts)})
        for d in config.datasets
        if int(d.name.rpartition("-")[2]) in parts
    )
    some = config.model_copy(update={"datasets": chosen})
    assert some.divided_model is not None
    made = without_mc_statistics(workspace.build(some, some.divided_model, normalisation.histograms(some, tally)))
    flat = inference.flatten(made)
    data = inference.asimov(flat)
    fit = inference.fit(flat, data)
    try:
        significance = float(inference.discovery(flat, data, best=fit).significance)
    except InputError:  # a bin without background
        significance = float("nan")
    held = {p.name: p.initial for p in flat.parameters if p.constraint is not None and not p.name.startswith("smooth_")}
    theory = {name: value for name, value in held.items() if name in of_signals(some)}

    def without(fixed: dict[str, float]) -> float:
        return inference.fit(flat, data, fixed=fixed).parameters["mu"].error

    return {
        "error": fit.parameters["mu"].error,
        "error without theory of the signal": without(theory),
        "statistical error": without(held),
        "q0": significance**2,
        "bins": float(flat.n_bins),
    }


def of_signals(config: RunConfig) -> set[str]:
    """Return the uncertainties of normalisation of signals only."""
    assert config.model is not None
    return {
        entry.parameter
        for entry in config.model.normalisations
        if entry.processes
        and set(entry.processes) <= set(config.model.signals)
        and entry.parameter.startswith("theory")
    }


def without_mc_statistics(made: inference.Workspace) -> inference.Workspace:
    """Return a workspace without errors of the templates; a bin without background gets a hundredth of the mean."""
    channels = []
    for channel in made.channels:
        backgrounds = [s for s in channel.samples if not any(m.parameter == "mu" for m in s.modifiers)]
        total = np.sum([s.yields for s in backgrounds], axis=0)
        missing = np.where(total > 0, 0.0, 0.01 * total.mean())
        samples = []
        for s in channel.samples:
            kept = tuple(m for m in s.modifiers if not isinstance(m, StatError))
            yields = tuple(np.add(s.yields, missing if s is backgrounds[0] else 0.0).tolist())
            samples.append(s.model_copy(update={"modifiers": kept, "yields": yields}))
        channels.append(channel.model_copy(update={"samples": tuple(samples)}))
    return made.model_copy(update={"channels": tuple(channels)})


def study(name: str, folder: Path, workers: int, luminosity: float = LUMINOSITY) -> dict[str, Any]:
    """Train, fit with and without, and compare."""
    folder.mkdir(parents=True, exist_ok=True)
    loaded, on = training.load(training_file(name, folder, workers))
    events, files = training.select(loaded, on, 0)
    trained = train(events, loaded)
    report = training.evaluate(loaded, events, trained)
    file = folder / f"{name}.json"
    write(training.with_origin(trained.model, loaded, files), file)
    boundaries = report["boundaries"]
    plain = run_config(name, folder, None, workers, luminosity)
    divided = run_config(name, folder, {"file": str(file), "boundaries": boundaries}, workers, luminosity)
    tallies = [engine.run(config, serially) for config in (plain, divided)]
    everything = list(range(PARTS))
    before, after = (expected(c, t, everything) for c, t in zip((plain, divided), tallies, strict=True))
    left_out = [
        [expected(c, t, [p for p in everything if p != part]) for c, t in zip((plain, divided), tallies, strict=True)]
        for part in everything
    ]
    gains = {what: jackknife(what, (before, after), left_out) for what in before if what != "bins"}
    return {
        "auc": report["auc"],
        "boundaries": boundaries,
        "importance": report["importance"],
        "without": before,
        "with": after,
        "gain": gains,
        "goal": STUDIES[name].goal,
    }


def jackknife(what: str, whole: Sequence[dict[str, float]], left_out: list[list[dict[str, float]]]) -> dict[str, float]:
    """Return the gain, corrected for the bias of few events, its statistical error and what was found uncorrected."""
    found = gain(what, whole[0][what], whole[1][what])
    values = np.array([gain(what, b[what], a[what]) for b, a in left_out])
    error = np.sqrt((PARTS - 1) / PARTS * np.sum((values - values.mean()) ** 2))
    corrected = PARTS * found - (PARTS - 1) * values.mean()
    return {"value": float(corrected), "error": float(error), "uncorrected": found}


def gain(what: str, before: float, after: float) -> float:
    """Return the relative improvement: a smaller error of μ, a larger q0."""
    return after / before - 1 if what == "q0" else 1 - after / before


def training_file(name: str, folder: Path, workers: int) -> Path:
    """Simulate what the shipped model of a channel is trained on, and return the configuration of its training."""
    return models.prepare(name, folder, workers)


def main() -> None:
    """Study the channels that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("channels", nargs="*", default=list(STUDIES), metavar="CHANNEL")
    parser.add_argument("--luminosity", type=float, default=LUMINOSITY, help="fb⁻¹")
    given = parser.parse_args()
    folder = Path("bench-classifier-gain")
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {"channels": {}}
    found["machine"] = {"processor": platform.processor() or platform.machine(), "parts": PARTS}
    for name in given.channels:
        key = name if given.luminosity == LUMINOSITY else f"{name} at {given.luminosity:g} fb⁻¹"
        found["channels"][key] = study(name, folder / name, workers=1, luminosity=given.luminosity)
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        for what, one in found["channels"][key]["gain"].items():
            print(f"{key}: {what} better by {one['value']:.1%} ± {one['error']:.1%}, goal {STUDIES[name].goal:.0%}")


if __name__ == "__main__":
    main()
