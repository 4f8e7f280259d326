"""What is done to varied templates before they enter a model: symmetrising, smoothing, pruning; each step reported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.model import Workspace
from gpuhiggs.inference.modifiers import Declaration, HistoSys, Modifier, NormSys


class Treatment(Declaration):
    """How varied templates are treated, in this order; nothing is done unless asked for.

    `symmetrise`: ``mean`` takes half the difference of both sides, ``larger`` the side with the larger change.
    `smooth`: passes of a running median of three and a mean (1, 2, 1)/4 over the relative changes (353QH's first step;
    Friedman, CERN 74-23, p. 271). `prune_norm` and `prune_shape`: relative changes under which a normalisation, or a
    shape in all of its bins, is dropped.
    """

    symmetrise: Literal["none", "mean", "larger"] = "none"
    smooth: int = Field(default=0, ge=0)
    prune_norm: float = Field(default=0.0, ge=0.0)
    prune_shape: float = Field(default=0.0, ge=0.0)


@dataclass(frozen=True)
class Treated:
    """What happened to one modifier: what was done, and its largest relative change before and after."""

    channel: str
    sample: str
    parameter: str
    action: str
    before: float
    after: float

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return asdict(self)


def treat(
    workspace: Workspace, treatment: Treatment, *, leave: Collection[str] = ()
) -> tuple[Workspace, tuple[Treated, ...]]:
    """Return the workspace with its varied templates treated, and what was done to which; *leave* names samples."""
    report: list[Treated] = []
    channels = []
    for channel in workspace.channels:
        samples = []
        for sample in channel.samples:
            if sample.name in leave:
                samples.append(sample)
                continue
            nominal, kept = np.asarray(sample.yields), list[Modifier]()
            for modifier in sample.modifiers:
                new, action, before, after = _treated(modifier, nominal, treatment)
                if action:
                    report.append(Treated(channel.name, sample.name, modifier.parameter, action, before, after))
                if new is not None:
                    kept.append(new)
            samples.append(sample.model_copy(update={"modifiers": tuple(kept)}))
        channels.append(channel.model_copy(update={"samples": tuple(samples)}))
    used = {m.parameter for c in channels for s in c.samples for m in s.modifiers}
    gone = {entry.parameter for entry in report if entry.action == "pruned"} - used
    settings = tuple(setting for setting in workspace.parameters if setting.name not in gone)
    groups = {name: tuple(m for m in members if m not in gone) for name, members in workspace.groups.items()}
    update = {"channels": tuple(channels), "parameters": settings, "groups": groups}
    return workspace.model_copy(update=update), tuple(report)


def _treated(
    modifier: Modifier, nominal: FloatArray, treatment: Treatment
) -> tuple[Modifier | None, str, float, float]:
    """Return the modifier, None if pruned; what was done; its largest relative change before and after."""
    if isinstance(modifier, NormSys):
        size = max(abs(modifier.up - 1.0), abs(modifier.down - 1.0))
        pruned = size < treatment.prune_norm
        return (None if pruned else modifier), "pruned" if pruned else "", size, 0.0 if pruned else size
    if not isinstance(modifier, HistoSys):
        return modifier, "", 0.0, 0.0
    filled = nominal > 0.0
    safe = np.where(filled, nominal, 1.0)
    up, down = ((np.asarray(side) - nominal) / safe * filled for side in (modifier.up, modifier.down))
    before, actions = float(max(np.abs(up).max(), np.abs(down).max())), []
    if treatment.symmetrise != "none":
        half = (up - down) / 2.0
        if treatment.symmetrise == "larger":
            half = np.where(np.abs(up).sum() >= np.abs(down).sum(), up, -down)
        up, down = half, -half
        actions.append("symmetrised")
    for _ in range(treatment.smooth):
        up, down = _smooth(up), _smooth(down)
    if treatment.smooth:
        actions.append("smoothed")
    after = float(max(np.abs(up).max(), np.abs(down).max()))
    if after < treatment.prune_shape:
        return None, "pruned", before, 0.0
    if not actions:
        return modifier, "", before, after
    sides = {"up": tuple((nominal * (1.0 + up)).tolist()), "down": tuple((nominal * (1.0 + down)).tolist())}
    return modifier.model_copy(update=sides), " and ".join(actions), before, after


def _smooth(values: FloatArray) -> FloatArray:
    if len(values) < 3:
        return values
    padded = np.pad(values, 1, mode="edge")
    middle = np.pad(np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0), 1, mode="edge")
    return np.asarray((middle[:-2] + 2.0 * middle[1:-1] + middle[2:]) / 4.0)
