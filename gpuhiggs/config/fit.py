"""The statistical model that a configuration declares: what is fitted to the data, and what of it is uncertain."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from .frozen import Model


class NormalisationConfig(Model):
    """An uncertainty of normalisation: a factor *up* at +1 σ and *down* (without it 1/up) at -1 σ."""

    parameter: str
    up: float = Field(gt=0)
    down: float | None = Field(default=None, gt=0)
    processes: tuple[str, ...] | None = None
    """Which processes it scales; all of them if not given."""
    channels: tuple[str, ...] | None = None
    """Which channels of the model it holds for; all of them if not given."""


class FreeConfig(Model):
    """A factor on backgrounds that the data alone determine, such as those of a control region."""

    parameter: str
    processes: tuple[str, ...] = Field(min_length=1)
    channels: tuple[str, ...] | None = None
    """Which channels of the model it holds for; all of them if not given."""


class SmoothConfig(Model):
    """Backgrounds that together are a smooth spectrum, which each channel's own data determine.

    The simulated spectrum of all channels is taken as exp(polynomial of *degree*); in each channel the data choose its
    normalisation and a polynomial of the same degree around it. No error of luminosity, normalisation or simulated
    statistics is left.
    """

    processes: tuple[str, ...] = Field(min_length=1)
    degree: int = Field(ge=1, le=5)


class TreatmentConfig(Model):
    """How varied templates are treated, in this order; what was done to which stands in ``results.json``."""

    symmetrise: Literal["none", "mean", "larger"] = "none"
    """Half the difference of both sides, or the side with the larger change."""
    smooth: int = Field(default=0, ge=0)
    """Passes of a running median of three and a mean (1, 2, 1)/4 over the relative changes."""
    prune_norm: float = Field(default=0.0, ge=0)
    """Relative change under which a normalisation is dropped."""
    prune_shape: float = Field(default=0.0, ge=0)
    """Relative change under which a shape is dropped, if it is in all of its bins."""


M = TypeVar("M", NormalisationConfig, FreeConfig)


class RegionConfig(Model):
    """A channel of the model: the sum of the categories that match a pattern; a mere pattern may stand for it."""

    categories: str
    """Such as ``"* 4mu"``; several patterns are divided by ``|``."""
    histogram: str | None = None
    """Another one than the model's."""
    edges: tuple[float, ...] | None = Field(default=None, min_length=2)
    """Other ones than the model's."""
    divided: bool = False
    """Whether each part of the score of the selection's classifier is a channel of its own; else they are added up."""

    @model_validator(mode="before")
    @classmethod
    def _pattern(cls, raw: Any) -> Any:
        return {"categories": raw} if isinstance(raw, str) else raw


class ModelConfig(Model):
    """The statistical model: what is fitted to the data."""

    histogram: str
    edges: tuple[float, ...] = Field(min_length=2)
    """The fit's bins: they begin and end where the histogram's do."""
    channels: dict[str, RegionConfig] = Field(min_length=1)
    """Channels of the model by name."""
    left_out: str | None = None
    """Categories that no channel takes, as a pattern."""
    signals: tuple[str, ...] = Field(min_length=1)
    """Processes that the signal strength mu scales."""
    productions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Signal strengths of a second fit, such as ``mu_ggH``, and the signal processes that each scales."""
    luminosity_uncertainty: float = Field(gt=0, lt=1)
    normalisations: tuple[NormalisationConfig, ...] = ()
    free: tuple[FreeConfig, ...] = ()
    smooth: SmoothConfig | None = None
    treatment: TreatmentConfig | None = None
    """What is done to varied templates; nothing if not given."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        of_productions = [process for group in self.productions.values() for process in group]
        if self.productions and sorted(of_productions) != sorted(self.signals):
            msg = f"productions: expected each of {', '.join(self.signals)} once, got {', '.join(of_productions)}"
            raise ValueError(msg)
        backgrounds = [*(name for entry in self.free for name in entry.processes)]
        backgrounds += self.smooth.processes if self.smooth else ()
        if both := sorted(set(backgrounds) & set(self.signals)):
            msg = f"free and smooth are for backgrounds; {', '.join(both)} is a signal"
            raise ValueError(msg)
        return self

    def histogram_of(self, channel: str) -> str:
        """Return the histogram that a channel is fitted in."""
        return self.channels[channel].histogram or self.histogram

    def edges_of(self, channel: str) -> tuple[float, ...]:
        """Return the bins of a channel."""
        return self.channels[channel].edges or self.edges

    def divided(self, parts: int) -> ModelConfig:
        """Return the model with a channel ``NAME_k`` for each part k of a classifier's score, where it is divided."""
        if parts == 1:
            return self
        channels: dict[str, RegionConfig] = {}
        made: dict[str, tuple[str, ...]] = {}
        for name, region in self.channels.items():
            scores = {f"{name}_{k}": str(k) for k in range(parts)} if region.divided else {name: "*"}
            made[name] = tuple(scores)
            for new, score in scores.items():
                patterns = [p.strip() for p in region.categories.split("|")]
                categories = " | ".join(p if " score " in p else f"{p} score {score}" for p in patterns)
                channels[new] = region.model_copy(update={"categories": categories, "divided": False})

        def those(entry: M) -> M:
            if entry.channels is None:
                return entry
            return entry.model_copy(update={"channels": tuple(n for c in entry.channels for n in made.get(c, (c,)))})

        changed = {"free": tuple(map(those, self.free)), "normalisations": tuple(map(those, self.normalisations))}
        return self.model_copy(update={"channels": channels, **changed})

    @property
    def histograms(self) -> tuple[str, ...]:
        """Every histogram that is fitted."""
        return tuple(dict.fromkeys(self.histogram_of(channel) for channel in self.channels))
