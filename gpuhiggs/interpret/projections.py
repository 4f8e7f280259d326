"""From today's measurements to the HL-LHC: uncertainties scaled to a luminosity, in the scenarios S1 and S2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import InputError, choices
from .combination import combine
from .measurements import Entry, Measurements, published
from .tables import load

LUMINOSITY = 139.0
"""fb⁻¹ of the measurements that are scaled, those of ATLAS: they come with statistical errors of their own."""


class Projection(NamedTuple):
    """Relative errors of coupling modifiers at a luminosity (fb⁻¹ for each experiment)."""

    luminosity: float
    scenario: str
    errors: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self._asdict()


def scaled(inputs: Measurements, factor: float, scenario: str) -> Measurements:
    """Return what *factor* times the data would measure if the SM is true.

    Statistical errors fall as 1/√factor. In S1 systematic and theory uncertainties stay as they are; in S2 those of
    theory halve and systematic ones fall as the statistical, but not below a floor (``data/projections.yaml``).

    Raises
    ------
    InputError
        If the scenario is unknown, the factor not positive, or the inputs give no statistical errors.
    """
    scenarios = load("projections")["scenarios"]
    if scenario not in scenarios:
        msg = f"unknown scenario {scenario!r}; {choices(scenario, scenarios)}"
        raise InputError(msg)
    if not factor > 0:
        msg = f"luminosity must be positive, got a factor {factor:g}"
        raise InputError(msg)
    if inputs.stat_errors is None:
        msg = f"{inputs.name}: statistical errors are not given separately; they cannot be scaled"
        raise InputError(msg)
    rules = scenarios[scenario]
    entries = tuple(_scaled(entry, factor, rules["systematic_floor"]) for entry in inputs.entries)
    supplements = tuple(
        entry.model_copy(update={"value": 0.0 if entry.decay == "inv" else 1.0, "minus": entry.minus / factor**0.5,
                                 "plus": entry.plus / factor**0.5})
        for entry in inputs.supplements
    )  # fmt: skip
    return replace(inputs, entries=entries, supplements=supplements, theory_scale=rules["theory"])


def _scaled(entry: Entry, factor: float, floor: float) -> Entry:
    errors = {}
    statistical = factor**-0.5
    systematic = max(statistical, floor) if floor < 1.0 else 1.0
    for side in ("minus", "plus"):
        total, stat = getattr(entry, side), getattr(entry, f"stat_{side}")
        syst = max(0.0, total**2 - stat**2) ** 0.5
        errors[f"stat_{side}"] = stat * statistical
        errors[side] = ((stat * statistical) ** 2 + (syst * systematic) ** 2) ** 0.5
    return entry.model_copy(update={"value": 1.0, **errors})


def project(
    luminosities: Sequence[float], scenario: str, model: str = "kappa-effective", *, experiments: int = 2
) -> list[Projection]:
    """Return the errors of a model's parameters against luminosity.

    Each of the *experiments* measures as ATLAS does, independently but for the theory; the gain of 14 over 13 TeV is
    left out.

    Raises
    ------
    InputError
        As `scaled` does; or the model is unknown.
    """
    found = []
    for luminosity in luminosities:
        one = scaled(published("atlas-run2"), luminosity / LUMINOSITY, scenario)
        inputs = [replace(one, name=f"{one.name}-{i}", events=frozenset({f"HL-LHC {i}"})) for i in range(experiments)]
        fit = combine(model, inputs)
        errors = {name: estimate.error / estimate.value for name, estimate in fit.parameters.items()}
        found.append(Projection(luminosity, scenario, errors))
    return found
