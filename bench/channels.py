"""The channels that are timed and tested on generated events: for each its selection and its generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bench import generate, generate_pairs


class Case(NamedTuple):
    """One channel."""

    selection: str
    make: Callable[..., Any]
    """From a number of events, the share to be preselected and a seed to columns."""


CASES = {
    "four_lepton": Case("cms-hzz4l-run2-ul", generate.four_lepton),
    "four_lepton_atlas": Case("atlas-hzz4l-open-data-2020", generate.four_lepton_atlas),
    "four_lepton_atlas_2025": Case("atlas-hzz4l-open-data-2025", generate_pairs.four_lepton_atlas_2025_events),
    "diphoton": Case("cms-hgg-run2-ul", generate_pairs.photon_pairs),
    "diphoton_atlas": Case("atlas-hgg-open-data-2020", generate_pairs.photon_pairs_atlas),
    "dilepton": Case("cms-hww-run2-ul", generate_pairs.lepton_pairs),
    "dilepton_atlas": Case("atlas-hww-open-data-2020", generate_pairs.lepton_pairs_atlas),
}
