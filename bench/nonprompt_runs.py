"""Runs whose samples are columns in memory, and pseudo-experiments of them with fakes whose number is known.

What the tests of the backgrounds from data and :mod:`bench.nonprompt_bias` share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench import generate_fakes as fakes
from gpuhiggs import backgrounds, config, inference, normalisation
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation, processing
from gpuhiggs.engine.tally import FileInfo, Tally
from gpuhiggs.histogram import Counts, Wide
from gpuhiggs.measurement import workspace


class Run(NamedTuple):
    """A configuration, and its sums."""

    config: RunConfig
    tally: Tally


def make_run(
    shipped: str, primary: str, data: Sequence[Any], simulation: Mapping[str, tuple[Any, float]], **settings: Any
) -> Run:
    """Process columns: *data* one after the other as one dataset, each *simulation* scaled by its factor."""
    datasets: list[dict[str, Any]] = [
        {"name": "data", "process": "data", "kind": "data", "primary_dataset": primary, "files": ["data"]}
    ]
    infos, sums = [], Counts()
    for process, (columns, factor) in simulation.items():
        n = columns.events.run.size
        datasets.append(
            {
                "name": process, "process": process, "kind": "simulation", "files": [process],
                "cross_section": factor * n / 1000.0,
            }
        )  # fmt: skip
        infos.append(FileInfo(process, process, process, n, float(n)))
    n = sum(columns.events.run.size for columns in data)
    infos.append(FileInfo("data", "data", "data", n, None))
    raw = {"selection": config.shipped_selection(shipped), "datasets": datasets, "lumi_mask": None, "luminosity": 1.0}
    loaded = config.validate(RunConfig, {**raw, **settings}, "test")
    text = loaded.model_dump_json(by_alias=True)
    for name, parts in {"data": data, **{name: [columns] for name, (columns, _) in simulation.items()}}.items():
        prepared = preparation.prepare(text, name)
        for columns in parts:
            counts, _ = processing.run_kernel(prepared, columns, columns.events.run.size)
            sums = sums + counts
    tally = Tally()
    tally.restore(infos, sums)
    return Run(loaded, tally)


def scaled(counts: Counts, share: float, random: np.random.Generator | None) -> Counts:
    """Return the data's sums, each event of weight 1, for fewer events: what is expected, or a draw of it."""
    found = dict(counts.sums)
    for (dataset, name), wide in counts.sums.items():
        if dataset == "data" and name.endswith("/sumw"):
            events = share * wide.to_float() * 2.0**-30
            events = events if random is None else random.poisson(events).astype(float)
            found[dataset, name] = Wide.of(np.rint(events * 2.0**30).astype(np.int64))
            whole = np.floor(events).astype(np.int64)
            squares = np.stack([whole, np.rint((events - whole) * 2.0**40).astype(np.int64)], axis=-1)
            found[dataset, f"{name}2"] = Wide.of(squares)
    return Counts(found)


Estimates = dict[str, inference.Estimate]

# --- four leptons --------------------------------------------------------------------------------------------------

ZX_MODEL = {
    "histogram": "m4l", "edges": [106, 112, 118, 122, 124, 126, 130, 134, 140],
    "channels": {"4mu": "* 4mu", "4e": "* 4e", "2e2mu": "* 2e2mu"},
    "signals": ["H"], "luminosity_uncertainty": 0.016,
}  # fmt: skip
ZX_SHARE = 1 / 6
"""Of the events below: a few dozen fakes under the peak, as an experiment has."""


def zx_fakes() -> list[Any]:
    """Return what data have of fakes: beside a Z one, two, and one beside a W."""
    return [
        fakes.four_lepton_fakes(100_000, fakes.Z_AND_ONE, 1),
        fakes.four_lepton_fakes(80_000, fakes.Z_AND_TWO, 2),
        fakes.four_lepton_fakes(1_500, fakes.WZ_AND_ONE, 7),
    ]


def zx_run(data: Sequence[Any]) -> Run:
    """Return data of fakes alone; :func:`zx_fit` puts signal and background into m4l by hand."""
    nothing = (fakes.four_lepton_fakes(50, fakes.ZZ, 8), 1e-9)
    return make_run(
        "cms-hzz4l-run2-ul", "EGamma", data, {"H": nothing, "ZZ": nothing}, model=ZX_MODEL, unblind=True,
        nonprompt={"process": "ZX", "prompt": ["H", "ZZ"], "electroweak": [], "systematic": 0.05},
    )  # fmt: skip


def zx_fit(run: Run, random: np.random.Generator | None, *, with_fakes: bool) -> Estimates:
    """Fit a peak of 60 events at 125 GeV over 60 of flat background, and the fakes, to data that hold all three."""
    tally = Tally()
    tally.restore(run.tally.complete, scaled(run.tally.counts, ZX_SHARE, random))
    histograms = normalisation.histograms(run.config, tally)
    by_process = histograms["m4l"]
    centres = by_process["H"].axes[1].centers
    peak = np.exp(-0.5 * ((centres - 125.0) / 2.0) ** 2)
    flat = (centres > 106) & (centres < 140)
    data: Any = by_process["data"].view(flow=True)
    for process, shape in (("H", 60 * peak / peak.sum()), ("ZZ", 60 * flat / flat.sum())):
        view: Any = by_process[process].view(flow=True)
        view.value[:], view.variance[:] = 0.0, 0.0
        view.value[12:15, 1:-1] = shape / 3  # untagged, the three final states
        view.variance[12:15, 1:-1] = 1e-4 * shape
        data.value[:15] += view.value[:15] if random is None else random.poisson(view.value[:15])
    return _fitted(run, tally, histograms, random, with_fakes=with_fakes)


# --- two leptons of different flavours -----------------------------------------------------------------------------

WW_MODEL = {
    "histogram": "m_ll", "edges": [12, 25, 35, 40, 45, 50, 55, 70, 90],
    "channels": {"SR": "SR *", "WW": {"categories": "WW *", "edges": [90, 210]}}, "left_out": "top *|DY*",
    "signals": ["H"], "luminosity_uncertainty": 0.016,
    "free": [{"parameter": "norm_WW", "processes": ["WW"]}],
}  # fmt: skip
WW_SHARE = 0.12


def ww_fakes() -> list[Any]:
    """Return what data have of fakes: dijets, one beside a W, two."""
    return [
        fakes.lepton_pair_fakes(80_000, fakes.DIJET, 1),
        fakes.lepton_pair_fakes(60_000, fakes.W_AND_FAKE, 2),
        fakes.lepton_pair_fakes(60_000, fakes.TWO_FAKES, 3),
    ]


def ww_run(data: Sequence[Any]) -> Run:
    """Return data of fakes alone; :func:`ww_fit` puts signal and background into m_ll by hand."""
    nothing = (fakes.lepton_pair_fakes(50, fakes.WW, 8), 1e-9)
    return make_run(
        "cms-hww-run2-ul", "MuonEG", data, {"H": nothing, "WW": nothing}, model=WW_MODEL, unblind=True,
        nonprompt={"process": "fakes", "prompt": ["H", "WW"], "systematic": 0.3},
    )  # fmt: skip


def ww_fit(run: Run, random: np.random.Generator | None, *, with_fakes: bool) -> Estimates:
    """Fit 150 events of signal and 600 of WW, 800 more in its control region, and fakes, to data that hold 1.2 WW."""
    tally = Tally()
    tally.restore(run.tally.complete, scaled(run.tally.counts, WW_SHARE, random))
    histograms = normalisation.histograms(run.config, tally)
    by_process = histograms["m_ll"]
    data: Any = by_process["data"].view(flow=True)
    low = np.array([25.0, 30, 15, 13, 10, 9, 15, 8, 0])
    for process, sr, ww, factor in (("H", 150 * low / low.sum(), 0.0, 1.0), ("WW", np.full(9, 75.0), 800.0, 1.2)):
        view: Any = by_process[process].view(flow=True)
        view.value[:], view.variance[:] = 0.0, 0.0
        view.value[0, 1:-1], view.value[13, 9] = sr * (np.arange(9) < 8), ww  # SR 0j high pT2, WW 0j
        view.variance[:16] = 1e-4 * view.value[:16]
        expected = factor * view.value[:16]
        data.value[:16] += expected if random is None else random.poisson(expected)
    return _fitted(run, tally, histograms, random, with_fakes=with_fakes)


def _fitted(
    run: Run, tally: Tally, histograms: dict[str, Any], random: np.random.Generator | None, *, with_fakes: bool
) -> Estimates:
    """Build the model, with the estimated fakes or without, and fit it."""
    model = run.config.model
    assert model is not None
    estimated = backgrounds.estimate(run.config, tally) if with_fakes else None
    if estimated is not None:
        template = estimated.templates[model.histogram]
        histograms[model.histogram] = {estimated.process: template, **histograms[model.histogram]}
    made = workspace.build(run.config, model, histograms, None, estimated)
    flat = inference.flatten(made)
    return inference.fit(flat, inference.observed(flat, made, integers=random is not None)).parameters


# --- two photons ---------------------------------------------------------------------------------------------------

GG_MODEL = {
    "histogram": "m_gg", "edges": list(range(100, 181, 2)), "channels": {"all": "*"}, "signals": ["H"],
    "luminosity_uncertainty": 0.016, "smooth": {"processes": ["gg"], "degree": 2},
}  # fmt: skip


def gg_run(data: Sequence[Any]) -> Run:
    """Return a run of pairs with a jet; :func:`gg_fit` takes its configuration only."""
    nothing = (fakes.photon_pair_fakes(50, (True, True), 8), 1e-9)
    return make_run("cms-hgg-run2-ul", "EGamma", data, {"H": nothing, "gg": nothing}, model=GG_MODEL, unblind=True)


def gg_fit(run: Run, random: np.random.Generator | None, *, with_fakes: bool) -> Estimates:
    """Fit a peak of 90 events to data with 1200 pairs of photons, and 800 with a jet that fall more steeply.

    Simulation knows the pairs of photons only. With the sidebands the data say what the background is.
    """
    assert run.config.model is not None
    histograms = normalisation.histograms(run.config, run.tally)
    by_process = histograms["m_gg"]
    centres = by_process["H"].axes[1].centers
    peak = np.exp(-0.5 * ((centres - 125.0) / 1.8) ** 2)
    prompt, jets = (np.exp(-slope * (centres - 100.0)) for slope in (0.025, 0.045))
    data: Any = by_process["data"].view(flow=True)
    data.value[:], data.variance[:] = 0.0, 0.0
    added = 800 * jets / jets.sum()
    for process, shape, more in (("H", 90 * peak / peak.sum(), 0.0), ("gg", 1200 * prompt / prompt.sum(), added)):
        view: Any = by_process[process].view(flow=True)
        view.value[:], view.variance[:] = 0.0, 0.0
        view.value[0, 1:-1], view.variance[0, 1:-1] = shape, 1e-4 * shape
        data.value[0, 1:-1] += shape + more if random is None else random.poisson(shape + more)
    changed = run if with_fakes else run._replace(config=_without_sidebands(run.config))
    return _fitted(changed, run.tally, histograms, random, with_fakes=False)


def _without_sidebands(loaded: RunConfig) -> RunConfig:
    assert loaded.model is not None
    return loaded.model_copy(update={"model": loaded.model.model_copy(update={"smooth": None})})
