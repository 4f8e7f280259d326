"""What a selection does with a classifier, as the kernels take it."""

from __future__ import annotations

from functools import lru_cache
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
    model = None if config is None or config.file is None else _read(Path(config.file), _stamp(Path(config.file)))
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


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=16)
def _read(path: Path, stamp: int) -> Classifier:
    return read(path)
