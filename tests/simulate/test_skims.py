"""Skims on events made by hand, and diphoton events whose mass is drawn anew."""

from __future__ import annotations

import awkward as ak
import numpy as np
from scipy.stats import kstest

from gpuhiggs.simulate import skims


def diphoton_events(mass: np.ndarray) -> ak.Array:
    """Back-to-back pairs: their mass is twice their pt."""
    n = len(mass)
    pt = np.repeat(0.5 * mass[:, None], 2, axis=1)
    columns = {
        "Photon_pt": pt, "Photon_eta": np.zeros((n, 2)), "Photon_phi": np.tile([0.0, np.pi], (n, 1)),
        "Photon_energyErr": np.full((n, 2), 0.5), "Jet_pt": np.full((n, 1), 50.0),
        skims._DIPHOTON_TRIGGER: np.ones(n, dtype=bool),
    }  # fmt: skip
    return ak.Array({name: values if values.ndim == 1 else ak.from_regular(values) for name, values in columns.items()})


def test_diphotons() -> None:
    events = diphoton_events(np.array([50.0, 99.0, 101.0, 179.0, 181.0]))
    assert skims.diphotons(events).tolist() == [False, False, True, True, False]


def test_masses_are_drawn_from_the_power_law_of_the_events() -> None:
    random = np.random.default_rng(1)
    low, high = skims.DIPHOTON_MASS

    def cumulative(m: np.ndarray) -> np.ndarray:
        return np.asarray((low**-3.5 - m**-3.5) / (low**-3.5 - high**-3.5))  # density m^-4.5

    masses = (low**-3.5 - random.random(20_000) * (low**-3.5 - high**-3.5)) ** (-1 / 3.5)
    events = diphoton_events(np.round(masses, 0))  # lumps of 1 GeV
    found = skims.rescale_diphotons(events, random)
    new = skims._diphoton_mass(found)
    assert kstest(new, cumulative).pvalue > 1e-3
    factor = new / skims._diphoton_mass(events)
    np.testing.assert_allclose(ak.to_numpy(found.Photon_energyErr)[:, 1], 0.5 * factor, rtol=1e-5)
    assert ak.array_equal(found.Jet_pt, events.Jet_pt)


def test_the_power_is_that_of_events_that_selections_take() -> None:
    """Pairs of small shares of the mass pass the trigger at high masses only: they must not flatten the spectrum."""
    random = np.random.default_rng(2)
    low, high = skims.DIPHOTON_MASS
    masses = (low**-3.5 - random.random(20_000) * (low**-3.5 - high**-3.5)) ** (-1 / 3.5)
    forward = np.zeros(30_000)
    forward[20_000:] = 140.0 + 39.0 * random.random(10_000)
    events = diphoton_events(np.where(forward > 0, forward, np.resize(masses, 30_000)))
    eta = np.where(forward > 0, 1.4, 0.0)  # pt is then m / (2 cosh η): 0.23 of the mass
    pt = ak.to_numpy(events.Photon_pt) / np.cosh(eta)[:, None]
    events = ak.with_field(events, ak.from_regular(pt), "Photon_pt")
    events = ak.with_field(events, ak.from_regular(np.stack([eta, -eta], axis=1)), "Photon_eta")
    new = skims._diphoton_mass(skims.rescale_diphotons(events, random))[:20_000]
    expected = np.log(low) + 1 / 3.5 - np.log(high / low) / ((high / low) ** 3.5 - 1)
    assert abs(np.log(new).mean() - expected) < 0.005


def test_electrons_and_muons() -> None:
    fired = {name: np.array([True, True, True, False]) for name in skims._DILEPTON_TRIGGERS}
    events = ak.Array(
        {
            **fired,
            "Electron_pt": [[30.0], [30.0, 12.0], [30.0], [30.0]],
            "Electron_pfRelIso03_all": [[0.05], [0.9, 0.05], [0.05], [0.05]],
            "Muon_pt": [[15.0], [20.0], [], [25.0]],
            "Muon_pfRelIso03_all": [[0.05], [0.05], [], [0.05]],
        }
    )
    assert skims.electrons_and_muons(events).tolist() == [True, False, False, False]
