"""What a background estimate gives: templates for figures and the model, their uncertainties, and its own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import hist
import numpy as np

from ..histogram import HistogramSpec
from .cells import Cells


class Uncertainty(NamedTuple):
    """A relative uncertainty of some categories of the prediction, beside the errors of its bins."""

    parameter: str
    relative: dict[str, float]
    """By category; one that is not there is not changed."""


@dataclass(frozen=True)
class Estimate:
    """A background from data.

    Attributes
    ----------
    process
        Its name beside the simulated processes.
    templates
        By histogram name: the prediction over (category, axis), errors of the control regions' statistics by bin.
    uncertainties
        What the model's nuisance parameters are.
    control
        By name and process: control regions, for figures and files.
    summary
        The numbers, as plain JSON values.
    notes
        What a reader has to know: empty regions, rates from elsewhere.
    """

    process: str
    templates: dict[str, hist.Hist[Any]]
    uncertainties: tuple[Uncertainty, ...]
    control: dict[str, dict[str, hist.Hist[Any]]]
    summary: dict[str, Any]
    notes: tuple[str, ...]


def to_hist(spec: HistogramSpec, cells: Cells) -> hist.Hist[Any]:
    """Return events over (category, axis), flow bins included, with Weight storage."""
    histogram = hist.Hist(
        hist.axis.StrCategory(spec.categories, name="category", label="Category"),
        spec.axis.to_hist(),
        storage=hist.storage.Weight(),
        name=spec.name,
        label="Events",
    )
    view: Any = histogram.view(flow=True)[: len(spec.categories)]  # StrCategory has one overflow bin of its own
    view.value, view.variance = cells.value, np.maximum(cells.variance, 0.0)
    return histogram
