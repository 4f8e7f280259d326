"""Scores inside a channel: its features through a classifier, and the part of a category that an event falls into."""

from __future__ import annotations

from typing import NamedTuple

from . import classifier as models
from .classifier import Classifier
from .exact import NAN
from .language import Float64, Int64, local, scalar

CAPACITY = models.INPUTS
"""Of a channel's features."""


class Scoring(NamedTuple):
    """What a selection does with a classifier; without one every category has one part."""

    classifier: Classifier
    feature: Int64
    """Which feature of the channel each input is."""
    output: int
    parts: int
    boundaries: Float64
    """Where the score cuts a category into its parts, rising, shape (parts - 1,)."""
    record: int
    """Whether the features of selected events are kept: for training."""


@scalar
def wants_features(scoring):
    """Whether the features of an event are of any use."""
    return scoring.record == 1 or scoring.classifier.kind != models.NONE


@scalar
def score_of(scoring, features):
    """Return the score of an event; NaN without a classifier."""
    model = scoring.classifier
    if model.kind == models.NONE:
        return NAN
    values = local(64)
    scores = local(16)
    for i in range(model.inputs):
        values[i] = features[scoring.feature[i]]
    models.scores(model, values, scores)
    return scores[scoring.output]


@scalar
def part_of(scoring, score):
    """Return the part of its category that an event with this score is in: 0 is the lowest."""
    part = 0
    for boundary in range(scoring.parts - 1):
        if score >= scoring.boundaries[boundary]:
            part = boundary + 1
    return part


@scalar
def record_features(scoring, selected, place, features, n, score):
    """Keep the *n* features of a selected event, and its score after them, where they are asked for."""
    if scoring.record == 1 and place >= 0 and place < selected.capacity:
        first = place * (n + 1)
        for i in range(n):
            selected.features[first + i] = features[i]
        selected.features[first + n] = score
