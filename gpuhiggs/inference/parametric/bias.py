"""Whether the choice of functions finds an injected signal, whichever family the background is really of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference.parametric.background import Background
from gpuhiggs.inference.parametric.choice import Choice, Spectra


@dataclass(frozen=True)
class Bias:
    """Toys of a background of one family with a known signal, fitted with the functions profiled.

    Attributes
    ----------
    truth
        Injected strength.
    n, n_failed
        Toys used, and toys that could not be fitted.
    mean, width
        Of (mu - truth)/error; counts vary from toy to toy, auxiliary measurements do not.
    """

    truth: float
    n: int
    n_failed: int
    mean: float
    width: float

    @property
    def mean_error(self) -> float:
        """Statistical error of the mean."""
        return self.width / math.sqrt(self.n)

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {**asdict(self), "mean_error": self.mean_error}


def bias(
    spectra: Spectra,
    best: Choice,
    n: int,
    generator: np.random.Generator,
    held: Mapping[str, float],
    truth: float = 1.0,
) -> dict[str, Bias]:
    """Return the bias for a background of each family, fitted to the data with the strength as it was found.

    The mass is held where it was found: of a toy without much signal it would be anywhere.

    Raises
    ------
    InputError
        The strength is held.
    RunError
        Fewer than two toys of a family could be fitted.
    """
    if "mu" in held:
        msg = "closure of a peak: the strength is held"
        raise InputError(msg)
    fixed = {**held, "mass": best.fit.values["mass"]}
    found = {}
    for family, functions in _families(spectra).items():
        model = spectra.model(functions)
        fit = model.fit(fixed=fixed)
        values = np.array([truth if name == "mu" else fit.values[name] for name in model.names])
        expected = [signal + background for signal, background in model.rates(values)]
        pulls = []
        for child in generator.spawn(n):
            counts = [child.poisson(rates).astype(np.float64) for rates in expected]
            made = zip(spectra.categories, counts, strict=True)
            toy = replace(spectra, categories=tuple(replace(category, counts=own) for category, own in made))
            try:
                result = toy.choose(fixed=fixed, start=best).fit
            except RunError:
                continue
            if result.errors["mu"] > 0.0:
                pulls.append((result.values["mu"] - truth) / result.errors["mu"])
        if len(pulls) < 2:
            msg = f"closure with a background of the family {family}: {len(pulls)} of {n} toys could be fitted"
            raise RunError(msg)
        found[family] = Bias(truth, len(pulls), n - len(pulls), float(np.mean(pulls)), float(np.std(pulls, ddof=1)))
    return found


def _families(spectra: Spectra) -> dict[str, dict[str, Background]]:
    """Return the functions of each family, in all categories."""
    families = [function.family for function in next(iter(spectra.candidates.values()))]
    return {
        family: {
            name: next(f for f in functions if f.family == family) for name, functions in spectra.candidates.items()
        }
        for family in families
    }
