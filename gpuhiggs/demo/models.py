"""What the package's classifiers are trained on, and with: ``python -m gpuhiggs.demo.models NAME FOLDER``."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from .. import config as configuration
from ..simulate import simulate
from . import analysis

LUMINOSITY = 138.0
"""fb⁻¹ that events are weighted to: it does not matter for what is trained."""


def prepare(name: str, folder: Path, workers: int) -> Path:
    """Simulate what a classifier is trained on, and write the configuration of its training.

    Parameters
    ----------
    name
        ``four_lepton``, ``diphoton`` or ``dilepton``.
    folder
        Receives a file a process, ``analysis.yaml`` and ``training.yaml``.

    Returns
    -------
    Path
        What ``gpuhiggs train`` takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with resources.as_file(resources.files("gpuhiggs.classify") / "models" / f"{name}.yaml") as path:
        recipe = configuration.read_yaml(path)
    demo = analysis.load(name)
    made = {
        process: simulate(process, n, folder / f"{process}-training.root", seed=recipe["seed"], workers=workers)
        for process, n in recipe["samples"].items()
    }
    raw: dict[str, Any] = {
        "selection": demo.selection,
        "luminosity": LUMINOSITY,
        "datasets": [
            {
                "name": process,
                "process": demo.samples[process].process,
                "kind": "simulation",
                "files": [sample.path.name],
                "cross_section": sample.cross_section,
            }
            for process, sample in made.items()
        ],
    }
    (folder / "analysis.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    file = folder / "training.yaml"
    content = {"analysis": "analysis.yaml", **recipe["training"]}
    file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


if __name__ == "__main__":
    sys.stdout.write(f"{prepare(sys.argv[1], Path(sys.argv[2]), workers=2)}\n")
