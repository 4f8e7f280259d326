"""How many photon pairs have a jet, by matrix elements: ``python -m bench.diphoton_jet``.

Pythia has qq̄ → γγ and gg → γγ, whose jets come from the shower; the process that makes most pairs with a jet, qg → γγq,
it lacks. Here are qq̄ → γγ, qq̄ → γγg and qg → γγq at leading order, integrated with the cuts of H → γγ: the weights by
jets of ``gpuhiggs/simulate/processes.yaml`` rest on the ratio.

The spin-averaged square of qq̄ → γγg is that of e⁺e⁻ → γγγ (F. A. Berends et al., Nucl. Phys. B 206 (1982) 61) with the
charges and colours of quarks, normalised by its limit of a soft gluon; qg → γγq follows by crossing. Scales are fixed:
the ratio is a leading-order number, good to some 20 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEAMS = 13000.0**2  # GeV²
SCALE = 115.0**2  # GeV², of the parton densities
ALPHA, ALPHA_S, CF = 1 / 128.0, 0.125, 4 / 3  # at about 100 GeV; α cancels in the ratio
PB = 0.3894e9  # GeV⁻² in pb
CHARGES = {1: -1 / 3, 2: 2 / 3, 3: -1 / 3, 4: 2 / 3, 5: -1 / 3}
JET_PT, JET_ETA, JET_DISTANCE = 30.0, 4.7, 0.4


class Sampled(NamedTuple):
    """Random parton collisions of one length: energy squared, densities x·f by flavour, momenta, weight in GeV⁻²."""

    s: Floats
    first: dict[int, Floats]
    second: dict[int, Floats]
    momenta: Floats
    """In the frame of the partons, shape (events, particles, 4)."""
    boosted: Floats
    weight: Floats


def densities() -> Callable[[Floats], dict[int, Floats]]:
    """Return x·f(x) of the proton by flavour, of the set that the simulation takes."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for command in ("Print:quiet = on", "Beams:eCM = 13000.", "PromptPhoton:ffbar2gammagamma = on", "Tune:pp = 14",
                    "PhaseSpace:pTHatMin = 20."):  # fmt: skip
        pythia.readString(command)
    pythia.init()
    density = pythia.getPDFPtr(2212)
    log_x = np.linspace(np.log(1e-5), np.log(0.999), 1500)
    flavours = [21, *CHARGES, *(-i for i in CHARGES)]
    table = {i: np.array([density.xf(i, x, SCALE) for x in np.exp(log_x)]) for i in flavours}
    return lambda x: {i: np.interp(np.log(x), log_x, values) for i, values in table.items()}


def sample(
    n: int, particles: int, masses: tuple[float, float], density: Callable[..., Any], random: np.random.Generator
) -> Sampled:
    """Draw collisions between two *masses* in GeV, flat in ln s and rapidity, and flat phase space (RAMBO)."""
    low, high = (2 * np.log(m) for m in masses)
    s = np.exp(random.uniform(low, high, n))
    widest = 0.5 * np.log(BEAMS / s)
    y = random.uniform(-1, 1, n) * widest
    x1, x2 = np.sqrt(s / BEAMS) * np.exp(y), np.sqrt(s / BEAMS) * np.exp(-y)
    momenta = flat_phase_space(s, particles, random)
    volume = 1 / (8 * np.pi) if particles == 2 else (2 * np.pi) ** -5 * np.pi**2 / 8 * s
    along = momenta.copy()
    along[..., 0] = momenta[..., 0] * np.cosh(y)[:, None] + momenta[..., 3] * np.sinh(y)[:, None]
    along[..., 3] = momenta[..., 3] * np.cosh(y)[:, None] + momenta[..., 0] * np.sinh(y)[:, None]
    weight = (high - low) * 2 * widest * volume / (2 * s) * 0.5 * PB  # 0.5: the photons are alike
    return Sampled(s, density(x1), density(x2), momenta, along, weight)


def flat_phase_space(s: Floats, particles: int, random: np.random.Generator) -> Floats:
    """Return massless momenta of total energy √s at rest (Kleiss, Stirling and Ellis, CPC 40 (1986) 359)."""
    shape = (len(s), particles)
    energy = -np.log(random.random(shape) * random.random(shape))
    cosine, phi = random.uniform(-1, 1, shape), random.uniform(0, 2 * np.pi, shape)
    sine = np.sqrt(1 - cosine**2)
    q = energy[..., None] * np.stack([np.ones(shape), sine * np.cos(phi), sine * np.sin(phi), cosine], axis=-1)
    total = q.sum(axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=-1))
    velocity, gamma, scale = -total[:, 1:] / mass[:, None], total[:, 0] / mass, np.sqrt(s) / mass
    along = (velocity[:, None] * q[..., 1:]).sum(axis=-1)
    e = scale[:, None] * (gamma[:, None] * q[..., 0] + along)
    pull = q[..., 0] + along / (1 + gamma)[:, None]
    space = scale[:, None, None] * (q[..., 1:] + velocity[:, None] * pull[..., None])
    return np.concatenate([e[..., None], space], axis=-1)


def product(a: Floats, b: Floats) -> Floats:
    """Return the Minkowski product."""
    return np.asarray(a[..., 0] * b[..., 0] - (a[..., 1:] * b[..., 1:]).sum(axis=-1))


def radiated(quark: list[Floats], antiquark: list[Floats]) -> Floats:
    """Return Σ aᵢbᵢ(aᵢ² + bᵢ²) / Π aᵢbᵢ of the products of the quarks' momenta with each boson's."""
    a, b = np.stack(quark), np.stack(antiquark)
    return np.asarray((a * b * (a**2 + b**2)).sum(axis=0) / (a * b).prod(axis=0))


def passes(momenta: Floats) -> NDArray[np.bool_]:
    """Whether pairs of photons are selected, and the jet beside them where there is one."""
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    eta, phi = np.arcsinh(momenta[..., 3] / pt), np.arctan2(momenta[..., 2], momenta[..., 1])
    mass = np.sqrt(2 * product(momenta[:, 0], momenta[:, 1]))
    hard, soft = pt[:, :2].max(axis=1), pt[:, :2].min(axis=1)
    found = (mass > 100) & (mass < 180) & (hard > np.maximum(35, mass / 3)) & (soft > np.maximum(25, mass / 4))
    found &= (np.abs(eta[:, :2]) < 2.5).all(axis=1)
    for jet in range(2, momenta.shape[1]):
        turn = np.abs(phi[:, :2] - phi[:, [jet]])
        apart = np.hypot(eta[:, :2] - eta[:, [jet]], np.minimum(turn, 2 * np.pi - turn)) > JET_DISTANCE
        found &= (pt[:, jet] > JET_PT) & (np.abs(eta[:, jet]) < JET_ETA) & apart.all(axis=1)
    return np.asarray(found)


def annihilation(x: Sampled) -> Floats:
    """Return Σ Q⁴ (q q̄ + q̄ q) of the densities."""
    terms = [q**4 * (x.first[i] * x.second[-i] + x.first[-i] * x.second[i]) for i, q in CHARGES.items()]
    return np.asarray(np.sum(terms, axis=0))


def beam(s: Floats, direction: int) -> Floats:
    """Return the momentum of a parton in the frame of both."""
    half, nothing = 0.5 * np.sqrt(s), np.zeros_like(s)
    return np.stack([half, nothing, nothing, direction * half], axis=-1)


def rates(n: int, seed: int = 1) -> dict[str, tuple[float, float]]:
    """Return cross sections in pb with their errors from *n* points each: ``qq→γγ``, ``qq→γγg``, ``qg→γγq``."""
    random, density = np.random.default_rng(seed), densities()
    coupling = (4 * np.pi * ALPHA) ** 2
    x = sample(n, 2, (90.0, 200.0), density, random)
    forward, backward = beam(x.s, 1), beam(x.s, -1)
    photons = [x.momenta[:, k] for k in range(2)]
    square = radiated([product(forward, k) for k in photons], [product(backward, k) for k in photons]) / 3
    values = {"qq→γγ": x.weight * coupling * annihilation(x) * square * passes(x.boosted)}

    x = sample(n, 3, (110.0, 3000.0), density, random)
    forward, backward = beam(x.s, 1), beam(x.s, -1)
    photons, third = [x.momenta[:, k] for k in range(2)], x.momenta[:, 2]
    weight = x.weight * coupling * 4 * np.pi * ALPHA_S * CF * passes(x.boosted)
    bosons = [*photons, third]
    square = x.s * radiated([product(forward, k) for k in bosons], [product(backward, k) for k in bosons]) / 3
    values["qq→γγg"] = weight * annihilation(x) * square
    total = np.zeros(n)
    for quark, gluon, of_quark, of_gluon in (
        (forward, backward, x.first, x.second),
        (backward, forward, x.second, x.first),
    ):
        incoming, outgoing = ([product(p, k) for k in (*photons, gluon)] for p in (quark, third))
        quarks = np.sum([q**4 * (of_quark[i] + of_quark[-i]) for i, q in CHARGES.items()], axis=0)
        total += quarks * of_gluon[21] * 2 * product(quark, third) * radiated(incoming, outgoing) / 8
    values["qg→γγq"] = weight * total
    return {name: (float(v.mean()), float(v.std() / np.sqrt(n))) for name, v in values.items()}


def main() -> None:
    """Print the rates and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--points", type=int, default=1_000_000)
    found = rates(parser.parse_args().points)
    ratio = (found["qq→γγg"][0] + found["qg→γγq"][0]) / found["qq→γγ"][0]
    print(json.dumps({"pb": found, "with a jet over qq→γγ": ratio}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
