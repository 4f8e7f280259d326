"""Figures of a training, and the page that shows them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import mplhep
import numpy as np

from ..classify.training import Events, Trained, TrainingConfig
from .stack import save


def draw(
    config: TrainingConfig, events: Events, trained: Trained, results: dict[str, Any], folder: Path
) -> list[tuple[Path, str]]:
    """Draw all figures into *folder*; return each with its caption."""
    figures: list[tuple[str, str, Callable[[Any], None]]] = [
        ("roc", "ROC curve of events that their model has not seen, with its error", lambda a: _roc(a, results)),
        ("scores", "Scores by models that have seen the event (lines) and have not (points)",
         lambda a: _scores(a, config, events, trained)),
        ("importance", "Loss of AUC when an input is shuffled", lambda a: _importance(a, results)),
        ("calibration", "Share of signal by score, classes weighing the same", lambda a: _calibration(a, results)),
    ]  # fmt: skip
    if config.mass is not None:
        caption = f"{config.mass} of the background in quarters of the score"
        figures.append(("sculpting", caption, lambda a: _sculpting(a, config, events, trained)))
    made = []
    for name, caption, content in figures:
        with mpl.rc_context({**mplhep.style.CMS, "figure.constrained_layout.use": True, "font.size": 18}):
            figure, axes = plt.subplots(figsize=(9, 7))
            content(axes)
        save(figure, folder / f"{name}.png")
        made.append((folder / f"{name}.png", caption))
    return made


def page(config: TrainingConfig, results: dict[str, Any], figures: Sequence[tuple[Path, str]]) -> str:
    """Return the report as one HTML page."""
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
    table = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items())
    images = "".join(_figure(path, escape(caption)) for path, caption in figures)
    title = f"Training of {' against '.join(config.classes)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>body{font:16px system-ui;max-width:60rem;margin:2rem auto}td{padding:.2rem 1rem}img{max-width:100%}"
        f"</style><h1>{escape(title)}</h1><table>{table}</table>{images}</html>\n"
    )


def _figure(path: Path, caption: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="{caption}" src="data:image/png;base64,{content}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _roc(axes: Any, results: dict[str, Any]) -> None:
    x, y, band = (np.array(results["roc"][name]) for name in ("background", "signal", "band"))
    axes.plot(x, y, color="#3f90da", label=f"AUC = {results['auc']['value']:.3f} ± {results['auc']['error']:.3f}")
    axes.fill_between(x, y - band, y + band, color="#3f90da", alpha=0.3)
    axes.plot([0, 1], [0, 1], ":", color="gray")
    axes.set_xlabel("Background efficiency")
    axes.set_ylabel("Signal efficiency")
    axes.legend(loc="lower right")


def _scores(axes: Any, config: TrainingConfig, events: Events, trained: Trained) -> None:
    edges = np.linspace(0.0, 1.0, 41)
    for k, name in enumerate(config.classes):
        of_class = events.label == k
        weight = events.weight[of_class] / events.weight[of_class].sum()
        colour = ("#bd1f01", "#3f90da", "#ffa90e", "#a96b59", "#832db6")[k % 5]
        seen, _ = np.histogram(trained.seen[of_class, 0], edges, weights=weight)
        unseen, _ = np.histogram(trained.unseen[of_class, 0], edges, weights=weight)
        axes.stairs(seen, edges, color=colour, label=name)
        axes.plot(0.5 * (edges[1:] + edges[:-1]), unseen, ".", color=colour)
    axes.set_xlabel("Score")
    axes.set_ylabel("Share of events")
    axes.legend()


def _importance(axes: Any, results: dict[str, Any]) -> None:
    rows = sorted(results["importance"].items(), key=lambda row: float(row[1]["value"]))
    names = [name.replace("_", " ") for name, _ in rows]
    axes.barh(names, [row["value"] for _, row in rows], xerr=[row["error"] for _, row in rows], color="#3f90da")
    axes.set_xlabel("Loss of AUC")


def _calibration(axes: Any, results: dict[str, Any]) -> None:
    mean, share, error = np.array(results["calibration"]).T
    axes.errorbar(mean, share, error, fmt="o", color="black")
    axes.plot([0, 1], [0, 1], ":", color="gray")
    axes.set_xlabel("Mean score")
    axes.set_ylabel("Share of signal")


def _sculpting(axes: Any, config: TrainingConfig, events: Events, trained: Trained) -> None:
    background = events.label != 0
    mass, score, weight = events.mass[background], trained.unseen[background, 0], events.weight[background]
    which = np.searchsorted(np.quantile(score, [0.25, 0.5, 0.75]), score, side="right")
    edges = np.linspace(mass.min(), mass.max(), 31)
    for part in range(4):
        inside = which == part
        if inside.any():
            share, _ = np.histogram(mass[inside], edges, weights=weight[inside] / weight[inside].sum())
            axes.stairs(share, edges, label=f"quarter {part + 1}")
    axes.set_xlabel((config.mass or "").replace("_", " "))
    axes.set_ylabel("Share of events")
    axes.legend()
