"""The package's numbers: YAML files in ``data/``, each with its source."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

FOLDER = resources.files(__package__) / "data"


@cache
def load(name: str) -> dict[str, Any]:
    """Return the content of ``data/<name>.yaml``; it is shared and must not be changed."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), loader)
    return content
