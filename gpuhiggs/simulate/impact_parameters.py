"""Impact parameters: how far from the primary vertex a lepton's track passes."""

from __future__ import annotations

import numpy as np

from gpuhiggs.simulate.particles import Floats, Particles

# CMS tracks with |η| < 1.4 and 1 < pT < 10 GeV: 90 to 25 μm transverse, 150 to 45 μm longitudinal (CMS, JINST 9
# (2014) P10009); constant term and term over pT in cm that meet both ends. Forward tracks cross more material.
_TRANSVERSE = (23.3e-4, 87e-4)
_LONGITUDINAL = (42.7e-4, 144e-4)

# Own choice: one track in a hundred is three times worse, so that sip3d < 4 keeps 99.5 % of prompt leptons.
_TAIL_FRACTION, _TAIL_FACTOR = 0.01, 3.0

_MM_IN_CM = 0.1


def impact_parameters(leptons: Particles, random: np.random.Generator) -> dict[str, Floats]:
    """Measured impact parameters of *leptons*, with their NanoAOD names.

    Returns
    -------
    dict
        ``dxy``, ``dz`` and their errors ``dxyErr``, ``dzErr`` in cm, signed as CMS does, and the significance
        ``sip3d`` of the distance in space.
    """
    cos, sin = np.cos(leptons.phi), np.sin(leptons.phi)
    along = leptons.x * cos + leptons.y * sin
    true_dxy = _MM_IN_CM * (leptons.y * cos - leptons.x * sin)
    true_dz = _MM_IN_CM * (leptons.z - along * leptons.pz / leptons.pt)

    scattering = np.sqrt(np.cosh(leptons.eta)) / leptons.pt
    dxy_error = np.hypot(_TRANSVERSE[0], _TRANSVERSE[1] * scattering)
    dz_error = np.hypot(_LONGITUDINAL[0], _LONGITUDINAL[1] * scattering * np.cosh(leptons.eta))

    tail = np.where(random.random(len(leptons)) < _TAIL_FRACTION, _TAIL_FACTOR, 1.0)
    dxy = true_dxy + tail * dxy_error * random.standard_normal(len(leptons))
    dz = true_dz + tail * dz_error * random.standard_normal(len(leptons))
    sip3d = np.hypot(dxy / dxy_error, dz / dz_error)
    return {"dxy": dxy, "dz": dz, "dxyErr": dxy_error, "dzErr": dz_error, "sip3d": sip3d}
