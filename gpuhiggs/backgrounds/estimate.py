"""The background from data that a run's configuration asks for, by its channel."""

from __future__ import annotations

from collections.abc import Callable

from .. import channels
from ..config import NonPromptConfig, RunConfig
from ..engine.tally import Tally
from ..errors import ConfigError
from . import cells, fake_factors, photons, zx
from .result import Estimate

METHODS: dict[str, Callable[[RunConfig, NonPromptConfig, Tally], Estimate]] = {
    "four_lepton": zx.estimate,
    "dilepton": fake_factors.estimate,
    "diphoton": photons.estimate,
}
"""By channel."""


def check(config: RunConfig) -> None:
    """Check ``nonprompt`` against the channel and the datasets, before anything is processed.

    Raises
    ------
    ConfigError
        If it does not fit.
    """
    if config.nonprompt is None:
        return
    if config.selection.channel not in METHODS:
        msg = f"nonprompt: there is no method for the channel {config.selection.channel}; known: {', '.join(METHODS)}"
        raise ConfigError(msg)
    channels.find(config.selection.channel).regions(config.selection)
    cells.check(config)


def estimate(config: RunConfig, tally: Tally) -> Estimate | None:
    """Return the estimate; None where the configuration asks for none.

    Raises
    ------
    InputError
        If the control regions cannot be used, or a dataset that they need is missing.
    """
    if config.nonprompt is None:
        return None
    return METHODS[config.selection.channel](config, config.nonprompt, tally)
