"""Leptons that are none: jets taken for a muon or an electron, with the chance of that as event weight.

Pythia's own leptons in jets are few and mostly within jets; what analyses measure from data, punch-through, photons
that convert, light hadrons, is not in it. Here a number of jets of each event is taken for a relaxed lepton each: of
either flavour and charge alike, with most of the jet's momentum, isolated by chance. Everything is own choice, of a
size with which Z + jets gives a Z+X yield as CMS finds it (HIG-19-001): methods that measure it from data can be tried,
its size cannot be learnt from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.electrons import ELECTRON_MASS, identify
from gpuhiggs.simulate.muons import MUON_MASS, isolation_id
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Floats, Ints, Particles, delta_r, pairs_within_events
from gpuhiggs.simulate.resolution import electron_resolution, muon_resolution

CHANCE = 1.7e-2
"""Of a jet to be taken for a relaxed lepton."""

_SHARE, _LEAST_SHARE = (0.75, 0.15), 0.3  # of the jet's momentum that the lepton has: mean and width; at least
_LARGEST_ETA = 2.4
# Relative isolation is uniform up to here at 20 GeV and falls with pT: harder ones are selected more often.
_MUON_ISOLATION, _ELECTRON_ISOLATION, _ISOLATION_PT, _ISOLATION_POWER = 2.0, 0.6, 20.0, 0.3
_OUTER, _OUTER_ISOLATION = 1.3, 0.75  # |η| from which isolation is better
_LOWER_QUALITY = 2.2  # standard deviations of the electrons' identification


class FakeLeptons:
    """The jets of a block that are taken for leptons."""

    def __init__(self, jets: Collection, leptons: Particles, number: int, random: np.random.Generator) -> None:
        """Choose *number* jets of each event that has so many apart from its genuine leptons.

        Parameters
        ----------
        jets
            As generated, of pT and η.
        leptons
            Genuine electrons and muons.
        random
            Chooses jets and draws what they look like.
        """
        left, right = pairs_within_events(jets.event, leptons.offsets)
        distance = delta_r(jets["eta"][left], jets["phi"][left], leptons.eta[right], leptons.phi[right])
        usable = np.abs(jets["eta"]) < _LARGEST_ETA
        usable[left[(distance < 0.4) & (leptons.pt[right] > 5.0)]] = False
        n = np.bincount(jets.event[usable], minlength=jets.n_events)
        self.weight = CHANCE**number * _choices(n, number)
        """Of each event: its chance, 0 where there are too few jets."""
        order = np.lexsort((random.random(len(jets)), ~usable, jets.event))
        place = np.arange(len(jets)) - jets.offsets[jets.event]
        chosen = order[(place < number) & (n[jets.event] >= number)]  # the sorted jets of an event stand where it does
        self._random, self._n_events = random, jets.n_events
        share = np.clip(random.normal(*_SHARE, len(chosen)), _LEAST_SHARE, 1.0)
        self._event, self._eta, self._phi = jets.event[chosen], jets["eta"][chosen], jets["phi"][chosen]
        self._pt = jets["pt"][chosen] * share
        self._is_muon = random.random(len(chosen)) < 0.5

    def with_muons(self, muons: Collection) -> Collection:
        """Return the muons with those that are none among them."""
        kinematics = self._kinematics(13, self._is_muon, MUON_MASS)
        pt, eta = kinematics["pt"], kinematics["eta"]
        n = len(pt)
        iso = self._isolation(pt, eta, _MUON_ISOLATION)
        fields: dict[str, NDArray[Any]] = {
            **kinematics,
            "ptErr": muon_resolution(pt, eta) * pt,
            "pfRelIso03_all": iso,
            "pfRelIso03_chg": 0.7 * iso,
            "pfRelIso04_all": iso,
            **dict.fromkeys(
                ("isGlobal", "isTracker", "isPFcand", "looseId", "mediumId", "tightId"), np.ones(n, dtype=bool)
            ),
            "nStations": np.full(n, 3),
            "highPtId": np.zeros(n),
            "pfIsoId": isolation_id(iso),
            "nTrackerLayers": np.full(n, 12),
        }
        return self._together(muons, self._event[self._is_muon], fields)

    def with_electrons(self, electrons: Collection) -> Collection:
        """Return the electrons with those that are none among them."""
        kinematics = self._kinematics(11, ~self._is_muon, ELECTRON_MASS)
        pt, eta = kinematics["pt"], kinematics["eta"]
        iso = self._isolation(pt, eta, _ELECTRON_ISOLATION)
        energy = pt * np.cosh(eta)
        fields: dict[str, NDArray[Any]] = {
            **kinematics,
            "deltaEtaSC": np.zeros(len(pt)),
            "energyErr": electron_resolution(energy, eta) * energy,
            "pfRelIso03_all": iso,
            "pfRelIso03_chg": 0.7 * iso,
            **identify(pt, eta, iso, self._random, _LOWER_QUALITY),
        }
        return self._together(electrons, self._event[~self._is_muon], fields)

    def _kinematics(self, kind: int, chosen: NDArray[np.bool_], mass: float) -> dict[str, NDArray[Any]]:
        n = int(chosen.sum())
        charge = self._random.choice([-1, 1], n)
        error = np.full(n, 0.004)
        near = self._random.standard_normal((2, n))
        return {
            "pt": self._pt[chosen], "eta": self._eta[chosen], "phi": self._phi[chosen], "mass": np.full(n, mass),
            "charge": charge, "pdgId": -charge * kind, "dxy": error * near[0], "dz": error * near[1],
            "dxyErr": error, "dzErr": error, "sip3d": np.hypot(*near), "genPartIdx": np.full(n, -1),
        }  # fmt: skip

    def _isolation(self, pt: Floats, eta: Floats, largest: float) -> Floats:
        largest_here = largest * (_ISOLATION_PT / pt) ** _ISOLATION_POWER
        largest_here = np.where(np.abs(eta) > _OUTER, _OUTER_ISOLATION * largest_here, largest_here)
        return np.asarray(self._random.random(len(pt)) * largest_here)

    def _together(self, genuine: Collection, event: Ints, fields: dict[str, NDArray[Any]]) -> Collection:
        joined = {
            name: np.concatenate([values, np.asarray(fields[name]).astype(values.dtype)])
            for name, values in genuine.fields.items()
        }
        events = np.concatenate([genuine.event, event])
        return Collection.ordered(self._n_events, events, joined, np.ones(len(events), dtype=bool))


def _choices(n: Ints, number: int) -> Floats:
    """Return in how many ways *number* of *n* jets can be chosen."""
    return np.asarray(n if number == 1 else n * (n - 1) / 2, dtype=np.float64)
