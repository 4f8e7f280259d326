"""Systematic uncertainties of templates: from what was filled to up and down.

Members of a set are combined here, in the bins of the fit: an envelope of merged bins is not the merged envelopes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import hist
import numpy as np

from ..config.variations import SetConfig, VariationsConfig
from . import NOMINAL, ordered_members


class Sides(NamedTuple):
    """Templates at +1 and -1 σ of a parameter, shaped like the nominal."""

    up: np.ndarray
    down: np.ndarray


def combined(one: SetConfig, nominal: np.ndarray, reference: np.ndarray, members: np.ndarray) -> Sides:
    """Return the uncertainty that a set of members gives, bin by bin.

    Parameters
    ----------
    reference
        The member that is the nominal of the set; what the set says is relative to it.
    members
        Shape (members, …): the others.
    """
    difference = members - reference
    if one.combine == "envelope":
        return Sides(nominal + np.fmax(difference.max(axis=0), 0.0), nominal + np.fmin(difference.min(axis=0), 0.0))
    # J. Butterworth et al., J. Phys. G 43 (2016) 023001 (PDF4LHC15): symmetric Hessian members, and replicas.
    hessian = one.combine == "hessian"
    error = np.sqrt(np.sum(difference**2, axis=0)) if hessian else np.std(members, axis=0, ddof=1)
    return Sides(nominal + error, nominal - error)


def sides(config: VariationsConfig, templates: Mapping[str, np.ndarray]) -> dict[str, Sides]:
    """Return up and down of every parameter.

    Parameters
    ----------
    templates
        By name of the variation, the nominal and every member included.
    """
    nominal = templates[NOMINAL]
    found = {
        name: Sides(templates[f"{name}Up"], templates[f"{name}Down"]) for name in (*config.shifts, *config.weights)
    }
    for name, one in config.sets.items():
        by_member = {member: templates[f"{name}[{member}]"] for member in ordered_members(one)}
        reference = nominal if one.reference is None else by_member[one.reference]
        members = np.stack([by_member[member] for member in one.members])
        found[name] = combined(one, nominal, reference, members)
    return found


def templates(config: VariationsConfig, varied: Mapping[str, hist.Hist[Any]]) -> dict[str, hist.Hist[Any]]:
    """Return histograms at +1 and -1 σ of every parameter, named ``process_parameterUp`` and ``…Down``.

    Parameters
    ----------
    varied
        By process, axes (variation, category, variable), of which the last two are kept.
    """
    found = {}
    for process, histogram in varied.items():
        filled = dict(zip(histogram.axes[0], histogram.values(flow=True), strict=True))
        for parameter, both in sides(config, filled).items():
            for side, content in (("Up", both.up), ("Down", both.down)):
                one: Any = hist.Hist(*histogram.axes[1:], storage=hist.storage.Double())
                one.view(flow=True)[...] = content
                found[f"{process}_{parameter}{side}"] = one
    return found
