"""Training with scikit-learn: k folds, so that no event is scored by a model that has seen it, and one final model.

scikit-learn is imported here when something is trained, and nowhere at start-up.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, model_validator

from gpuhiggs.classify.model import Classifier
from gpuhiggs.classify.predict import predict
from gpuhiggs.classify.scikit_learn import from_scikit_learn
from gpuhiggs.config import Model
from gpuhiggs.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class TreesConfig(Model):
    """``HistGradientBoostingClassifier``; training stops when a tenth of the events sees no gain any more."""

    kind: Literal["trees"] = "trees"
    max_trees: PositiveInt = 300
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_leaves: int = Field(default=31, ge=2)
    min_events_in_leaf: PositiveInt = 50
    regularisation: float = Field(default=1.0, ge=0)
    """L2, on the values of leaves."""
    patience: PositiveInt = 15


class NetworkConfig(Model):
    """``MLPClassifier`` on inputs of mean 0 and width 1; it stops as the trees do."""

    kind: Literal["network"] = "network"
    layers: tuple[PositiveInt, ...] = Field(default=(32, 16), min_length=1)
    activation: Literal["relu", "tanh", "logistic"] = "tanh"
    max_epochs: PositiveInt = 100
    learning_rate: float = Field(default=1e-3, gt=0)
    regularisation: float = Field(default=1e-4, ge=0)
    patience: PositiveInt = 10


class TrainingConfig(Model):
    """What to train, on which events, how to look at it."""

    analysis: str
    """The configuration of a run: its datasets and selection; the channel's features are recorded."""
    classes: dict[str, tuple[str, ...]] = Field(min_length=2)
    """Processes by class; the first is the signal of two."""
    inputs: tuple[str, ...] = Field(min_length=1)
    """Features of the channel."""
    model: TreesConfig | NetworkConfig = Field(discriminator="kind")
    seed: int = Field(ge=0)
    folds: int = Field(default=4, ge=2, le=20)
    negative_weights: Literal["refuse", "drop", "absolute"] = "refuse"
    """What becomes of events of negative weight in training; the report always counts them as they are."""
    balance: bool = True
    """Whether all classes weigh the same in training."""
    mass: str | None = None
    """The column whose distribution the score should leave alone: a check in the report."""
    window: tuple[float, float] | None = None
    """Only events with a mass in this range are trained on."""
    categories: str | None = None
    """Only events in categories that match this pattern, such as ``"SR *"``, are trained on."""
    resolution: str | None = None
    """A column with the resolution of the mass: signal events weigh its inverse in training, as a peak of that width is
    worth over a smooth background. It need not be an input."""
    parts: int = Field(default=3, ge=1, le=8)
    """Parts of a category whose boundaries are optimised."""
    peak: tuple[float, float] | None = None
    """The range in the mass in which the boundaries count signal and background."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        processes = [process for group in self.classes.values() for process in group]
        if twice := {process for process in processes if processes.count(process) > 1}:
            msg = f"classes: {', '.join(sorted(twice))} stands twice"
            raise ValueError(msg)
        if empty := [name for name, group in self.classes.items() if not group]:
            msg = f"classes: {', '.join(empty)} has no process"
            raise ValueError(msg)
        if self.mass is None and (self.window or self.peak):
            msg = "window and peak need mass, the column that they are ranges of"
            raise ValueError(msg)
        for name in ("window", "peak"):
            if (limits := getattr(self, name)) and not limits[0] < limits[1]:
                msg = f"{name}: {list(limits)} does not rise"
                raise ValueError(msg)
        return self


class Events(NamedTuple):
    """Events to train on, all of one length.

    Attributes
    ----------
    values
        Inputs, shape (events, inputs).
    label
        Index of the class.
    weight
        Events expected; may be negative.
    mass
        The column of the sculpting check; zeros without one.
    fold
        The fold of each event.
    width
        The resolution of the mass, whose inverse signal events weigh in training; ones without it.
    """

    values: Floats
    label: Ints
    weight: Floats
    mass: Floats
    fold: Ints
    width: Floats

    def take(self, mask: NDArray[Any]) -> Events:
        """Return some of the events."""
        return Events(*(column[mask] for column in self))


class Trained(NamedTuple):
    """What came out: the model of all events; scores by models that have seen an event, and that have not."""

    model: Classifier
    seen: Floats
    unseen: Floats
    """Shape (events, outputs)."""


def folds(n_events: int, n_folds: int, seed: int) -> Ints:
    """Deal events to folds of one size at random."""
    dealt: Ints = np.random.default_rng(seed).permutation(n_events) % n_folds
    return dealt


def check(events: Events, config: TrainingConfig) -> Events:
    """Return the events to train on, negative weights treated as the configuration says.

    Raises
    ------
    InputError
        For a class without events, an input that is NaN or infinite, a resolution that is not positive, a negative
        weight that is not provided for.
    """
    bad = ~np.isfinite(events.values)
    if bad.any():
        event, column = np.argwhere(bad)[0]
        msg = f"training: input {config.inputs[column]!r} of event {event} is {events.values[event, column]}"
        raise InputError(msg)
    if (wrong := np.flatnonzero(~(np.isfinite(events.width) & (events.width > 0)))).size:
        msg = f"training: the resolution of event {wrong[0]} is {events.width[wrong[0]]}, expected a positive number"
        raise InputError(msg)
    negative = events.weight < 0
    if negative.any():
        if config.negative_weights == "refuse":
            share = np.mean(negative)
            msg = f"training: {share:.1%} of the events have negative weights; say drop or absolute in negative_weights"
            raise InputError(msg)
        weight = np.abs(events.weight)
        events = events._replace(weight=weight)
        if config.negative_weights == "drop":
            events = events.take(~negative)
    for k, name in enumerate(config.classes):
        for fold in range(config.folds):
            if not events.weight[(events.label == k) & (events.fold != fold)].sum() > 0:
                msg = f"training: class {name!r} has no events outside fold {fold}"
                raise InputError(msg)
    return events


def train(events: Events, config: TrainingConfig) -> Trained:
    """Train a model for each fold without its events, and one on all.

    Raises
    ------
    InputError
        As :func:`check`.
    """
    usable = check(events, config)
    n_outputs = 1 if len(config.classes) == 2 else len(config.classes)
    seen = np.zeros((len(events.weight), n_outputs))
    unseen = np.zeros_like(seen)
    for fold in range(config.folds):
        model = fit(usable.take(usable.fold != fold), config)
        scores = predict(model, events.values)
        inside = events.fold == fold
        unseen[inside] = scores[inside]
        seen[~inside] += scores[~inside] / (config.folds - 1)
    return Trained(fit(usable, config), seen, unseen)


def fit(events: Events, config: TrainingConfig) -> Classifier:
    """Train one model; the same events and configuration give the same model."""
    from threadpoolctl import threadpool_limits

    weight = training_weights(events, len(config.classes), config.balance)
    estimator = _estimator(config)
    name = "mlpclassifier__sample_weight" if config.model.kind == "network" else "sample_weight"
    with threadpool_limits(1):  # one thread: the sums inside do not depend on the machine, and others may use it
        estimator.fit(events.values, events.label, **{name: weight})
    classes = tuple(config.classes)
    model = from_scikit_learn(estimator, inputs=config.inputs, outputs=classes[:1] if len(classes) == 2 else classes)
    if len(classes) == 2:
        model = _of_first_class(model)
    return model.model_copy(update={"training": {"sha256": digest(events, config)}})


def training_weights(events: Events, n_classes: int, balance: bool) -> Floats:
    """Scale weights to a mean of one; where asked, all classes to the same sum."""
    weight = events.weight / np.where(events.label == 0, events.width, 1.0)
    if balance:
        sums = np.bincount(events.label, weights=weight, minlength=n_classes)
        weight /= sums[events.label]
    scaled: Floats = weight * (len(weight) / weight.sum())
    return scaled


def digest(events: Events, config: TrainingConfig) -> str:
    """Return the SHA-256 of all that decides about a training."""
    found = hashlib.sha256(config.model_dump_json(exclude={"analysis"}).encode())
    for column in events:
        found.update(np.ascontiguousarray(column).tobytes())
    return found.hexdigest()


def _estimator(config: TrainingConfig) -> Any:
    """Return the untrained model of scikit-learn."""
    if isinstance(config.model, TreesConfig):
        from sklearn.ensemble import HistGradientBoostingClassifier

        trees = config.model
        return HistGradientBoostingClassifier(
            max_iter=trees.max_trees,
            learning_rate=trees.learning_rate,
            max_leaf_nodes=trees.max_leaves,
            min_samples_leaf=trees.min_events_in_leaf,
            l2_regularization=trees.regularisation,
            early_stopping=True,
            validation_fraction=0.1,
            n_iter_no_change=trees.patience,
            random_state=config.seed,
        )
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = config.model
    return make_pipeline(
        StandardScaler(),
        MLPClassifier(
            hidden_layer_sizes=network.layers,
            activation=network.activation,
            alpha=network.regularisation,
            learning_rate_init=network.learning_rate,
            max_iter=network.max_epochs,
            early_stopping=True,
            n_iter_no_change=network.patience,
            random_state=config.seed,
        ),
    )


def _of_first_class(model: Classifier) -> Classifier:
    """Turn the score for the second of two classes into that for the first: margins change their sign."""
    if model.trees is not None:
        trees = tuple(
            tree.model_copy(update={"value": tuple(-value for value in tree.value)}) for tree in model.trees.trees
        )
        forest = model.trees.model_copy(update={"base": tuple(-b for b in model.trees.base), "trees": trees})
        return model.model_copy(update={"trees": forest})
    assert model.network is not None
    *before, last = model.network.layers
    turned = last.model_copy(
        update={
            "weights": tuple(tuple(-w for w in row) for row in last.weights),
            "biases": tuple(-b for b in last.biases),
        }
    )
    return model.model_copy(update={"network": model.network.model_copy(update={"layers": (*before, turned)})})
