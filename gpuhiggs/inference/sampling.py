"""Chains of a density with its gradient, by nutpie's NUTS (the extra ``bayes``), and whether they have converged."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gpuhiggs.errors import InputError, MissingExtraError, RunError
from gpuhiggs.inference.flat_model import FloatArray

MAX_R_HAT, MIN_EFFECTIVE = 1.01, 400.0
"""Limits of convergence (Vehtari et al., arXiv:1903.08008)."""


class Chains(NamedTuple):
    """Draws of several chains, shape (chains, draws, values), and how well each value is sampled, shape (values,).

    ``effective`` is the smaller of bulk and tail effective sample sizes.
    """

    draws: FloatArray
    r_hat: FloatArray
    effective: FloatArray

    def check(self, names: tuple[str, ...]) -> Chains:
        """Return the chains if they have converged.

        Raises
        ------
        RunError
            R̂ above 1.01, or fewer than 400 effective draws of a value.
        """
        bad = np.flatnonzero(~(self.r_hat <= MAX_R_HAT) | ~(self.effective >= MIN_EFFECTIVE))
        if len(bad):
            worst = ", ".join(
                f"{names[k]} (R̂ {self.r_hat[k]:.3f}, {self.effective[k]:.0f} effective draws)" for k in bad[:5]
            )
            msg = f"the posterior has not converged: {worst}; draw more, or hold what the data do not know"
            raise RunError(msg)
        return self


def sample(
    log_density: Callable[[FloatArray], tuple[float, FloatArray]],
    values: Callable[[FloatArray], FloatArray],
    start: Callable[[np.random.Generator], FloatArray],
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
) -> Chains:
    """Draw from a density in unbounded coordinates.

    Parameters
    ----------
    log_density
        Coordinates, shape (n,) → ln of the density and its gradient.
    values
        Coordinates → what is kept of them, shape (k,).
    start
        A random point to start a chain at.
    draws, tune, chains
        Draws kept, and first steps thrown away, of each chain; the chains take turns.
    seed
        The same seed gives the same draws.

    Raises
    ------
    MissingExtraError
        nutpie is not installed.
    InputError
        Draws, steps or chains are too few to judge convergence.
    RunError
        The sampler fails.
    """
    if draws < 100 or tune < 100 or chains < 2:
        msg = f"convergence needs ≥ 100 draws, ≥ 100 tuning steps and ≥ 2 chains, got {draws}, {tune} and {chains}"
        raise InputError(msg)
    nutpie, compiled, arviz = _sampler()
    spread = np.random.default_rng(seed)
    first = start(np.random.default_rng(seed))
    program = compiled(
        len(first),
        lambda: log_density,
        lambda *_: lambda x: {"theta": values(x)},
        [np.dtype(np.float64)],
        [values(first).shape],
        ["theta"],
        make_initial_point_fn=lambda _: start(spread),
    )
    try:
        trace = nutpie.sample(
            program, draws=draws, tune=tune, chains=chains, seed=seed, progress_bar=False, cores=1, save_warmup=False
        )
    except RuntimeError as error:
        msg = f"sampling the posterior failed: {error}"
        raise RunError(msg) from error
    sizes = [np.asarray(arviz.ess(trace, var_names=["theta"], method=m)["theta"]) for m in ("bulk", "tail")]
    r_hat = np.asarray(arviz.rhat(trace, var_names=["theta"])["theta"])
    return Chains(np.asarray(trace.posterior["theta"], dtype=float), r_hat, np.minimum(*sizes))


def _sampler() -> tuple[Any, Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # arviz announces its next version
            import arviz
            import nutpie
            from nutpie.compiled_pyfunc import from_pyfunc
    except ImportError as error:
        feature = "sampling a posterior"
        raise MissingExtraError(feature, "nutpie", "bayes") from error
    return nutpie, from_pyfunc, arviz
