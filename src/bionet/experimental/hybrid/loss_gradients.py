"""The gradient of a loss from its values alone: by plain evolution strategies, or guided ones."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
from jax.sharding import Mesh
from jaxtyping import ArrayLike, PRNGKeyArray, PyTree

from bionet.experimental.hybrid.directions import Direction, Loss, one_number
from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import compiled, es, self_guided
from bionet.experimental.hybrid.estimate.pairs import Pairs
from bionet.experimental.hybrid.estimate.vectors import as_gradient, check_learns


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
    return compiled(self_guided, pairs, correction, *given, return_diagnostics)


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
