"""SMEFT: what must hold of any parametrisation, and numbers of the table itself."""

from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.interpret import combine, operators, prepare, published, smeft

STXS = [published("atlas-run2", "stxs")]


def test_the_table() -> None:
    """GG2H_0J_PTH_GT10 of the source: 39.33 c_HG - 0.938 c_tG - 0.122 c_tH."""
    index = [smeft.operators().index(name) for name in ("chg", "ctgre", "cthre")]
    found = smeft._polynomial("bins", "GG2H_0J_PTH_GT10").linear[index]
    assert found == pytest.approx([39.33, -0.938, -0.122], rel=5e-3)


def test_quadratic_becomes_linear_near_the_sm() -> None:
    found = smeft.parametrisation(STXS[0])
    c = np.full(len(smeft.operators()), 1e-5)
    assert found(c, quadratic=True) == pytest.approx(found(c, quadratic=False), abs=1e-5)
    assert found(0 * c, quadratic=True) == pytest.approx(np.ones(36))


def test_common_factor_cancels() -> None:
    """c_Hbox rescales all couplings alike, by 0.12 each bin and width: so each rate, as the width cancels once."""
    index = smeft.operators().index("chbox")
    found = smeft.parametrisation(STXS[0])
    rate = (found.production.linear + found.width.linear - found.total.linear)[:, index]
    assert rate[:11] == pytest.approx(np.full(11, 0.121 + 0.121 - 0.121), abs=0.02)


def test_one_at_a_time() -> None:
    """Of the order of the ATLAS single-parameter limits: |c_HG| below 0.01, |c_tG| below 0.3 TeV⁻²."""
    found = operators.one_at_a_time(STXS, ["chg", "ctgre"])
    assert found["chg"].parameters["chg"].error < 0.005
    assert found["ctgre"].parameters["ctgre"].error < 0.15
    assert abs(found["chg"].parameters["chg"].value) < 3 * found["chg"].parameters["chg"].error


def test_directions() -> None:
    """Orthonormal; the best constrained is that of gluons and photons; along each the error is 1/√eigenvalue."""
    found = operators.directions(STXS)
    assert found.vectors @ found.vectors.T == pytest.approx(np.eye(len(found.vectors)), abs=1e-9)
    assert np.all(np.diff(found.eigenvalues) <= 1e-6)
    leading = abs(found.vectors[0])
    assert found.operators[int(leading.argmax())] in ("chb", "chg", "chw", "chwb")
    together = combine(operators.rotated(found, quadratic=False), STXS)
    best = together.parameters["e1"]
    assert best.error == pytest.approx(found.eigenvalues[0] ** -0.5, rel=0.35)
    assert together.chi2 < together.chi2_sm


def test_all_operators_at_once_are_not_constrained() -> None:
    """36 bins cannot fix all operators: the Fisher matrix is singular, and the directions say so."""
    values = np.linalg.eigvalsh(operators.fisher(prepare(smeft.linear(STXS), STXS)))
    assert np.sum(values > 1e-2) < len(values)


def test_strengths_of_both_experiments() -> None:
    inputs = [published("atlas-run2"), published("cms-run2")]
    found = combine(smeft.model(["chg"], quadratic=False), inputs).parameters["chg"]
    assert found.error < 0.004
    assert abs(found.value) < 3 * found.error


def test_refusals() -> None:
    with pytest.raises(InputError, match="unknown operator 'chgg'; known: "):
        smeft.model(["chgg"], quadratic=False)
    with pytest.raises(InputError, match="operators named twice: chg"):
        smeft.model(["chg", "chg"], quadratic=True)
    with pytest.raises(InputError, match="says nothing about any parameter"):
        combine(smeft.model(["chgtil", "cgtil"][:1], quadratic=False), [published("lhc-run1")])
