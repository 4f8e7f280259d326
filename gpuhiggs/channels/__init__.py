"""Channels: one file each, from the numbers of a selection to what its kernel is handed.

A selection's YAML file lies beside its channel: every cut and binning with the publication or the code it comes from.
"""

from __future__ import annotations

from ..errors import ConfigError
from . import diphoton, four_lepton, four_lepton_atlas
from .channel import Channel

_ALL = (four_lepton.CHANNEL, four_lepton_atlas.CHANNEL, diphoton.CHANNEL)
CHANNELS: dict[str, Channel] = {channel.name: channel for channel in _ALL}

__all__ = ["CHANNELS", "Channel", "find"]


def find(name: str) -> Channel:
    """Return a channel by name.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if name not in CHANNELS:
        msg = f"unknown channel {name!r}; known: {', '.join(CHANNELS)}"
        raise ConfigError(msg)
    return CHANNELS[name]
