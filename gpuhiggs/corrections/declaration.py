"""Corrections as a configuration declares them, and the roots that a channel's kernel is handed.

::

    electron_id:
      file: $CORRECTIONS/electron.json.gz
      name: UL-Electron-ID-SF
      columns: {eta: electrons.eta_sc, pt: electrons.pt}        # input: what the channel offers
      fixed: {year: "2018", WorkingPoint: wp90iso}
      variation: {input: ValType, nominal: sf, up: sfup, down: sfdown}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from ..config import Model
from ..errors import ConfigError
from .correction import Correction, Fixed, Library, load


class VariationKeys(Model):
    """Which value of one input means nominal, up and down."""

    input: str
    nominal: str
    up: str
    down: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({self.nominal, self.up, self.down}) < 3:
            msg = f"nominal, up and down must differ, got {self.nominal!r}, {self.up!r} and {self.down!r}"
            raise ValueError(msg)
        return self


class CorrectionConfig(Model):
    """One correction of a file and what feeds its inputs."""

    file: str
    name: str
    columns: dict[str, str] = Field(default_factory=dict)
    """For each input that varies, the quantity of the channel that feeds it."""
    fixed: dict[str, str | int | float] = Field(default_factory=dict)
    """The inputs that do not vary."""
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Of a string in ``columns``: the keys that the quantity's values 0, 1, … stand for."""
    variation: VariationKeys | None = Field(default=None)
    """The input that says nominal, up or down; none: the correction does not vary."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        variation = () if self.variation is None else (self.variation.input,)
        names = [*self.columns, *self.fixed, *variation]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"inputs given twice: {', '.join(twice)}"
            raise ValueError(msg)
        if loose := sorted(set(self.keys) - set(self.columns)):
            msg = f"keys: {', '.join(loose)} not among the columns"
            raise ValueError(msg)
        return self


class Variants(NamedTuple):
    """Roots in a library's tables; without a variation all three are the same."""

    nominal: int
    up: int
    down: int


def compile_declared(library: Library, config: CorrectionConfig, offered: Sequence[str], place: str) -> Variants:
    """Compile a declared correction into a library.

    Parameters
    ----------
    offered
        The quantities that the channel's kernel puts into its column of variables, in that order.
    place
        Where the declaration is, for errors.

    Raises
    ------
    ConfigError
        If the file, the correction, a key or a quantity is not there, or up and down are the same.
    """
    if unknown := [column for column in config.columns.values() if column not in offered]:
        msg = f"{place}.columns: unknown quantity {unknown[0]!r}; the channel offers {', '.join(offered)}"
        raise ConfigError(msg)
    correction: Correction = load(config.file)[config.name]
    variables = {name: offered.index(column) for name, column in config.columns.items()}
    fixed: dict[str, Fixed] = {**config.fixed, **config.keys}
    variation = config.variation
    if variation is None:
        root = library.add(correction, fixed, variables, len(offered))
        return Variants(root, root, root)
    keys = (variation.nominal, variation.up, variation.down)
    roots = Variants(
        *(library.add(correction, fixed | {variation.input: key}, variables, len(offered)) for key in keys)
    )
    if roots.up == roots.down:
        msg = f"{place}.variation: up ({variation.up!r}) and down ({variation.down!r}) of {config.name} are equal"
        raise ConfigError(msg)
    return roots
