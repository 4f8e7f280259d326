"""Against the numbers of Delphes' CMS card, worked out by hand here."""

from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.simulate import resolution


def at(*values: float) -> np.ndarray:
    return np.array(values)


def test_muon_resolution() -> None:
    # sqrt(0.01^2 + (1e-4 pT)^2), sqrt(0.015^2 + (1.5e-4 pT)^2), sqrt(0.025^2 + (3.5e-4 pT)^2)
    measured = resolution.muon_resolution(at(100.0, 100.0, 100.0), at(-0.2, 1.0, 2.1))
    np.testing.assert_allclose(measured, [0.0141421, 0.0212132, 0.0430116], rtol=1e-5)


def test_electron_resolution_is_the_better_of_track_and_calorimeter() -> None:
    # pT = E = 10 at eta = 0: track sqrt(0.03^2 + 0.013^2) = 3.270 %; calorimeter sqrt(0.08^2 + 1.21*0.1 + 0.4^2)/10
    track, calorimeter = np.hypot(0.03, 0.013), np.sqrt(10**2 * 0.008**2 + 10 * 0.11**2 + 0.4**2) / 10
    assert resolution.electron_resolution(at(10.0), at(0.0))[0] == pytest.approx(
        1 / np.sqrt(track**-2 + calorimeter**-2)
    )
    # endcap, where the factor is 2.16 + 5.6 (|eta| - 2)^2 and the track hardly helps
    energy, factor = 100.0, 2.16 + 5.6 * 0.3**2
    calorimeter = factor * np.sqrt(energy**2 * 0.008**2 + energy * 0.11**2 + 0.4**2) / energy
    track = np.hypot(0.15, 3.1e-3 * energy / np.cosh(2.3))
    assert resolution.electron_resolution(at(energy), at(-2.3))[0] == pytest.approx(
        1 / np.sqrt(track**-2 + calorimeter**-2)
    )


def test_electrons_of_z_decays_have_2_to_5_percent() -> None:
    # CMS, JINST 16 (2021) P05014, abstract
    eta = np.linspace(-2.4, 2.4, 49)
    measured = resolution.electron_resolution(45.0 * np.cosh(eta), eta)
    assert measured.min() > 0.015
    assert measured.max() < 0.05


def test_photon_resolution() -> None:
    measured = resolution.photon_resolution(at(60.0, 150.0), at(0.3, 2.0))
    barrel = np.sqrt(0.028**2 / 60 + (0.12 / 60) ** 2 + 0.012**2)
    endcap = np.sqrt(0.028**2 / 150 + (0.12 / 150) ** 2 + 0.025**2)
    np.testing.assert_allclose(measured, [barrel, endcap])


def test_jet_resolution_falls() -> None:
    np.testing.assert_allclose(resolution.jet_resolution(at(30.0, 100.0)), [0.18, 0.094], atol=0.005)


def test_efficiencies() -> None:
    np.testing.assert_array_equal(resolution.muon_efficiency(at(0.5, -2.0, 2.45)), [0.99, 0.98, 0.0])
    np.testing.assert_array_equal(resolution.muon_id_efficiency(at(6.0, 30.0)), [0.90, 0.95])
    found = resolution.electron_efficiency(at(20.0, 20.0, 150.0, 150.0, 20.0), at(1.0, -2.0, 1.0, -2.0, 2.6))
    np.testing.assert_array_equal(found, [0.95, 0.83, 0.99, 0.90, 0.0])
    np.testing.assert_array_equal(
        resolution.electron_id_efficiency(at(8.0, 20.0, 20.0), at(0.0, 0.0, 2.0)), [0.70, 0.95, 0.85]
    )
    np.testing.assert_array_equal(
        resolution.photon_efficiency(at(5.0, 20.0, 20.0), at(0.0, 0.0, 2.0)), [0.80, 0.95, 0.85]
    )


def test_smearing_has_the_mean_and_the_width_asked_for() -> None:
    n = 200_000
    smeared = resolution.smear(np.full(n, 40.0), np.full(n, 0.1), np.random.default_rng(1))
    # errors of mean and width: 4/sqrt(n) = 0.009 and 4/sqrt(2n) = 0.006; four of them allowed
    assert smeared.mean() == pytest.approx(40.0, abs=0.036)
    assert smeared.std() == pytest.approx(4.0, abs=0.03)
    assert smeared.min() > 0
