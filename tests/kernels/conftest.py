"""What the kernel tests share: events made by hand.

Random events come from ``bench/generate.py``, and channels are run on them through ``bench/in_memory.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from gpuhiggs.columns import assemble, has_objects
from gpuhiggs.kernels.language import fields, leaf_kind

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # bench/ is not installed

settings.register_profile("kernels", deadline=None)  # the first call of a function compiles it
settings.load_profile("kernels")

Event = Mapping[str, Any]
"""By collection: a mapping of fields, or a list of such mappings, one an object."""


def _collect(inputs: type, events: Sequence[Event]) -> Any:
    arrays: dict[tuple[str, str], np.ndarray] = {}
    for name, tuple_type in fields(inputs).items():
        found = [event.get(name, [] if has_objects(inputs, name) else {}) for event in events]
        objects = [entry for part in found for entry in part] if has_objects(inputs, name) else found
        for field, hint in fields(tuple_type).items():
            values = np.cumsum([0, *map(len, found)]) if field == "offsets" else [entry[field] for entry in objects]
            arrays[name, field] = np.array(values, dtype=leaf_kind(hint)[1])
    return assemble(inputs, len(events), arrays)


@pytest.fixture(scope="session")
def collect() -> Callable[[type, Sequence[Event]], Any]:
    """A function from the ``Inputs`` of a channel and a list of events to columns."""
    return _collect
