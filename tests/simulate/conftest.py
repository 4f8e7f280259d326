"""One simulated sample for all tests, and events made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs.simulate import SimulatedSample, simulate
from gpuhiggs.simulate.particles import Particles


class Made(NamedTuple):
    """A particle made by hand: GeV; *mother* is the place of its mother in the event; *vertex* in mm."""

    pdg_id: int
    pt: float
    eta: float = 0.0
    phi: float = 0.0
    mass: float = 0.0
    status: int = 1
    mother: int = 0
    vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)


def make_particles(events: list[list[Made]]) -> Particles:
    """Events made by hand, each behind Pythia's entry for the event as a whole."""
    whole = Made(90, 0.0, status=-11)
    flat = [particle for event in events for particle in (whole, *event)]
    offsets = np.cumsum([0] + [len(event) + 1 for event in events])
    start = np.repeat(offsets[:-1], np.diff(offsets))
    pt, eta, phi, mass = (np.array([getattr(p, name) for p in flat]) for name in ("pt", "eta", "phi", "mass"))
    pz = pt * np.sinh(eta)
    x, y, z = np.array([p.vertex for p in flat]).T
    return Particles(
        offsets=offsets,
        record=np.arange(len(flat)),
        mother=start + np.array([p.mother for p in flat]),
        pdg_id=np.array([p.pdg_id for p in flat]),
        status=np.array([p.status for p in flat]),
        px=pt * np.cos(phi),
        py=pt * np.sin(phi),
        pz=pz,
        energy=np.sqrt(pt**2 + pz**2 + mass**2),
        mass=mass,
        x=x,
        y=y,
        z=z,
    )


@pytest.fixture(scope="session")
def made() -> type[Made]:
    """A particle made by hand."""
    return Made


@pytest.fixture(scope="session")
def particles() -> Callable[[list[list[Made]]], Particles]:
    """A function from particles made by hand, by event, to the generator's record of a block."""
    return make_particles


@pytest.fixture(scope="session")
def pythia() -> None:
    """Skip where Pythia or fastjet is not installed."""
    pytest.importorskip("pythia8mc", reason="pythia8mc is not installed: pip install 'gpuhiggs[demo]'")
    pytest.importorskip("fastjet", reason="fastjet is not installed: pip install 'gpuhiggs[demo]'")


@pytest.fixture(scope="session")
def higgs_sample(pythia: None, tmp_path_factory: pytest.TempPathFactory) -> SimulatedSample:
    """4,000 events gg → H → 4ℓ: 5 to 10 s."""
    path: Path = tmp_path_factory.mktemp("simulation") / "ggH_4l.root"
    return simulate("ggH_4l", 4000, path, seed=20)


@pytest.fixture(scope="session")
def higgs_events(higgs_sample: SimulatedSample) -> ak.Array:
    """The columns of that sample."""
    with uproot.open(higgs_sample.path) as file:
        return file["Events"].arrays()
