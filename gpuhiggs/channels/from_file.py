"""The channel of a user's own file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core.errors import NumbaError

from .. import channel_file, schema
from ..channel_file import ChannelFile, explain
from ..columns import OFFSETS
from ..config import SelectionConfig
from ..errors import ConfigError, RunError
from ..kernels import histogram as one
from ..kernels.fill import FRACTION_BITS, LAUNCH_FILLS, LAYOUT, OFFSET, OFFSET2, Histograms
from ..kernels.kept import Kept
from ..kernels.language import fields
from .channel import Channel

_FILLS = 4
"""How often a body may fill a bin with a weight other than 1 per event and object, unless the file says more."""

_BARE = "event"
"""The collection whose columns are branches without a prefix."""

_EVENTS = {
    "run": "run",
    "luminosity_block": "luminosityBlock",
    "event": "event",
    "gen_weight": {"branches": "genWeight", "simulation": True},
}  # the names that NanoAOD has for what the luminosity mask, skims and the generator weight need


class FileChannel(Channel):
    """A channel made of a user's file; its name finds the file again."""

    @property
    def file(self) -> ChannelFile:
        """The file."""
        return channel_file.find(self.name)

    @property
    def launch_fills(self) -> int:
        """How many events and objects one launch may take."""
        return LAUNCH_FILLS // self._fills

    @property
    def fills_objects(self) -> bool:
        """Whether the kernel may fill a bin once an object: it is the user's."""
        return True

    @property
    def _fills(self) -> int:
        return max(1, int(self.file.setting("FILLS", _FILLS)))

    def schema(self, selection: SelectionConfig) -> schema.Schema:
        """Return the schema that the file names; without one, a column is the branch ``Collection_column``."""
        if selection.schema_ != "branches":
            return schema.load(selection.schema_)
        file = self.file
        renamed: dict[str, Any] = dict(file.setting("BRANCHES", {}))
        collections: dict[str, dict[str, Any]] = {"events": dict(_EVENTS)}
        for collection, columns in fields(file.module.Inputs).items():
            prefix = "" if collection == _BARE else f"{collection}_"
            collections[collection] = {
                name: renamed.pop(f"{collection}.{name}", f"{prefix}{name}")
                for name in fields(columns)
                if name != OFFSETS
            }
        collections["events"] |= {
            name: renamed.pop(f"events.{name}") for name in _EVENTS if f"events.{name}" in renamed
        }
        if renamed:
            msg = f"{file.path}: BRANCHES: no column {', '.join(map(repr, renamed))} in Inputs"
            raise ConfigError(msg)
        trees = file.setting("TREE", "Events")
        return schema.Schema.model_validate(
            {
                "name": f"of {file.path.name}",
                "trees": (trees,) if isinstance(trees, str) else tuple(trees),
                "collections": collections,
                "runs": "Runs",
                "sum_of_weights": ("genEventSumw", "genEventSumw_"),
            }
        )

    def compile(self) -> None:
        """Compile the kernel for the CPU, or load it from the cache.

        Raises
        ------
        ConfigError
            If it cannot be compiled; the message has the line of the file.
        """
        try:
            super().compile()
        except NumbaError as error:
            raise ConfigError(explain.explained(error, self.file)) from error

    def out(self, kernel_histograms: Histograms, capacity: int, record: bool = False) -> Any:
        """Return fresh outputs: each histogram a record of its own, around the accumulators of all."""
        namespace = self.program.namespace()
        layout = kernel_histograms.layout.reshape(-1, LAYOUT)
        limits = kernel_histograms.limits.reshape(-1, 2)
        histograms = {}
        for row, (name, axis) in enumerate(self.file.axes().items()):
            _, _, bins, uniform, edge, categories, variations, shifts = layout[row].tolist()
            cells = categories * (bins + 2)
            histograms[name] = one.Histogram(
                units=np.zeros(cells, np.int64),
                sumw=kernel_histograms.sumw[layout[row, OFFSET] :][: cells * variations],
                sumw2=kernel_histograms.sumw2[layout[row, OFFSET2] :][: cells * shifts * 2],
                problems=np.zeros(one.WEIGHTED + shifts, np.int64),
                edges=kernel_histograms.edges[edge : edge + (0 if uniform else bins + 1)],
                uniform=uniform,
                bins=bins,
                categories=len(axis.categories),
                low=float(limits[row, 0]),
                high=float(limits[row, 1]),
                shifts=shifts,
                variations=variations,
            )
        return namespace.Out(
            errors=np.zeros(2, np.int64),
            cutflow=one.Cutflow(
                np.zeros(4 * len(namespace.STEPS), np.int64), len(namespace.STEPS), np.zeros(3, np.int64)
            ),
            selected=self._room(capacity),
            **histograms,
        )

    def _room(self, capacity: int) -> Any:
        """Return room for selected events, if the file keeps any."""
        selected = self.program.namespace().Selected
        if selected is not Kept:
            return selected(np.zeros(1, np.int64), 0, np.empty(0, np.int64))
        events, weights = np.empty(capacity, np.int64), np.empty(capacity)
        return Kept(np.zeros(1, np.int64), capacity, events, weights, np.empty(capacity * len(self._kept_fields)))

    @property
    def _kept_fields(self) -> tuple[str, ...]:
        return tuple(self.file.module.Selected._fields)

    def kept(self, out: Any, n: int) -> dict[str, np.ndarray]:
        """Return what the file keeps of *n* selected events, by the names of its ``Selected``.

        Raises
        ------
        RunError
            If one was kept twice.
        """
        selected = out.selected
        if not isinstance(selected, Kept) or not selected.capacity:
            return {}
        if int(selected.n[0]) > n or np.unique(selected.event[:n]).size < n:
            msg = f"{self.file.path}: an event is kept more than once"
            raise RunError(msg)
        width = len(self._kept_fields)
        values = selected.values[: n * width].reshape(n, width)
        return {name: values[:, i] for i, name in enumerate(self._kept_fields)}

    def verify(self, out: Any) -> None:
        """Make fills of weight 1 part of the sums; raise an error if a fill could not be counted.

        Raises
        ------
        RunError
            If a category, step or weight is none, or so many weights were filled that a sum might wrap.
        """
        counters = {"the cutflow": out.cutflow} | {name: getattr(out, name) for name in self.file.axes()}
        for name, counter in counters.items():
            misfilled, bad, *by_shift = counter.problems.tolist()
            weighted = max(by_shift)
            counter.problems[:] = 0
            if misfilled:
                msg = f"{self.file.path}: {name}: {misfilled} fills of a category or step that is not there"
                raise RunError(msg)
            if bad:
                msg = f"{self.file.path}: {name}: {bad} fills with a weight that is NaN or too large"
                raise RunError(msg)
            if weighted > LAUNCH_FILLS:
                more = 2 * self._fills * -(-weighted // LAUNCH_FILLS)
                msg = (
                    f"{self.file.path}: {name}: too many fills with weights at a time; write FILLS = {more} in the file"
                )
                raise RunError(msg)
        for name in self.file.axes():
            histogram = getattr(out, name)
            histogram.sumw[:: histogram.variations] += histogram.units << FRACTION_BITS
            histogram.sumw2[:: 2 * histogram.shifts] += histogram.units
            histogram.units[:] = 0


def channel(name: str) -> FileChannel:
    """Return the channel of a file by its path, or by the name that a configuration has for one version of it.

    Raises
    ------
    ConfigError
        If the file is no channel, or another version of it.
    """
    file = channel_file.find(name)
    categories = {histogram: axis.categories for histogram, axis in file.axes().items()}
    unused = ("events.gen_weight",) if file.program.namespace().OWN_WEIGHT else ()
    return FileChannel(file.name, file.program, categories.__getitem__, lambda selection: unused)
