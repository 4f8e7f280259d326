"""What a channel is: a kernel, and how the configuration becomes its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import schema
from ..classify.scoring import scoring
from ..columns import outputs
from ..config import SelectionConfig
from ..config.cuts import build_cuts
from ..errors import ConfigError
from ..histogram import HistogramSpec
from ..kernels import launch
from ..kernels.fill import LAUNCH_FILLS
from ..kernels.gate import Dataset, LumiMask
from ..kernels.launch import Program
from ..kernels.scoring import Scoring


class Channel(NamedTuple):
    """One final state of one experiment's format."""

    name: str
    program: Program
    """The kernel module; see :mod:`gpuhiggs.kernels.launch` for what it defines."""
    categories: Callable[[str], tuple[str, ...]]
    """The categories of a histogram, by its name, in the kernel's order."""
    unused: Callable[[SelectionConfig], tuple[str, ...]] = lambda selection: ()
    """Columns that the kernel does not touch with this configuration."""
    check: Callable[[SelectionConfig], None] = lambda selection: None
    """Raises ConfigError where parts of a selection do not fit each other."""
    region_specs: Callable[[SelectionConfig, Sequence[HistogramSpec]], list[HistogramSpec]] | None = None
    """The histograms of the control regions of failing objects, from the channel's own; None: there are none."""
    region_columns: tuple[str, ...] = ()
    """Columns that the control regions need, whatever ``unused`` says."""

    @property
    def launch_fills(self) -> int:
        """How many events and objects one launch may take, so that no bin can overflow."""
        return LAUNCH_FILLS

    @property
    def fills_objects(self) -> bool:
        """Whether the kernel may fill a bin once an object, rather than once an event and variation."""
        return False

    @property
    def inputs(self) -> type:
        """The NamedTuple type of what the kernel reads."""
        inputs: type = self.program.namespace().Inputs
        return inputs

    @property
    def steps(self) -> tuple[str, ...]:
        """The rows of the cutflow: all events, the gate's cuts, the kernel's."""
        namespace = self.program.namespace()
        return ("all", *namespace.GATES, *namespace.STEPS)

    def histograms(self, selection: SelectionConfig) -> list[HistogramSpec]:
        """Return the histograms in the kernel's order, with the configured axes.

        Raises
        ------
        ConfigError
            If the configuration lacks one of them or has one more.
        """
        names = self.program.namespace().HISTOGRAMS
        wrong = sorted(set(names) ^ set(selection.histograms))
        if wrong:
            msg = f"histograms: {', '.join(wrong)} missing or unknown; the channel {self.name} has {', '.join(names)}"
            raise ConfigError(msg)
        self.check(selection)
        return [HistogramSpec(n, selection.histograms[n].axis(n), self.parts(n, selection)) for n in names]

    def regions(self, selection: SelectionConfig) -> list[HistogramSpec]:
        """Return the histograms of the control regions, which follow the others in the kernel's order.

        Raises
        ------
        ConfigError
            If the channel has no such regions, or their axis is not configured.
        """
        if self.region_specs is None:
            msg = f"nonprompt: the channel {self.name} has no control regions of failing objects"
            raise ConfigError(msg)
        return self.region_specs(selection, self.histograms(selection))

    def parts(self, histogram: str, selection: SelectionConfig) -> tuple[str, ...]:
        """Return the categories of a histogram, each divided into parts where the selection has a classifier."""
        categories = self.categories(histogram)
        if selection.classifier is None or categories == ("all",):
            return categories
        n = 1 + len(selection.classifier.boundaries)
        return (
            tuple(f"{category} score {part}" for category in categories for part in range(n)) if n > 1 else categories
        )

    @property
    def features(self) -> tuple[str, ...]:
        """What a classifier in this channel may take."""
        return tuple(getattr(self.program.namespace(), "FEATURES", ()))

    def schema(self, selection: SelectionConfig) -> schema.Schema:
        """Return which branches hold the kernel's columns."""
        return schema.load(selection.schema_)

    def compile(self) -> None:
        """Compile the kernel for the CPU, or load it from the cache."""
        launch.compiled(self.program)

    def kept(self, out: Any, n: int) -> dict[str, np.ndarray]:
        """Return what else is known of *n* selected events, by name."""
        return {}

    def verify(self, out: Any) -> None:
        """Raise an error if the kernel has met what cannot be counted; called after each launch."""

    def cuts(self, selection: SelectionConfig, dataset: Dataset) -> Any:
        """Return the kernel's cuts for one dataset."""
        return build_cuts(self.program.namespace().Cuts, selection.cuts, "cuts", {"dataset": dataset})

    def tables(self, lumi_mask: LumiMask, **others: Any) -> Any:
        """Return the kernel's lookup tables: those among *others* that it has."""
        tables = self.program.namespace().Tables
        return tables(lumi_mask=lumi_mask, **{name: one for name, one in others.items() if name in tables._fields})

    def scoring(self, selection: SelectionConfig) -> Scoring:
        """Return what the kernel does with the selection's classifier.

        Raises
        ------
        InputError
            If the classifier cannot be read, or takes or gives what the channel does not know.
        """
        if selection.classifier is not None and not self.features:
            msg = f"classifier: the channel {self.name} has no features that one could take"
            raise ConfigError(msg)
        return scoring(selection.classifier, self.name, self.features)

    def out(self, kernel_histograms: Any, capacity: int, record: bool = False) -> Any:
        """Return fresh outputs around a set of histograms, with room for *capacity* selected events.

        Parameters
        ----------
        record
            Whether there is room for their features as well.
        """
        return outputs(self.program.namespace(), kernel_histograms, capacity, len(self.features) if record else None)
