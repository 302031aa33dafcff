"""Gradients out of evaluations of a loss that needs no derivative, along a cheap direction or not.

Each function is one compiled program. The functions that are handed in are part of the program,
so make them once: a new lambda is compiled anew. All numbers may change without that.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
from jax.sharding import Mesh
from jaxtyping import ArrayLike, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, Loss, one_number
from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import (
    Found,
    correct_compiled,
    es,
    hybrid,
    self_guided,
)
from bionet.experimental.hybrid.estimate.pairs import Pairs
from bionet.experimental.hybrid.estimate.vectors import as_gradient, check_learns


def hybrid_gradient(
    model: PyTree,
    bulk: Direction,
    loss_true: Loss,
    key: PRNGKeyArray,
    *,
    batch: tuple[Any, ...] = (),
    num_samples: int = 8,
    sigma: ArrayLike = 0.01,
    lam: ArrayLike = 0.2,
    normalize: bool = True,
    eps: ArrayLike = 1e-8,
    snr: bool = False,
    chunk: int | None = None,
    mesh: Mesh | None = None,
    return_diagnostics: bool = False,
) -> Any:
    """A cheap direction, corrected by what evolution strategies find orthogonal to it.

    On the vector of all trained numbers, with `b` the cheap direction and L the true loss:

        g_es   = 1 / (2 sigma K) sum_k [L(theta + sigma e_k) - L(theta - sigma e_k)] e_k
        g_orth = g_es less its part along b
        g      = b + lam_eff g_orth

    where `lam_eff` is `lam |b| / |g_orth|` if `normalize`, so that the correction has the length
    `lam |b|` exactly, and `lam` if not. A correction of noise alone then bends the step by a
    known angle at most; unbounded, it may be many times longer than `b`. With `lam=0` what comes
    back is `b`, bit by bit. A pair of evaluations of which one is NaN or infinite is left out.

    Args:
        model: any pytree. Trained leaves alone are perturbed, and masked entries are not.
        bulk: `bulk(model, *batch, key=key)` returns a pseudo-gradient with the model's
            structure; see `local_direction` and `surrogate_direction`.
        loss_true: `loss_true(model, *batch, key=key)` returns one number; it is evaluated and
            never differentiated. All evaluations share one key. Either function may do without
            the `key`.
        key: of the perturbations, of `bulk` and of `loss_true`.
        batch: what the functions are called with after the model.
        num_samples: the number K of pairs; the loss is evaluated twice for each.
        sigma: the standard deviation of the perturbations.
        lam: how much of the correction is added.
        normalize: take `lam` as a fraction of the length of `b`.
        eps: is added to the length of `b` where that is divided by.
        snr: scale `lam` by the share of signal in `g_orth`, which the agreement of two
            independent halves of the pairs estimates: 1 if they agree, 0 if they do not. With
            `normalize=False` and `lam=1` it is the factor that brings `g_orth` nearest to the
            true gradient's orthogonal part. Needs two pairs.
        chunk: how many perturbed models exist at a time, an even number that divides `2 K`;
            None is all. It changes no number but for the order of a sum.
        mesh: devices that share the evaluations, as `bionet.training.batch_mesh` makes them.
        return_diagnostics: also return what `hybrid_diagnostics` does.

    Returns:
        A pseudo-gradient with the model's structure, for Optax to descend: zeros for leaves that
        do not learn, None for what is no array of real numbers. With `return_diagnostics`, that
        and the diagnostics.

    Raises:
        TypeError: a loss that returns no number.
        ValueError: no pair, `sigma` not above 0, a loss that returns several numbers, a
            direction of another structure.
        RuntimeError: every evaluation of the loss was NaN or infinite.

    Example:
        See `local_direction` for a network with local rules, and `surrogate_direction` for any
        other.

    Source:
        Evolution strategies with antithetic pairs as in Salimans et al. (2017)
        [salimans2017evolution]; the orthogonal correction and its normalised form are those of the
        package spyx. Ours takes any direction, local rules among them, and `snr` is new.
    """
    pairs = Pairs("hybrid_gradient", num_samples, sigma, chunk, mesh)
    correction = Correction("hybrid_gradient", lam, normalize, eps, snr)
    correction.check_halves("hybrid_gradient", pairs.num_samples)
    given = (model, bulk, loss_true, key, batch)
    return correct_compiled(hybrid, pairs, correction, *given, return_diagnostics)


def hybrid_diagnostics(
    model: PyTree,
    bulk: Direction,
    loss_true: Loss,
    key: PRNGKeyArray,
    *,
    batch: tuple[Any, ...] = (),
    num_samples: int = 8,
    sigma: ArrayLike = 0.01,
    lam: ArrayLike = 0.2,
    normalize: bool = True,
    eps: ArrayLike = 1e-8,
    snr: bool = False,
    chunk: int | None = None,
    mesh: Mesh | None = None,
) -> Found:
    """Measures the parts of a hybrid step, without taking the step.

    Args:
        model: as in `hybrid_gradient`, like all others.
        bulk: the cheap direction.
        loss_true: what is evaluated.
        key: of the perturbations and the functions.
        batch: what the functions are called with.
        num_samples: the number K of pairs.
        sigma: the standard deviation of the perturbations.
        lam: how much of the correction is added.
        normalize: take `lam` as a fraction of the length of `b`.
        eps: is added to the length of `b` where that is divided by.
        snr: scale `lam` by the share of signal.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.

    Returns:
        "cosine" of the angle between the estimate and `b`; the lengths "g_b_norm", "g_es_norm"
        and "g_orth_norm"; "proj", the estimate's component along `b`; "lam_eff", what the
        correction is scaled by; "correction_fraction", its length then over that of `b`;
        "signal_share", see `snr`; "training_loss", the mean of all evaluations; their number
        "num_evaluations", and how many of them have "failed"; and the vectors "g_b", "g_es" and
        "g_orth".
    """
    _, told = hybrid_gradient(
        model,
        bulk,
        loss_true,
        key,
        batch=batch,
        num_samples=num_samples,
        sigma=sigma,
        lam=lam,
        normalize=normalize,
        eps=eps,
        snr=snr,
        chunk=chunk,
        mesh=mesh,
        return_diagnostics=True,
    )
    return told


def sges_gradient(
    model: PyTree,
    bulk: Direction,
    loss_true: Loss,
    key: PRNGKeyArray,
    *,
    batch: tuple[Any, ...] = (),
    num_samples: int = 8,
    sigma: ArrayLike = 0.01,
    lam: ArrayLike = 1.0,
    normalize: bool = False,
    eps: ArrayLike = 1e-8,
    snr: bool = False,
    chunk: int | None = None,
    mesh: Mesh | None = None,
    return_diagnostics: bool = False,
) -> Any:
    """The gradient of a loss by self-guided evolution strategies, guided by a cheap direction.

    One pair steps by `sigma` along the direction `b` itself, and measures the slope of the loss
    there. The others step in Gaussian directions of which the part along `b` has been taken out:

        slope  = [L(theta + sigma b_hat) - L(theta - sigma b_hat)] / (2 sigma)
        g_orth = 1 / (K - 1) sum_k slope_k e_k,   e_k orthogonal to b
        g      = slope b_hat + lam_eff g_orth

    The direction's length does not enter, only its line: if it points uphill, the slope has the
    other sign. With `lam=1`, the default, g estimates the gradient, and on a quadratic has it for
    its mean: the K - 1 Gaussian directions have variance 1 in each of the d - 1 dimensions that
    are left, so no factor makes up for the missing one. `normalize=True` bounds the part that is
    noisy: it has the length `lam |slope|`.

    Args:
        model: as in `hybrid_gradient`, like all that is not told here.
        bulk: the direction that guides.
        loss_true: what is evaluated.
        key: of the perturbations and the functions.
        batch: what the functions are called with.
        num_samples: the number K of pairs, the guide's included; with 1 it is the slope alone.
        sigma: the length of the step along `b`, and the standard deviation of the others.
        lam: how much of the orthogonal part is added.
        normalize: take `lam` as a fraction of the length of the part along `b`.
        eps: is added to the length of `b` where that is divided by.
        snr: scale `lam` by the share of signal in the orthogonal part. Needs three pairs.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.
        return_diagnostics: also return the diagnostics; `proj` is the slope.

    Returns:
        A pseudo-gradient with the model's structure, and the diagnostics if asked for.

    Raises:
        ValueError: as in `hybrid_gradient`.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.experimental.hybrid import sges_gradient


        def loss(theta):
            return (theta**2).sum()


        theta = jnp.array([3.0, 4.0])
        found = sges_gradient(theta, lambda theta: theta, loss, jax.random.key(0), sigma=0.1)
        print(found)  # the gradient, because theta is along it
        ```

    Source:
        Liu et al., "Self-Guided Evolution Strategies with Historical Estimated Gradients" (IJCAI
        2020) draws inside and outside a subspace of past estimates; here the subspace is one
        given direction, and is measured and not drawn from.
    """
    pairs = Pairs("sges_gradient", num_samples, sigma, chunk, mesh)
    correction = Correction("sges_gradient", lam, normalize, eps, snr)
    correction.check_halves("sges_gradient", pairs.num_samples - 1)
    given = (model, bulk, loss_true, key, batch)
    return correct_compiled(self_guided, pairs, correction, *given, return_diagnostics)


def es_gradient(
    model: PyTree,
    loss_true: Loss,
    key: PRNGKeyArray,
    *,
    batch: tuple[Any, ...] = (),
    num_samples: int = 8,
    sigma: ArrayLike = 0.01,
    chunk: int | None = None,
    mesh: Mesh | None = None,
) -> PyTree:
    """The gradient of a loss by plain evolution strategies with antithetic pairs.

    On a quadratic in d dimensions its mean is the gradient, its squared length is on average
    `1 + (d + 1) / K` times that of the gradient, and its cosine with the gradient is about
    `sqrt(K / (K + d + 1))`.

    Args:
        model: as in `hybrid_gradient`, like all others.
        loss_true: what is evaluated.
        key: of the perturbations and the loss.
        batch: what the loss is called with.
        num_samples: the number K of pairs.
        sigma: the standard deviation of the perturbations.
        chunk: how many perturbed models exist at a time.
        mesh: devices that share the evaluations.

    Returns:
        A pseudo-gradient with the model's structure.

    Raises:
        ValueError: as in `hybrid_gradient`.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet.experimental.hybrid import es_gradient


        def steps_on_the_way(theta):
            return jnp.floor(theta**2).sum()


        theta = jnp.array([3.0, -4.0])
        found = es_gradient(
            theta, steps_on_the_way, jax.random.key(0), num_samples=2000, sigma=0.5
        )
        print(found)  # about 6 and -8
        ```

    Source:
        Salimans et al. (2017) [salimans2017evolution], without ranks.
    """
    pairs = Pairs("es_gradient", num_samples, sigma, chunk, mesh)
    return _estimate(pairs, model, loss_true, key, batch)


@eqx.filter_jit
def _estimate(
    pairs: Pairs, model: PyTree, loss_true: Loss, key: PRNGKeyArray, batch: tuple[Any, ...]
) -> PyTree:
    check_learns(pairs.owner, model)
    noise, evaluation = jax.random.split(key)
    g, _ = es(
        pairs,
        model,
        lambda model: one_number(pairs.owner, loss_true, model, batch, evaluation),
        noise,
    )
    return as_gradient(model, g)
