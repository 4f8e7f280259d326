"""Channels: one file each, from the numbers of a selection to what its kernel is handed.

A selection's YAML file lies beside its channel: every cut and binning with the publication or the code it comes from.
"""

from __future__ import annotations

from .. import channel_file
from ..errors import ConfigError, choices
from . import (
    dilepton,
    dilepton_atlas,
    diphoton,
    diphoton_atlas,
    four_lepton,
    four_lepton_atlas,
    four_lepton_atlas_2025,
    from_file,
)
from .channel import Channel

_ALL = (
    four_lepton.CHANNEL,
    four_lepton_atlas.CHANNEL,
    four_lepton_atlas_2025.CHANNEL,
    diphoton.CHANNEL,
    diphoton_atlas.CHANNEL,
    dilepton.CHANNEL,
    dilepton_atlas.CHANNEL,
)
CHANNELS: dict[str, Channel] = {channel.name: channel for channel in _ALL}

__all__ = ["CHANNELS", "Channel", "find"]


def find(name: str) -> Channel:
    """Return a channel by name, or that of a user's own file by its path.

    Raises
    ------
    ConfigError
        If there is none of this name, or the file is no channel.
    """
    if channel_file.is_file(name):
        return from_file.channel(name)
    if name not in CHANNELS:
        msg = f"unknown channel {name!r}; {choices(name, [*CHANNELS, 'or a Python file of your own'])}"
        raise ConfigError(msg)
    return CHANNELS[name]
