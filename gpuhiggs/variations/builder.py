"""What the rows of variations refer to, as it is collected: branches, corrections, columns of calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import correctionlib.schemav2 as schema

from ..calibrations import Calibration, Calibrator
from ..columns import Extra
from ..config import validate
from ..config.calibrations import EVENT, CalibrationConfig
from ..config.variations import Regions
from ..corrections import Correction, CorrectionConfig, Library, Variants, compile_declared
from ..errors import ConfigError
from ..kernels import shifts
from ..kernels.language import fields

COLLECTIONS = {"muon": "muons", "electron": "electrons", "photon": "photons", "jet": "jets"}
"""Where the kernels of the package have the objects of a class; others say in ``COLLECTIONS`` where they are."""
MISSING_MOMENTA = ("met", "puppi_met")


@dataclass
class Builder:
    """Collects rows, corrections and branches."""

    place: str
    kernel: ModuleType
    calibrators: dict[str, Calibrator]
    simulation: bool
    library: Library = field(default_factory=Library)
    extras: list[Extra] = field(default_factory=list)

    def branch(self, name: str, collection: str | None = None, values: int = 0) -> int:
        """Return the number of a branch that has at least so many values an event; 0: it has one."""
        for number, extra in enumerate(self.extras):
            if extra[:2] == (name, collection) and (extra.values > 0) == (values > 0):
                self.extras[number] = extra._replace(values=max(extra.values, values))
                return number
        self.extras.append(Extra(name, collection, values))
        return len(self.extras) - 1

    def pair(self, first: str, second: str) -> int:
        """Return the number of the first of two branches that follow each other."""
        self.extras += [Extra(first), Extra(second)]
        return len(self.extras) - 2

    def calibrator(self, name: str) -> Calibrator:
        """Return what is done to a class of objects beforehand; nothing as yet, if nothing is declared."""
        self.require(name)
        if name not in self.calibrators:
            self.calibrators[name] = Calibrator(name, CalibrationConfig(), self.simulation, f"calibrations.{name}")
        return self.calibrators[name]

    def require(self, name: str) -> None:
        """Refuse to calibrate what the channel has not, or not by itself.

        Raises
        ------
        ConfigError
            If there is no collection of its own.
        """
        if name != EVENT and self.own_collection(name) is None:
            msg = f"calibrations.{name}: the channel has no collection of {name}s"
            raise ConfigError(msg)

    def own_collection(self, name: str) -> str | None:
        """Return the kernel's collection of nothing but the objects of a class."""
        collection = getattr(self.kernel, "COLLECTIONS", COLLECTIONS).get(name)
        return collection if collection in fields(self.kernel.Inputs) else None

    def missing_momentum(self) -> str | None:
        """Return the kernel's missing momentum, if it has one."""
        names = (*MISSING_MOMENTA, getattr(self.kernel, "COLLECTIONS", {}).get("met"))
        return next((name for name in names if name in fields(self.kernel.Inputs)), None)

    def compiled(self, name: str) -> Calibration:
        """Return what is done beforehand to a class of objects, or to the event."""
        found = self.calibrators[name].compiled()
        return found._replace(collection=self.own_collection(name) or "", missing=self.missing_momentum())

    def column(self, name: str, number: int) -> int:
        """Return the branch that stands for a column of a calibration."""
        extra = Extra(name, None if name == EVENT else self.collection(name, self.place), 0, number)
        if extra not in self.extras:
            self.extras.append(extra)
        return self.extras.index(extra)

    def collection(self, name: str, place: str) -> str:
        """Return the kernel's collection that holds the objects of a class."""
        collection = self.own_collection(name) or "leptons"
        if collection not in fields(self.kernel.Inputs):
            msg = f"{place}: the channel has no collection of {name}s"
            raise ConfigError(msg)
        return collection

    def in_kernel(self, raw: dict[str, Any], place: str) -> bool:
        """Whether a kernel can look a correction up: it has binnings and categories, over what the kernel knows."""
        declared = validate(CorrectionConfig, raw, place)
        if not set(declared.columns.values()) <= set(shifts.QUANTITIES):
            return False
        alone = Library()
        compile_declared(alone, declared, shifts.QUANTITIES, place)
        return alone.tabulated

    def correction(self, raw: dict[str, Any], offered: Sequence[str], place: str) -> Variants:
        """Compile a correction of a file that kernels look up."""
        declared = validate(CorrectionConfig, raw, place)
        found = compile_declared(self.library, declared, offered, place)
        if not self.library.tabulated:
            msg = (
                f"{place}: {declared.name} has formulas or transforms; weights of objects have binnings and categories "
                "alone, others are steps of `calibrations`"
            )
            raise ConfigError(msg)
        return found

    def regions(self, size: float | Regions) -> int:
        """Return the reference of a size that the configuration itself gives."""
        if isinstance(size, float):
            size = Regions(abs_eta=(0.0, 1.0), values=(size,))
        quantity = size.quantity
        node = schema.Correction(
            name="size", version=1, inputs=[schema.Variable(name=quantity, type="real")],
            output=schema.Variable(name="size", type="real"),
            data=schema.Binning(
                nodetype="binning", input=quantity, edges=list(getattr(size, quantity)), content=list(size.values),
                flow="clamp",
            ),
        )  # fmt: skip
        place = shifts.QUANTITIES.index(quantity)
        return self.library.add(Correction(self.place, node, {}), {}, {quantity: place}, len(shifts.QUANTITIES))

    def known(self, objects: Sequence[str], attribute: str, place: str) -> int:
        """Return the bits of classes of objects that the channel has.

        Raises
        ------
        ConfigError
            If it has not all of them.
        """
        have: tuple[str, ...] = getattr(self.kernel, attribute, ())
        if wrong := [name for name in objects if name not in have]:
            what = {"MOVES": "moves", "WEIGHED": "weighs"}[attribute]
            msg = f"{place}: the channel {what} no {wrong[0]}; it {what} {', '.join(have) or 'nothing'}"
            raise ConfigError(msg)
        return sum(1 << shifts.OBJECTS.index(name) for name in objects)
