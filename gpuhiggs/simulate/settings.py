"""What a user may change about the generation: mass of the Higgs boson, underlying event, weights of the shower."""

from __future__ import annotations

import math
from typing import NamedTuple

from gpuhiggs.errors import InputError

MASS = 125.09
"""GeV; ATLAS and CMS, arXiv:1503.07589; the mass of the cross sections in ``processes.yaml``."""


class Settings(NamedTuple):
    """How events are generated.

    Attributes
    ----------
    mass
        Of the Higgs boson in GeV. Cross sections stay those of 125.09 GeV.
    multiparton_interactions
        Whether Pythia makes the underlying event: a tenth of the speed. Off, ``isolation`` stands in for it.
    shower_weights
        Whether events carry PSWeight, the four variations of the shower's scales: half of the speed.
    """

    mass: float = MASS
    multiparton_interactions: bool = False
    shower_weights: bool = False

    def commands(self) -> tuple[str, ...]:
        """Return the Pythia commands.

        Raises
        ------
        InputError
            For a mass that is no positive number.
        """
        if not 0 < self.mass < math.inf:
            msg = f"simulation: the mass of the Higgs boson is {self.mass} GeV, expected a positive number"
            raise InputError(msg)
        commands = [f"25:m0 = {self.mass}"]
        if not self.multiparton_interactions:
            commands.append("PartonLevel:MPI = off")
        if self.shower_weights:
            commands += ["UncertaintyBands:doVariations = on", f"UncertaintyBands:List = {{{', '.join(_VARIATIONS)}}}"]
        return tuple(commands)


# In the order of NanoAOD's PSWeight: more radiation in the initial state, in the final state, less of each.
_VARIATIONS = ("isrHi isr:muRfac=0.5", "fsrHi fsr:muRfac=0.5", "isrLo isr:muRfac=2.0", "fsrLo fsr:muRfac=2.0")
N_VARIATIONS = len(_VARIATIONS)

DEFAULT = Settings()
