"""Events of two and three classes, with what classifiers make of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest


class Events(NamedTuple):
    """Inputs, shape (events, inputs), and labels of two and of three classes."""

    values: np.ndarray
    two: np.ndarray
    three: np.ndarray


@pytest.fixture(scope="session")
def events() -> Events:
    """3,000 events with 8 inputs, float32 as event files have them."""
    random = np.random.default_rng(1)
    values = random.normal(size=(3000, 8)).astype(np.float32)
    noise = random.normal(size=3000)
    two = (values[:, 0] * values[:, 1] + np.sin(2 * values[:, 2]) + 0.3 * values[:, 3] + noise > 0).astype(int)
    three = (values[:, 0] > 0).astype(int) + (values[:, 1] + 0.3 * noise > 0)
    return Events(values, two, three)


@pytest.fixture(scope="session")
def holes(events: Events) -> np.ndarray:
    """The same inputs with one in twenty missing."""
    values = events.values.copy()
    values[np.random.default_rng(2).random(values.shape) < 0.05] = np.nan
    return values
