"""What a selection does with a classifier, as the kernels take it."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from gpuhiggs.classify.model import Classifier, read
from gpuhiggs.classify.tables import tables
from gpuhiggs.config import ClassifierConfig
from gpuhiggs.errors import ConfigError
from gpuhiggs.kernels.scoring import Scoring


def scoring(config: ClassifierConfig | None, channel: str, features: tuple[str, ...]) -> Scoring:
    """Lay out a selection's classifier for the kernel of a channel that has these *features*.

    Raises
    ------
    ConfigError
        If the model takes a feature or lacks an output that is asked for; InputError if it cannot be read.
    """
    model = _model(config)
    places, output = [0], 0
    if config is not None and model is not None:
        if unknown := [name for name in model.inputs if name not in features]:
            known = ", ".join(features) or "nothing"
            msg = f"{config.file}: takes {', '.join(unknown)}; the channel {channel} has {known}"
            raise ConfigError(msg)
        places = [features.index(name) for name in model.inputs]
        wanted = config.output or model.outputs[0]
        if wanted not in model.outputs:
            msg = f"classifier.output: {wanted!r} unknown; {config.file} gives {', '.join(model.outputs)}"
            raise ConfigError(msg)
        output = model.outputs.index(wanted)
    boundaries = () if config is None else config.boundaries
    return Scoring(
        classifier=tables(model),
        feature=np.array(places, dtype=np.int64),
        output=output,
        parts=1 + len(boundaries),
        boundaries=np.array(boundaries or (0.0,), dtype=np.float64),
        record=int(config is not None and config.record),
    )


def trained_on(config: ClassifierConfig | None) -> frozenset[str]:
    """Return the unique identifiers of the files whose events a selection's classifier was trained on."""
    model = _model(config)
    return frozenset() if model is None else frozenset(model.training.get("files", ()))


def shipped_models() -> list[str]:
    """Return the names of the classifiers that come with the package, for ``file: shipped://NAME``."""
    return sorted(entry.name.removesuffix(".json") for entry in _SHIPPED.iterdir() if entry.name.endswith(".json"))


_SHIPPED = resources.files("gpuhiggs.classify") / "models"
_PREFIX = "shipped://"


def _model(config: ClassifierConfig | None) -> Classifier | None:
    if config is None or config.file is None:
        return None
    if not config.file.startswith(_PREFIX):
        return _read(Path(config.file), _stamp(Path(config.file)))
    name = config.file.removeprefix(_PREFIX)
    if name not in shipped_models():
        msg = f"classifier.file: {config.file}: the package has {', '.join(_PREFIX + n for n in shipped_models())}"
        raise ConfigError(msg)
    with resources.as_file(_SHIPPED / f"{name}.json") as path:
        return _read(path, _stamp(path))


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=16)
def _read(path: Path, stamp: int) -> Classifier:
    return read(path)
