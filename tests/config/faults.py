"""A configuration without faults, edits that give it one, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuhiggs import config
from gpuhiggs.config import RunConfig
from gpuhiggs.errors import ConfigError

Raw = dict[str, Any]
Edit = Callable[[Raw], object]


def good() -> Raw:
    """A configuration without faults."""
    return {
        "selection": "cms-hzz4l-run2-ul",
        "luminosity": 59.83,
        "lumi_mask": None,
        "datasets": [
            {"name": "d", "process": "data", "kind": "data", "primary_dataset": "MuonEG", "files": "d.root"},
            {"name": "s", "process": "ZZ", "kind": "simulation", "cross_section": 1.3, "files": ["s1.root", "s2.root"]},
        ],
        "processes": {"ZZ": {"label": "$ZZ$"}},
    }


def load(folder: Path, raw: Any) -> RunConfig:
    path = folder / "run.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return config.load(path)


def error_of(folder: Path, raw: Any) -> str:
    """Load a configuration that has a fault; return the message, whose every line starts with the file's path."""
    with pytest.raises(ConfigError) as error:
        load(folder, raw)
    lines = str(error.value).splitlines()
    assert lines[0].startswith(str(folder))
    return "\n".join(line.removeprefix(f"{folder / 'run.yaml'}: ") for line in lines)


def edited(*edits: Edit) -> Raw:
    raw = good()
    for edit in edits:
        edit(raw)
    return raw


def set_in(*place: Any) -> Edit:
    """An edit that puts its last argument at the place of the others."""

    def edit(raw: Raw) -> None:
        *path, key, value = place
        for part in path:
            raw = raw.setdefault(part, {}) if isinstance(raw, dict) else raw[part]
        raw[key] = value

    return edit
