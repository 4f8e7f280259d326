"""What a training gives, as sections of a page: quality, scores, inputs, and whether the mass is left alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..classify.training import Events, Trained, TrainingConfig
from .figure import Block, Figure, Section, Table
from .numbers import Column, Numbers, symmetric
from .page import Head
from .style import COLORS

CLASS_COLORS = (COLORS[2], COLORS[0], COLORS[1], COLORS[5], COLORS[4])


def head(config: TrainingConfig) -> Head:
    """Return what stands above the page."""
    title = f"Training of {' against '.join(config.classes)}"
    return Head(title, f"Inputs: {', '.join(config.inputs)}.")


def sections(config: TrainingConfig, events: Events, trained: Trained, results: dict[str, Any]) -> list[Section]:
    """Return the sections of the page."""
    quality: list[Block] = [_summary(results), _roc(results), _scores(config, events, trained), _calibration(results)]
    if "confusion" in results:
        quality.append(_classes(config, results))
    inputs: list[Block] = [_importance(results)]
    if config.mass is not None:
        inputs.append(_sculpting(config.mass, events, trained))
    return [Section("quality", "Quality", quality), Section("inputs", "Inputs", inputs)]


def _summary(results: dict[str, Any]) -> Table:
    rows = {
        "AUC, unseen events": f"{results['auc']['value']:.4f} ± {results['auc']['error']:.4f}",
        "AUC, seen events": f"{results['auc_seen']:.4f}",
        "Boundaries": ", ".join(f"{b:.4f}" for b in results["boundaries"]) or "none",
        "Expected q0, divided": f"{results['q0']:.3f}",
        "Expected q0, undivided": f"{results['q0_undivided']:.3f}",
        **{f"Events, {name}": str(n) for name, n in results["events"].items()},
        **{
            f"Seen against unseen, {name}": f"KS distance {row['distance']:.4f}, p = {row['p_value']:.3g}"
            for name, row in results["overtraining"].items()
        },
    }
    columns = (Column("quantity", list(rows), independent=True), Column("value", list(rows.values())))
    caption = "Unseen: each event's score is that of a model that was not trained on it."
    return Table("summary", "Training", caption, Numbers(columns))


def _classes(config: TrainingConfig, results: dict[str, Any]) -> Table:
    names = list(config.classes)
    areas = [f"{results['auc_of_class'][n]['value']:.3f} ± {results['auc_of_class'][n]['error']:.3f}" for n in names]
    taken = [
        Column(f"taken for {name}", [f"{row[k]:.3f}" for row in results["confusion"]]) for k, name in enumerate(names)
    ]
    columns = (Column("class", names, independent=True), Column("AUC, against all others", areas), *taken)
    caption = "Unseen events; each is taken for the class of its highest score, and rows add up to 1."
    return Table("classes", "Classes", caption, Numbers(columns))


def _figure(name: str, title: str, caption: str, content: Callable[[Any], None], *tables: Numbers) -> Figure:
    return Figure(name, title, caption, partial(_draw, content), tables)


def _draw(content: Callable[[Any], None]) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=(9, 7))
    content(axes)
    return canvas


def _roc(results: dict[str, Any]) -> Figure:
    x, y, band = (np.array(results["roc"][name]) for name in ("background", "signal", "band"))
    area = results["auc"]

    def draw(axes: Any) -> None:
        axes.plot(x, y, color=COLORS[0], label=f"AUC = {area['value']:.3f} ± {area['error']:.3f}")
        axes.fill_between(x, y - band, y + band, color=COLORS[0], alpha=0.3)
        axes.plot([0, 1], [0, 1], ":", color="gray")
        axes.set(xlabel="Background efficiency", ylabel="Signal efficiency", xlim=(0, 1), ylim=(0, 1.05))
        axes.legend(loc="lower right")

    columns = (
        Column("background efficiency", x, independent=True),
        Column("signal efficiency", y, errors=(symmetric(band, "stat"),)),
    )
    caption = "Events that their model has not seen; the band is the statistical error of the area."
    return _figure("roc", "ROC curve", caption, draw, Numbers(columns))


def _scores(config: TrainingConfig, events: Events, trained: Trained) -> Figure:
    edges = np.linspace(0.0, 1.0, 41)
    centers = (edges[1:] + edges[:-1]) / 2
    shares = {}
    for k, name in enumerate(config.classes):
        of_class = events.label == k
        weight = events.weight[of_class] / events.weight[of_class].sum()
        shares[name] = tuple(
            np.histogram(scores[of_class, 0], edges, weights=weight)[0] for scores in (trained.seen, trained.unseen)
        )

    def draw(axes: Any) -> None:
        for k, (name, (seen, unseen)) in enumerate(shares.items()):
            color = CLASS_COLORS[k % len(CLASS_COLORS)]
            axes.stairs(seen, edges, color=color, label=name, linewidth=2)
            axes.plot(centers, unseen, "o", color=color, markersize=5)
        axes.set(xlabel="Score", ylabel="Share of events", xlim=(0, 1))
        axes.legend()

    columns = [Column("score", centers, low=edges[:-1], high=edges[1:], independent=True)]
    for name, (seen, unseen) in shares.items():
        columns += [Column(f"{name}, seen", seen), Column(f"{name}, unseen", unseen)]
    caption = "Scores by models that have seen the event (lines) and by models that have not (points)."
    return _figure("scores", "Scores", caption, draw, Numbers(tuple(columns)))


def _importance(results: dict[str, Any]) -> Figure:
    rows = sorted(results["importance"].items(), key=lambda row: float(row[1]["value"]))
    names = [name.replace("_", " ") for name, _ in rows]
    values, errors = ([row[key] for _, row in rows] for key in ("value", "error"))

    def draw(axes: Any) -> None:
        axes.barh(names, values, xerr=errors, color=COLORS[0])
        axes.tick_params(axis="y", which="both", left=False, right=False, labelsize=16)
        axes.set_xlabel("Loss of AUC")

    columns = (
        Column("input", names, independent=True),
        Column("loss of AUC", values, errors=(symmetric(errors, "stat"),)),
    )
    caption = "Loss of the area under the ROC curve when the values of one input are shuffled among events."
    return _figure("importance", "Importance of the inputs", caption, draw, Numbers(columns))


def _calibration(results: dict[str, Any]) -> Figure:
    mean, share, error = np.array(results["calibration"]).T

    def draw(axes: Any) -> None:
        axes.errorbar(mean, share, error, fmt="o", color="black")
        axes.plot([0, 1], [0, 1], ":", color="gray")
        axes.set(xlabel="Mean score", ylabel="Share of signal")

    columns = (
        Column("mean score", mean, independent=True),
        Column("share of signal", share, errors=(symmetric(error, "stat"),)),
    )
    caption = "Share of signal by score, with classes that weigh the same, as in training."
    return _figure("calibration", "Calibration", caption, draw, Numbers(columns))


def _sculpting(variable: str, events: Events, trained: Trained) -> Figure:
    background = events.label != 0
    mass, score, weight = events.mass[background], trained.unseen[background, 0], events.weight[background]
    which = np.searchsorted(np.quantile(score, [0.25, 0.5, 0.75]), score, side="right")
    edges = np.linspace(mass.min(), mass.max(), 31)
    shares = {
        f"quarter {part + 1}": np.histogram(
            mass[which == part], edges, weights=weight[which == part] / weight[which == part].sum()
        )[0]
        for part in range(4)
        if np.any(which == part)
    }

    def draw(axes: Any) -> None:
        for k, (name, share) in enumerate(shares.items()):
            axes.stairs(share, edges, label=name, color=COLORS[k], linewidth=2)
        axes.set(xlabel=variable.replace("_", " "), ylabel="Share of events")
        axes.legend()

    centers = (edges[1:] + edges[:-1]) / 2
    columns = [Column(variable, centers, low=edges[:-1], high=edges[1:], independent=True)]
    columns += [Column(name, share) for name, share in shares.items()]
    caption = f"{variable} of the background in quarters of the score: a classifier that shapes it would show here."
    return _figure("sculpting", "Mass of the background", caption, draw, Numbers(tuple(columns)))
